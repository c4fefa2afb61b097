//! Which requests are accepted: from a program on this machine, for a loopback host, not from a page of another origin,
//! and with the key.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// Why a request is refused before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stranger {
    /// A host name that was made to point here (DNS rebinding).
    #[error("the gateway answers for loopback hosts only, such as 127.0.0.1 and localhost")]
    Host,
    /// A page in a browser.
    #[error("the gateway does not answer pages of other origins")]
    Origin,
}

/// # Errors
///
/// When the request is for another host, or comes from a page that is not on loopback.
pub(super) fn check_source(uri: &Uri, headers: &HeaderMap) -> Result<(), Stranger> {
    let mut hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    let named = headers.contains_key(HOST) || uri.authority().is_some();
    if !named
        || !hosts.all(|host| host.is_some_and(is_loopback_authority))
        || !uri.authority().is_none_or(|authority| is_loopback(authority.host()))
    {
        return Err(Stranger::Host);
    }
    let is_own = |origin: &http::HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
        origin.is_some_and(|origin| origin.scheme().is_some() && origin.host().is_some_and(is_loopback))
    };
    if headers.get_all(ORIGIN).iter().all(is_own) { Ok(()) } else { Err(Stranger::Origin) }
}

/// Returns the keys that a request presents: as a bearer, or in `x-api-key`.
pub(super) fn presented_keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearers = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearers.chain(headers.get_all("x-api-key").iter().filter_map(|value| value.to_str().ok()))
}

fn is_loopback_authority(host: &str) -> bool {
    host.parse::<Authority>()
        .is_ok_and(|authority| !authority.as_str().contains('@') && is_loopback(authority.host()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_loopback_hosts_are_answered() {
        let check = |host: &str, expected: Result<(), Stranger>| {
            let path = Uri::from_static("/v1/responses");
            assert_eq!(check_source(&path, &headers(&[("host", host)])), expected, "{host}");
        };
        for host in ["127.0.0.1:41455", "127.0.0.1", "127.9.9.9:1", "localhost:1", "LocalHost", "[::1]:80"] {
            check(host, Ok(()));
        }
        for host in [
            "evil.example",
            "evil.example:41455",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0.0.0.0",
            "192.168.0.1",
            "[::ffff:127.0.0.1]",
            "localhost@evil.example",
            "evil.example@localhost",
            "",
            "localhost, evil.example",
        ] {
            check(host, Err(Stranger::Host));
        }
        let path = Uri::from_static("/");
        assert_eq!(check_source(&path, &HeaderMap::new()), Err(Stranger::Host));
        let two = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert_eq!(check_source(&path, &two), Err(Stranger::Host));
        let whole = Uri::from_static("http://evil.example/v1/responses");
        assert_eq!(check_source(&whole, &headers(&[("host", "localhost")])), Err(Stranger::Host));
    }

    #[test]
    fn only_pages_on_loopback_may_ask() {
        let check = |origin: &str, expected: Result<(), Stranger>| {
            let headers = headers(&[("host", "127.0.0.1"), ("origin", origin)]);
            assert_eq!(check_source(&Uri::from_static("/"), &headers), expected, "{origin}");
        };
        check("http://localhost:3000", Ok(()));
        check("http://127.0.0.1:41455", Ok(()));
        check("https://[::1]", Ok(()));
        check("https://evil.example", Err(Stranger::Origin));
        check("http://localhost.evil.example", Err(Stranger::Origin));
        check("null", Err(Stranger::Origin));
        check("", Err(Stranger::Origin));
        check("localhost", Err(Stranger::Origin));
    }

    #[test]
    fn keys_are_bearers_or_api_keys() {
        let found = |pairs: &[(&'static str, &str)]| {
            let headers = headers(pairs);
            presented_keys(&headers).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(found(&[("authorization", "Bearer k")]), ["k"]);
        assert_eq!(found(&[("authorization", "bearer  k ")]), ["k"]);
        assert_eq!(found(&[("authorization", "Basic k"), ("x-api-key", "l")]), ["l"]);
        assert_eq!(found(&[("authorization", "k")]), Vec::<String>::new());
    }
}
