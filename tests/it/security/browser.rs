//! A page in the user's browser that requests the login callback.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use multicodex::sim::SimAccount;
use serde_json::json;
use url::Url;

use crate::env::TestEnv;
use crate::env::{DEADLINE, Framing, RawClient};

#[test]
fn no_page_can_end_a_login_read_its_answer_or_learn_its_state() {
    let env = TestEnv::new([]);
    env.sim().add_account(SimAccount::named("ada"));
    let mut command = env.command(&["serve"]);
    command.env("MULTICODEX_TEST_CALLBACK_PORTS", "0");
    let mut peer = RawClient::spawn(command, Framing::Lines);
    let started = peer.call("login", json!({})).expect("a login");
    let url = Url::parse(started["url"].as_str().expect("an address")).expect("an address");
    let member =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).expect("a member").1.into_owned();
    let port = Url::parse(&member("redirect_uri")).expect("an address").port().expect("a port");
    let state = member("state");

    let origin = "Origin: https://evil.example\r\nReferer: https://evil.example/\r\n";
    for (line, host, expected) in [
        ("GET /auth/callback?code=theirs&state=guess", "127.0.0.1", "400"),
        ("GET /auth/callback?error=access_denied", "127.0.0.1", "400"),
        ("POST /auth/callback?code=theirs&state=guess", "127.0.0.1", "405"),
        ("OPTIONS /auth/callback", "127.0.0.1", "405"),
        ("GET /cancel", "127.0.0.1", "404"),
        // DNS rebinding: the page's own name was made to point here.
        ("GET /auth/callback?code=theirs&state=guess", "evil.example", "404"),
        (&format!("GET /auth/callback?code=theirs&state={state}"), "evil.example", "404"),
    ] {
        let answer = ask(port, &format!("{line} HTTP/1.1\r\nHost: {host}:{port}\r\n{origin}\r\n"));
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{line}: {answer}");
        assert!(!answer.contains(&state) && !answer.contains("theirs"), "{line}: {answer}");
        let head = answer.to_ascii_lowercase();
        assert!(!head.contains("access-control"), "{line}: {answer}");
        assert!(head.contains("frame-ancestors 'none'") && head.contains("no-store"), "{line}: {answer}");
    }
    // Idle connections, as many as a page can open, do not block the browser for long.
    let idle: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).expect("accepted")).collect();
    drop(idle);

    let code = crate::login::redirect(&env, &started, "ada");
    let target = &code[url::Position::BeforePath..];
    let answer = ask(port, &format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let account = peer.call("login/wait", json!({"loginId": started["loginId"]})).expect("an account");
    assert_eq!(account["account"]["label"], "ada@example.com");
}

fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("someone listens");
    stream.set_read_timeout(Some(DEADLINE.max(Duration::from_secs(20)))).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}
