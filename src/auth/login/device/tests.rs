#![expect(clippy::unwrap_used, reason = "tests")]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

fn told(polled: Result<Polled, LoginError>) -> String {
    match polled {
        Ok(Polled::Granted(_)) => "granted".to_owned(),
        Ok(Polled::Pending) => "pending".to_owned(),
        Ok(Polled::SlowDown) => "slow down".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_answer_means_granted_not_yet_slower_or_never() {
    let check = |status: u16, body: &str, expected: &str| {
        let polled =
            polled(StatusCode::from_u16(status).unwrap(), body.as_bytes(), &Secret::new("dev_CANARY"));
        assert_eq!(told(polled), expected, "{status} {body}");
    };
    check(200, r#"{"authorization_code":"ac","code_challenge":"c","code_verifier":"v"}"#, "granted");
    check(200, "{}", "the login server refused the request: the answer holds no code to exchange");
    check(403, "", "pending");
    check(404, "<html>", "pending");
    check(403, r#"{"error":{"code":"deviceauth_authorization_pending"}}"#, "pending");
    check(400, r#"{"error":"authorization_pending"}"#, "pending");
    check(400, r#"{"error":"slow_down"}"#, "slow down");
    check(429, "", "slow down");
    check(503, "", "pending");
    check(400, r#"{"error":"expired_token"}"#, "the login was not finished in time");
    check(403, r#"{"error":"access_denied"}"#, "the login was refused (access_denied)");
    check(
        400,
        r#"{"error":{"code":"bad","message":"canary"}}"#,
        "the login server refused the request: bad (HTTP 400)",
    );
    check(400, r#"{"error":"dev_canary"}"#, "the login server refused the request: HTTP 400");
    check(302, "canary", "the login server refused the request: HTTP 302");
}

#[test]
fn an_interval_may_be_a_string() {
    let check = |value: Value, expected: Option<u64>| {
        assert_eq!(seconds(&value), expected.map(Duration::from_secs), "{value}");
    };
    check(json!("5"), Some(5));
    check(json!(" 7 "), Some(7));
    check(json!(3), Some(3));
    check(json!("soon"), None);
    check(json!(null), None);
    check(json!(-1), None);
    check(json!("inf"), None);
}

#[tokio::test]
async fn it_asks_at_once_and_then_at_the_interval_until_it_is_granted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base: BaseUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let answers = [
        ("200 OK", r#"{"device_auth_id":"dev_1","usercode":"ABCD-EFGH","interval":"1","expires_in":60}"#),
        ("403 Forbidden", ""),
        ("502 Bad Gateway", "<html>"),
        ("200 OK", r#"{"authorization_code":"ac_1","code_challenge":"c","code_verifier":"v_1"}"#),
    ];
    let serve = async {
        let mut requests = Vec::new();
        let (mut socket, _) = listener.accept().await.unwrap();
        for (status, body) in answers {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                socket.read_buf(&mut request).await.unwrap();
            }
            requests.push((Instant::now(), String::from_utf8(request).unwrap()));
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    };
    let log_in = async {
        let login = DeviceLogin::begin(&HttpClient::new(), &base).await.unwrap();
        assert_eq!((login.user_code(), login.expires_in()), ("ABCD-EFGH", Some(Duration::from_secs(60))));
        assert_eq!(login.url(), format!("{}codex/device", base.as_str()));
        assert!(!format!("{:?}", login.device_auth_id).contains("dev_1"));
        login.grant().await.unwrap()
    };
    let (requests, grant) = tokio::join!(serve, log_in);
    assert_eq!((grant.code.expose(), grant.verifier.expose()), ("ac_1", "v_1"));
    assert_eq!(grant.redirect_uri.as_str(), format!("{}deviceauth/callback", base.as_str()));
    let bodies: Vec<&str> =
        requests.iter().map(|(_, request)| request.split("\r\n\r\n").nth(1).unwrap()).collect();
    assert_eq!(bodies[0], r#"{"client_id":"app_EMoamEEZ73f0CkXaXp7hrann"}"#);
    assert_eq!(bodies[1..], [r#"{"device_auth_id":"dev_1","user_code":"ABCD-EFGH"}"#; 3]);
    let waited = requests[2].0 - requests[1].0;
    assert!(waited >= Duration::from_millis(990), "{waited:?}");
    assert!(requests[1].0 - requests[0].0 < waited, "the first question comes at once");
}
