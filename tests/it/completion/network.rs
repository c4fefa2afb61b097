//! Between the sidecar and upstream on a real network: TLS, HTTP/2 and proxies, with the real binary on one side and
//! the simulator behind a TLS server on the other.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use multicodex::client::Client;
use multicodex::protocol::{CompleteCollect, CompleteParams};
use multicodex::sim::{Route, SimAccount};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::env::{Refused, Sidecar, TestEnv, expired};

/// Terminates TLS for the simulator, and records the protocol of each connection.
struct TlsFront {
    port: u16,
    authority: PathBuf,
    agreed: Arc<Mutex<Vec<String>>>,
}

/// A proxy that connects every tunnel to one address, and records the requested addresses.
struct TunnelProxy {
    port: u16,
    asked_for: Arc<Mutex<Vec<String>>>,
}

impl TlsFront {
    /// For `names`, with certificates of an authority that only its users are given.
    async fn start(env: &TestEnv, names: &[&str]) -> TlsFront {
        let key = rcgen::KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate =
            rcgen::CertificateParams::new(names).and_then(|params| params.self_signed(&key)).expect("signed");
        let authority = env.state_dir().with_file_name("authority.pem");
        fs::write(&authority, certificate.pem()).expect("written");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

        let (acceptor, agreed) = (TlsAcceptor::from(Arc::new(config)), Arc::<Mutex<Vec<String>>>::default());
        let (simulator, notes) = (env.sim_address(), agreed.clone());
        let port = serve(move |stream| {
            let (acceptor, simulator, notes) = (acceptor.clone(), simulator.clone(), notes.clone());
            async move {
                let mut outside = acceptor.accept(stream).await?;
                let protocol = outside.get_ref().1.alpn_protocol().unwrap_or_default();
                push(&notes, String::from_utf8_lossy(protocol).into_owned());
                let mut inside = TcpStream::connect(simulator).await?;
                copy_bidirectional(&mut outside, &mut inside).await
            }
        })
        .await;
        TlsFront { port, authority, agreed }
    }

    fn agreed(&self) -> Vec<String> {
        read(&self.agreed)
    }
}

impl TunnelProxy {
    async fn to(port: u16) -> TunnelProxy {
        let asked_for = Arc::<Mutex<Vec<String>>>::default();
        let notes = asked_for.clone();
        let proxy = serve(move |mut stream| {
            let notes = notes.clone();
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head);
                push(&notes, head.lines().next().unwrap_or_default().to_owned());
                let mut target = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                copy_bidirectional(&mut stream, &mut target).await
            }
        })
        .await;
        TunnelProxy { port: proxy, asked_for }
    }

    fn asked_for(&self) -> Vec<String> {
        read(&self.asked_for)
    }
}

/// Accepts connections on a free port of loopback until the test's runtime ends.
async fn serve<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = std::io::Result<(u64, u64)>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The sidecar shows how a connection ends.
            let connection = each(stream);
            tokio::spawn(async move { drop(connection.await) });
        }
    });
    port
}

fn push(notes: &Mutex<Vec<String>>, note: String) {
    notes.lock().expect("no thread panics").push(note);
}

fn read(notes: &Mutex<Vec<String>>) -> Vec<String> {
    notes.lock().expect("no thread panics").clone()
}

/// `serve` with both services below `origin`, and without the machine's proxies.
pub(super) fn command(env: &TestEnv, origin: &str) -> Command {
    let mut command = env.async_command(&["serve"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable).env_remove(variable.to_lowercase());
    }
    command
        .env("MULTICODEX_UPSTREAM_URL", format!("{origin}/backend-api"))
        .env("MULTICODEX_AUTH_URL", origin);
    command
}

pub(super) async fn collect(client: &Client) -> Result<Value, Refused> {
    let request = json!({"model": "gpt-6.1-sol", "input": [{"role": "user", "content": "Hello"}]});
    let params = CompleteParams {
        request: to_raw_value(&request).expect("JSON"),
        session_id: None,
        account: None,
        headers: None,
        deadline_ms: Some(20_000),
        idle_timeout_ms: None,
        transport: None,
        allow_reserve: None,
    };
    let answer = client.request::<CompleteCollect>(&params).await.map_err(Refused::from)?;
    Ok(serde_json::from_str(answer.response.get()).expect("JSON"))
}

#[tokio::test]
async fn tokens_and_completions_go_over_tls_and_share_one_http2_connection() {
    let env = TestEnv::new([expired("ada")]);
    let front = TlsFront::start(&env, &["localhost"]).await;
    let mut command = command(&env, &format!("https://localhost:{}", front.port));
    command.env("SSL_CERT_FILE", &front.authority);
    let sidecar = Sidecar::start(command).await;
    assert_eq!(collect(&sidecar.client).await.expect("an answer")["status"], "completed");
    let (one, other) = tokio::join!(collect(&sidecar.client), collect(&sidecar.client));
    assert_eq!(
        (&one.expect("an answer")["status"], &other.expect("an answer")["status"]),
        (&json!("completed"), &json!("completed"))
    );
    assert_eq!((env.sim().posts("ada"), env.sim().refreshes("ada")), (3, 1));
    // A token is refreshed on its own connection.
    assert_eq!(front.agreed(), ["h2", "h2"]);
    sidecar.end().await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_no_account_is_blamed() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let front = TlsFront::start(&env, &["localhost"]).await;
    let sidecar = Sidecar::start(command(&env, &format!("https://localhost:{}", front.port))).await;
    let refused = collect(&sidecar.client).await.expect_err("nothing can be trusted");
    assert_eq!((refused.code, &refused.data["cause"]), (-32015, &json!("network")), "{refused:?}");
    let account = sidecar.account("ada").await;
    let reason = account.reason.expect("it is backing off");
    assert_eq!(reason.kind, "network");
    assert!(reason.message.contains("certificate"), "{}", reason.message);
    assert_eq!((env.sim().posts("ada"), front.agreed()), (0, vec![]));
    sidecar.end().await;
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_used_for_what_lies_outside() {
    let env = TestEnv::new([expired("ada")]);
    let front = TlsFront::start(&env, &["upstream.example"]).await;
    let proxy = TunnelProxy::to(front.port).await;
    let mut command = command(&env, "https://upstream.example");
    command.env("SSL_CERT_FILE", &front.authority);
    command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
    let sidecar = Sidecar::start(command).await;
    assert_eq!(collect(&sidecar.client).await.expect("an answer")["status"], "completed");
    assert_eq!(proxy.asked_for(), vec!["CONNECT upstream.example:443 HTTP/1.1"; 2]);
    assert_eq!(front.agreed(), ["h2", "h2"]);
    sidecar.end().await;
}

#[tokio::test]
async fn loopback_is_never_reached_through_a_proxy() {
    let env = TestEnv::new([expired("ada")]);
    let proxy = TunnelProxy::to(1).await;
    let mut command = env.async_command(&["serve"]);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"] {
        command.env(variable, format!("http://127.0.0.1:{}", proxy.port));
    }
    let sidecar = Sidecar::start(command).await;
    assert_eq!(collect(&sidecar.client).await.expect("an answer")["status"], "completed");
    assert_eq!((env.sim().posts("ada"), env.sim().requests("ada", Route::Token)), (1, 1));
    assert_eq!(proxy.asked_for(), Vec::<String>::new());
    sidecar.end().await;
}
