//! The one HTTP client, and the base URLs that it accepts: a token is sent to https, or over http to loopback, and
//! nowhere else. Redirects are never followed, and loopback is never reached through a proxy.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::TrustAnchor;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A person waits for the result of a reachability check.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_FETCHED_BYTES: usize = 64 << 10;
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Sixteen stalled streams fit into the connection's window, so they cannot block a seventeenth.
const HTTP2_STREAM_WINDOW: u32 = 1 << 20;
const HTTP2_CONNECTION_WINDOW: u32 = 16 << 20;

/// Shared by everything that uses HTTP. Cloning is cheap. The client behind it is built on first use, so that its 4 ms
/// for loading CA certificates are not part of the start.
#[derive(Clone, Debug, Default)]
pub struct HttpClient {
    built: Arc<Built>,
}

/// Indexed by [`Reach`] and [`Connections`].
type Built = [[Slot; 3]; 3];

type Slot = OnceLock<Result<reqwest::Client, HttpError>>;

/// The head of any answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    pub status: u16,
    /// The answer's `Date`.
    pub date: Option<SystemTime>,
    /// A page that asks for a browser came instead of an answer.
    pub challenged: bool,
}

/// This process cannot build a client; trying again gives the same result.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no HTTP client can be made: {0}")]
pub struct HttpError(String);

/// The parsed and checked base URL of a service, e.g. `https://chatgpt.com/backend-api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    loopback: bool,
}

/// Each variant says what to change about the URL. The URL itself is not repeated, because it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    #[error("not a URL ({0}); an https:// URL is needed, or http:// to a loopback address")]
    NotAUrl(url::ParseError),
    #[error("only https:// is allowed, or http:// to a loopback address (127.0.0.0/8, [::1], localhost)")]
    Insecure,
    #[error("a user name, password, query or fragment is not allowed in a base URL")]
    MoreThanABase,
}

impl HttpClient {
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the client for requests below `base`.
    pub fn get(&self, base: &BaseUrl) -> Result<&reqwest::Client, HttpError> {
        self.get_or_build(base, Connections::Kept)
    }

    /// Returns a client that opens a new connection for every request. On a kept connection that is already dead, a
    /// request that must not be sent twice is lost, and it looks as if the answer was lost.
    pub fn get_unpooled(&self, base: &BaseUrl) -> Result<&reqwest::Client, HttpError> {
        self.get_or_build(base, Connections::UsedOnce)
    }

    /// A client whose connections can become WebSockets: HTTP/1.1, each used once.
    pub fn get_upgradable(&self, base: &BaseUrl) -> Result<&reqwest::Client, HttpError> {
        self.get_or_build(base, Connections::Upgradable)
    }

    /// Requests `path` without a credential and accepts any answer. The error says why there was none.
    pub async fn reach(&self, base: &BaseUrl, path: &str) -> Result<Reached, String> {
        let client = self.get(base).map_err(|error| error.to_string())?;
        let asked = client.get(base.join(path)).timeout(REACH_TIMEOUT).send().await;
        let answer = asked.map_err(explain)?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        Ok(Reached {
            status: answer.status().as_u16(),
            date: header("date").and_then(|date| httpdate::parse_http_date(date).ok()),
            challenged: header("cf-mitigated") == Some("challenge"),
        })
    }

    /// Returns the body of a successful answer to `GET {base}/{path}`, at most 64 KiB of it. The error says why there
    /// is none.
    pub async fn fetch(&self, base: &BaseUrl, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let client = self.get(base).map_err(|error| error.to_string())?;
        let mut url = base.join(path);
        url.query_pairs_mut().extend_pairs(query);
        let mut answer = client.get(url).timeout(REACH_TIMEOUT).send().await.map_err(explain)?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(explain)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_FETCHED_BYTES {
                return Err("its answer does not end".to_owned());
            }
        }
        Ok(body)
    }

    /// Builds the client for `base` on its own thread, so that the first request finds it ready. Without a thread the
    /// first request builds it.
    pub fn warm(&self, base: &BaseUrl) {
        let (http, base) = (self.clone(), base.clone());
        let started = std::thread::Builder::new().name("http-warm".into()).spawn(move || {
            if let Err(error) = http.get(&base) {
                tracing::warn!(%error, "HTTP client");
            }
        });
        if let Err(error) = started {
            tracing::debug!(%error, "HTTP client is not warmed");
        }
    }

    fn get_or_build(&self, base: &BaseUrl, connections: Connections) -> Result<&reqwest::Client, HttpError> {
        let reach = base.reach();
        let slot = &self.built[reach as usize][connections as usize];
        slot.get_or_init(|| build(reach, connections)).as_ref().map_err(HttpError::clone)
    }
}

impl BaseUrl {
    /// Returns this base with `path` below it: `https://chatgpt.com/backend-api` and `codex/responses` give
    /// `https://chatgpt.com/backend-api/codex/responses`.
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/{}", self.url.path().trim_end_matches('/'), path.trim_start_matches('/')));
        url
    }

    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    fn reach(&self) -> Reach {
        match (self.url.scheme(), self.loopback) {
            ("https", false) => Reach::Outside,
            ("https", true) => Reach::Loopback,
            // A base that is not https is http on loopback.
            _ => Reach::Plain,
        }
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let url = Url::parse(text.trim()).map_err(BaseUrlError::NotAUrl)?;
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
            Some(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(BaseUrlError::Insecure);
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(BaseUrlError::MoreThanABase);
        }
        Ok(BaseUrl { url, loopback })
    }
}

/// Returns the text of an error and its causes, without the URL.
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Returns `multicodex/0.1.0 (linux; x86_64)`, or the same with the name of the client.
pub fn user_agent(name: &str, version: &str) -> String {
    format!("{name}/{version} ({}; {})", std::env::consts::OS, std::env::consts::ARCH)
}

/// Which hosts a client reaches, and through what.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    /// Uses the proxy variables of the environment.
    Outside,
    /// Without any proxy.
    Loopback,
    /// Loopback without TLS: no certificate is needed, so none is loaded.
    Plain,
}

#[derive(Clone, Copy)]
enum Connections {
    Kept,
    UsedOnce,
    Upgradable,
}

fn build(reach: Reach, connections: Connections) -> Result<reqwest::Client, HttpError> {
    // An error means that a provider is already installed, and any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with_roots = |roots: &[TrustAnchor<'static>]| {
        builder(reach, connections)
            .tls_backend_preconfigured(trusting(roots, connections))
            .build()
            .map_err(|error| HttpError(explain(error)))
    };
    if reach == Reach::Plain {
        return with_roots(&[]);
    }
    builder(reach, connections).build().or_else(|no_system_roots| {
        tracing::info!(error = explain(no_system_roots), "using the built-in CA certificates");
        with_roots(webpki_roots::TLS_SERVER_ROOTS)
    })
}

fn builder(reach: Reach, connections: Connections) -> reqwest::ClientBuilder {
    let mut builder = reqwest::Client::builder()
        .user_agent(user_agent(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .http2_initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .http2_keep_alive_interval(HTTP2_PING_EVERY)
        .http2_keep_alive_timeout(HTTP2_PING_TIMEOUT);
    if reach != Reach::Outside {
        builder = builder.no_proxy();
    }
    match connections {
        Connections::Kept => builder,
        Connections::UsedOnce => builder.pool_max_idle_per_host(0),
        // What is not asked for need not be decoded.
        Connections::Upgradable => {
            builder.pool_max_idle_per_host(0).http1_only().no_gzip().no_deflate().no_brotli().no_zstd()
        }
    }
}

fn trusting(roots: &[TrustAnchor<'static>], connections: Connections) -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: roots.to_vec() };
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = match connections {
        Connections::Kept | Connections::UsedOnce => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        Connections::Upgradable => vec![b"http/1.1".to_vec()],
    };
    config
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_bases() {
        let check = |text: &str, expected: Result<bool, BaseUrlError>| {
            assert_eq!(text.parse::<BaseUrl>().map(|base| base.is_loopback()), expected, "{text}");
        };
        check("https://chatgpt.com/backend-api", Ok(false));
        check(" https://chatgpt.com ", Ok(false));
        check("http://127.0.0.1:8080/backend-api", Ok(true));
        check("http://127.8.9.10", Ok(true));
        check("http://[::1]:1", Ok(true));
        check("http://localhost:1/x/", Ok(true));
        check("HTTP://LOCALHOST", Ok(true));
        check("http://chatgpt.com", Err(BaseUrlError::Insecure));
        check("http://localhost.example.com", Err(BaseUrlError::Insecure));
        check("http://127.0.0.1.example.com", Err(BaseUrlError::Insecure));
        check("http://128.0.0.1", Err(BaseUrlError::Insecure));
        check("http://[::ffff:127.0.0.1]", Err(BaseUrlError::Insecure));
        check("http://0.0.0.0", Err(BaseUrlError::Insecure));
        check("ftp://127.0.0.1", Err(BaseUrlError::Insecure));
        check("file:///etc", Err(BaseUrlError::Insecure));
        check("chatgpt.com", Err(BaseUrlError::NotAUrl(url::ParseError::RelativeUrlWithoutBase)));
        check("", Err(BaseUrlError::NotAUrl(url::ParseError::RelativeUrlWithoutBase)));
        check("https://a:b@chatgpt.com", Err(BaseUrlError::MoreThanABase));
        check("https://a@chatgpt.com", Err(BaseUrlError::MoreThanABase));
        check("https://:b@chatgpt.com", Err(BaseUrlError::MoreThanABase));
        check("https://chatgpt.com?x", Err(BaseUrlError::MoreThanABase));
        check("https://chatgpt.com#x", Err(BaseUrlError::MoreThanABase));
    }

    #[test]
    fn joining_keeps_the_path_of_the_base() {
        let check = |base: &str, path: &str, expected: &str| {
            assert_eq!(base.parse::<BaseUrl>().unwrap().join(path).as_str(), expected);
        };
        check(
            "https://chatgpt.com/backend-api",
            "codex/responses",
            "https://chatgpt.com/backend-api/codex/responses",
        );
        check(
            "https://chatgpt.com/backend-api/",
            "/wham/usage",
            "https://chatgpt.com/backend-api/wham/usage",
        );
        check("https://auth.openai.com", "oauth/token", "https://auth.openai.com/oauth/token");
        check("http://localhost:1", "a", "http://localhost:1/a");
    }

    #[test]
    fn a_client_is_built_once_and_shared_by_clones() {
        let http = HttpClient::new();
        let base: BaseUrl = "http://127.0.0.1:1".parse().unwrap();
        let first: *const reqwest::Client = http.get(&base).unwrap();
        assert!(std::ptr::eq(first, http.clone().get(&base).unwrap()));
        for other in ["https://chatgpt.com", "https://127.0.0.1:1"] {
            let other: BaseUrl = other.parse().unwrap();
            assert!(
                !std::ptr::eq(first, http.get(&other).unwrap()),
                "plain HTTP has a client without certificates"
            );
        }
    }

    #[test]
    fn the_built_in_roots_make_a_client() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let trusting = trusting(webpki_roots::TLS_SERVER_ROOTS, Connections::Kept);
        assert!(!trusting.alpn_protocols.is_empty());
        builder(Reach::Loopback, Connections::Kept).tls_backend_preconfigured(trusting).build().unwrap();
    }
}
