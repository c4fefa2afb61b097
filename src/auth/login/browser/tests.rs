#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use super::*;

#[test]
fn a_paste_is_an_address_a_code_with_its_state_or_a_code() {
    let check = |input: &str, expected: Result<Result<&str, LoginError>, PasteError>| {
        let (paste, _) = Paste::waiting_for(Secret::new("st-1"));
        assert_eq!(paste.read(input), expected.map(|answer| answer.map(Secret::new)), "{input}");
    };
    check("http://127.0.0.1:1455/auth/callback?code=ac_1&state=st-1", Ok(Ok("ac_1")));
    check("  <http://localhost:1455/auth/callback?state=st-1&code=ac_1>\n", Ok(Ok("ac_1")));
    check("http://localhost:1455/auth/callback?code=ac_1&state=st-1#", Ok(Ok("ac_1")));
    check("?code=ac%2B1&state=st-1", Ok(Ok("ac+1")));
    check("code=ac_1&state=st-1", Ok(Ok("ac_1")));
    check("ac_1#st-1", Ok(Ok("ac_1")));
    check("ac_1", Ok(Ok("ac_1")));
    check("a/b+c=", Ok(Ok("a/b+c=")));
    check(
        "http://localhost/?error=access_denied&state=st-1",
        Ok(Err(LoginError::Denied("access_denied".to_owned()))),
    );
    check("http://localhost/?error=access_denied&state=st-2", Err(PasteError::WrongState));
    check("http://localhost/?code=ac_1&state=st-2", Err(PasteError::WrongState));
    check("http://localhost/?code=ac_1&x=1", Err(PasteError::WrongState));
    check("http://localhost:1455/auth/callback?code=ac_1", Err(PasteError::Cut));
    check("http://localhost:1455/auth/callback?state=st-1", Err(PasteError::Cut));
    check("code=ac_1", Err(PasteError::Cut));
    check("http://localhost:1455/auth/call\n  back?code=ac_1&st\nate=st-1", Ok(Ok("ac_1")));
    check("http://localhost:1455/auth/callback\\?code\\=ac_1\\&state\\=st-1", Ok(Ok("ac_1")));
    check("http://localhost:1455/auth/callback?code=ac_1&amp;state=st-1", Ok(Ok("ac_1")));
    check("\u{1b}[200~http://localhost:1455/auth/callback?code=ac_1&state=st-1\u{1b}[201~", Ok(Ok("ac_1")));
    check("localhost:1455/auth/callback?code=ac_1&state=st-1", Ok(Ok("ac_1")));
    check("/auth/callback?code=ac_1&state=st-1", Ok(Ok("ac_1")));
    check("5/auth/callback?code=ac_1&state=st-1", Ok(Ok("ac_1")));
    for word in ["y", "yes", "help", "quit", "N"] {
        check(word, Err(PasteError::NoCode));
    }
    check("ac_1#st-2", Err(PasteError::WrongState));
    check("ac_1#", Err(PasteError::WrongState));
    check("https://auth.openai.com/oauth/authorize?client_id=x&state=st-1", Err(PasteError::NoCode));
    check("https://chatgpt.com", Err(PasteError::NoCode));
    check("#st-1", Err(PasteError::NoCode));
    check("two words", Err(PasteError::NoCode));
    check("é", Err(PasteError::NoCode));
    check(&"a".repeat(MAX_CODE_BYTES + 1), Err(PasteError::NoCode));
    check(" \n", Err(PasteError::Empty));
    check("\"\"", Err(PasteError::Empty));
}

#[test]
fn only_the_first_paste_counts() {
    let (paste, mut pasted) = Paste::waiting_for(Secret::new("s"));
    assert_eq!(paste.submit("no code at all"), Err(PasteError::NoCode));
    assert_eq!((paste.submit("ac_first"), paste.submit("ac_second")), (Ok(()), Ok(())));
    assert_eq!(pasted.try_recv().ok(), Some(Ok(Secret::new("ac_first"))));
    assert!(pasted.try_recv().is_err());
}

#[tokio::test]
async fn the_address_is_what_upstream_expects_and_each_login_is_its_own() {
    let base: BaseUrl = "https://auth.openai.com".parse().unwrap();
    let callbacks = Callbacks::default();
    let login = BrowserLogin::begin(&base, "my editor", &callbacks, &[0]).await.unwrap();
    let other = BrowserLogin::begin(&base, "pi", &callbacks, &[0]).await.unwrap();
    let url = Url::parse(login.url()).unwrap();
    assert_eq!(url.as_str().split('?').next(), Some("https://auth.openai.com/oauth/authorize"));
    let mut members: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&oauth2::PkceCodeVerifier::new(
        login.verifier.expose().to_owned(),
    ));
    assert_eq!(members.remove("code_challenge").as_deref(), Some(challenge.as_str()));
    assert_eq!(members.remove("state").map(Secret::new).as_ref(), Some(&login.paste.state));
    assert_eq!((login.paste.state.expose().len(), login.verifier.expose().len()), (43, 86));
    let port = login.expected.port.unwrap();
    assert!(login.has_callback());
    let expected = [
        ("response_type", "code"),
        ("client_id", "app_EMoamEEZ73f0CkXaXp7hrann"),
        ("redirect_uri", &format!("http://127.0.0.1:{port}/auth/callback")),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile email offline_access"),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", "my editor"),
    ];
    assert_eq!(members, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(!login.url().contains(login.verifier.expose()));
    assert_ne!(login.paste.state, other.paste.state);
    assert_ne!(login.verifier, other.verifier);
    for secret in [&login.paste.state, &login.verifier] {
        let shown = format!("{:?} {:?}", login.verifier, login.paste);
        assert!(!shown.contains(secret.expose()), "{shown}");
    }
}

#[tokio::test]
async fn without_a_port_a_paste_still_works() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let base: BaseUrl = "https://auth.openai.com".parse().unwrap();
    let login = BrowserLogin::begin(&base, "pi", &Callbacks::default(), &[port]).await.unwrap();
    assert!(!login.has_callback());
    assert!(login.url().contains("127.0.0.1%3A1455"), "{}", login.url());
    login.paste().submit("ac_1").unwrap();
    let (grant, visitor) = login.grant().await;
    assert_eq!((grant.unwrap().code, visitor.is_none()), (Secret::new("ac_1"), true));
}
