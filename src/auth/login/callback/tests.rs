//! The callback server over real sockets.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

async fn get(port: u16, request: &[u8]) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn only_a_plain_request_for_the_callback_is_read() {
    let check = |head: &str, expected: Result<Option<&str>, Page>| {
        let read = read_request(head.as_bytes());
        let state = read.map(|redirect| redirect.state.map(|state| state.expose().to_owned()));
        assert_eq!(state, expected.map(|state| state.map(str::to_owned)), "{head:?}");
    };
    check("GET /auth/callback?code=c&state=s HTTP/1.1\r\nHost: 127.0.0.1:1455\r\n\r\n", Ok(Some("s")));
    check("GET /auth/callback?code=c&state=s HTTP/1.1\r\nA: b\r\nhost:LOCALHOST\r\n\r\n", Ok(Some("s")));
    check("GET /auth/callback?code=c&state=s HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", Ok(Some("s")));
    for other in
        ["evil.example:1455", "127.0.0.1.evil.example", "", "x\r\nHost: localhost", "localhost:1455x"]
    {
        let rebound = format!("GET /auth/callback?state=s HTTP/1.1\r\nHost: {other}\r\n\r\n");
        check(&rebound, Err(Page::NotFound));
    }
    check("GET /auth/callback?state=s&code=c HTTP/1.0\r\n\r\n", Ok(Some("s")));
    check("GET /auth/callback HTTP/1.1\r\n\r\n", Ok(None));
    check("POST /auth/callback?state=s HTTP/1.1\r\n\r\n", Err(Page::MethodNotAllowed));
    check("HEAD /auth/callback?state=s HTTP/1.1\r\n\r\n", Err(Page::MethodNotAllowed));
    check("GET / HTTP/1.1\r\n\r\n", Err(Page::NotFound));
    check("GET /cancel HTTP/1.1\r\n\r\n", Err(Page::NotFound));
    check("GET /auth/callback/?state=s HTTP/1.1\r\n\r\n", Err(Page::NotFound));
    check("GET /favicon.ico HTTP/1.1\r\n\r\n", Err(Page::NotFound));
    check("GET http://127.0.0.1/auth/callback?state=s HTTP/1.1\r\n\r\n", Err(Page::BadRequest));
    check("GET /auth/callback?state=s HTTP/2\r\n\r\n", Err(Page::BadRequest));
    check("GET /auth/callback?state=s\r\n\r\n", Err(Page::BadRequest));
    check("GET  /auth/callback HTTP/1.1\r\n\r\n", Err(Page::BadRequest));
    check("\r\n\r\n", Err(Page::BadRequest));
    check("no end of the head", Err(Page::BadRequest));
}

#[tokio::test]
async fn each_login_gets_its_own_redirect_and_the_port_is_free_afterwards() {
    let callbacks = Callbacks::default();
    let (a, b) = (Secret::new("state-a"), Secret::new("state-b"));
    let mut first = callbacks.expect(&a, &[0]).await;
    let mut second = callbacks.expect(&b, &[0]).await;
    let port = first.port.unwrap();
    assert_eq!(second.port, Some(port), "one server for both");

    for (request, expected) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /auth/callback?code=ac_1&state=another HTTP/1.1\r\n\r\n", "400"),
        ("GET /auth/callback?code=ac_1 HTTP/1.1\r\n\r\n", "400"),
        ("GET /auth/callback?state=state-a HTTP/1.1\r\n\r\n", "400"),
    ] {
        assert_eq!(status(&get(port, request.as_bytes()).await), expected, "{request}");
    }
    // Idle connections, which browsers open ahead, do not block the login.
    let _idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let shown = get(port, b"GET /auth/callback?code=ac_b&state=state-b HTTP/1.1\r\n\r\n");
    let told = async {
        let Callback { answer, visitor } = second.arrival().await;
        assert_eq!(answer, Ok(Secret::new("ac_b")));
        visitor.show(&Page::Finished).await;
    };
    let (shown, ()) = tokio::join!(shown, told);
    assert!(status(&shown) == "200" && shown.contains("You can close this page"), "{shown}");
    let again = get(port, b"GET /auth/callback?code=ac_b&state=state-b HTTP/1.1\r\n\r\n").await;
    assert_eq!(status(&again), "400", "one shot");

    drop(second);
    let denied = get(port, b"GET /auth/callback?error=access_denied&state=state-a HTTP/1.1\r\n\r\n");
    let told = async {
        let Callback { answer, visitor } = first.arrival().await;
        assert_eq!(answer, Err(LoginError::Denied("access_denied".to_owned())));
        visitor.show(&Page::Failed("no".to_owned())).await;
    };
    tokio::join!(denied, told);
    drop(first);
    let third = callbacks.expect(&a, &[port]).await;
    assert_eq!(third.port, Some(port), "the port was let go of");
}

#[tokio::test]
async fn a_port_that_is_taken_is_passed_over() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let also = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (taken, also_taken) = (taken.local_addr().unwrap().port(), also.local_addr().unwrap().port());
    let state = Secret::new("s");
    let callbacks = Callbacks::default();
    assert_eq!(callbacks.expect(&state, &[taken, also_taken]).await.port, None);
    drop(also);
    assert_eq!(callbacks.expect(&state, &[taken, also_taken]).await.port, Some(also_taken));
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused() {
    let callbacks = Callbacks::default();
    let expected = callbacks.expect(&Secret::new("s"), &[0]).await;
    let long = format!("GET /auth/callback?state={} HTTP/1.1\r\n", "a".repeat(MAX_HEAD_BYTES));
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, expected.port.unwrap())).await.unwrap();
    stream.write_all(long.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Unread bytes make the connection end in a reset, which may arrive before the page.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || status(&answer) == "400", "{answer}");
}
