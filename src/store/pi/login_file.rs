//! A login file of some program, recognised by its shape: pi's `auth.json`, the Codex CLI's, opencode's, and the flat
//! one of CLIProxyAPI. It is read on request, and never written or locked, because it is not ours.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::auth;
use super::members::{Field, Members};
use crate::pool::At;
use crate::secret::Secret;
use crate::store::StorageError;
use crate::store::file::read::read_settled;

/// The tokens, and the members beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignLogin {
    pub access: Secret,
    pub refresh: Secret,
    pub id_token: Option<Secret>,
    /// The workspace id beside the tokens. The claims take precedence.
    pub account_id: Option<String>,
    /// Absent when only the access token says it.
    pub expires_at: Option<At>,
}

/// Why there is no login to import, and what to do. Quotes no value of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoForeignLogin {
    #[error("does not exist")]
    Missing,
    #[error("holds no ChatGPT login")]
    Nothing,
    #[error("holds an API key, which is not a ChatGPT login; sign in with `multicodex login`")]
    ApiKey,
    #[error(
        "holds no refresh token, so its login would end within days; sign in with `multicodex login`, or name another file"
    )]
    NoRefreshToken,
    #[error(
        "holds several logins; put one of them into a file of its own, or sign in with `multicodex login`"
    )]
    Several,
    #[error(
        "is a database, in which programs such as codex-lb keep logins encrypted; sign in with `multicodex login`"
    )]
    Database,
    #[error("holds a login that multicodex already keeps")]
    KeptHere,
    #[error("holds a login of pi that is not usable: {0}; log in with pi again")]
    Unusable(&'static str),
}

/// # Errors
///
/// The file cannot be read, or does not parse.
pub fn read_foreign_login(path: &Path) -> Result<Result<ForeignLogin, NoForeignLogin>, StorageError> {
    if is_database(path) {
        return Ok(Err(NoForeignLogin::Database));
    }
    let found = read_settled(path, |text| {
        let file: Members =
            serde_json::from_str(text).map_err(|error| StorageError::parsing(path, &error, "an object"))?;
        Ok(login_in(&file))
    })?;
    Ok(found.unwrap_or(Err(NoForeignLogin::Missing)))
}

fn is_database(path: &Path) -> bool {
    const SQLITE: &[u8; 16] = b"SQLite format 3\0";
    // Opening a pipe would wait for its other end.
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let mut head = [0; SQLITE.len()];
    is_file && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *SQLITE
}

/// Returns the first shape that holds a login, or else the most useful reason why there is none.
fn login_in(file: &Members) -> Result<ForeignLogin, NoForeignLogin> {
    let found = [
        pi_entry(file),
        object(file, "tokens").map(|tokens| tokens_in(&tokens)),
        object(file, "openai").map(|entry| opencode_entry(&entry)),
        // A file with one login has the tokens at its top level.
        file.raw("access_token").or(file.raw("refresh_token")).map(|_| tokens_in(file)),
        file.raw("accounts").map(|_| Err(NoForeignLogin::Several)),
        text(file, "OPENAI_API_KEY").map(|_| Err(NoForeignLogin::ApiKey)),
    ];
    let mut why_not = NoForeignLogin::Nothing;
    for shape in found.into_iter().flatten() {
        match shape {
            Ok(login) => return Ok(login),
            Err(reason) if why_not == NoForeignLogin::Nothing => why_not = reason,
            Err(_) => {}
        }
    }
    Err(why_not)
}

fn pi_entry(file: &Members) -> Option<Result<ForeignLogin, NoForeignLogin>> {
    let entry = file.raw("openai-codex")?;
    let is_key = serde_json::from_str(entry.get()).is_ok_and(|entry| is_of_type(&entry, "api_key"));
    Some(match auth::parse(file) {
        Ok(Some(login)) => Ok(ForeignLogin {
            access: login.access,
            refresh: login.refresh,
            id_token: None,
            account_id: login.account_id,
            expires_at: Some(login.expires_at),
        }),
        Ok(None) => Err(NoForeignLogin::KeptHere),
        Err(_) if is_key => Err(NoForeignLogin::ApiKey),
        Err(message) => Err(NoForeignLogin::Unusable(message)),
    })
}

fn opencode_entry(entry: &Members) -> Result<ForeignLogin, NoForeignLogin> {
    if is_of_type(entry, "api") {
        return Err(NoForeignLogin::ApiKey);
    }
    let access = text(entry, "access").ok_or(NoForeignLogin::Nothing)?;
    let refresh = text(entry, "refresh").ok_or(NoForeignLogin::NoRefreshToken)?;
    Ok(ForeignLogin {
        access: Secret::new(access),
        refresh: Secret::new(refresh),
        id_token: None,
        account_id: text(entry, "accountId"),
        expires_at: match entry.time("expires") {
            Field::Present(at) => Some(at),
            _ => None,
        },
    })
}

fn tokens_in(tokens: &Members) -> Result<ForeignLogin, NoForeignLogin> {
    let access = text(tokens, "access_token").ok_or(NoForeignLogin::Nothing)?;
    let refresh = text(tokens, "refresh_token").ok_or(NoForeignLogin::NoRefreshToken)?;
    Ok(ForeignLogin {
        access: Secret::new(access),
        refresh: Secret::new(refresh),
        id_token: text(tokens, "id_token").map(Secret::new),
        account_id: text(tokens, "account_id"),
        expires_at: None,
    })
}

fn object(file: &Members, name: &str) -> Option<Members> {
    file.raw(name).and_then(|value| serde_json::from_str(value.get()).ok())
}

fn text(members: &Members, name: &str) -> Option<String> {
    match members.string(name) {
        Field::Present(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}

fn is_of_type(entry: &Members, name: &str) -> bool {
    entry.string("type") == Field::Present(name.to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(content: impl AsRef<[u8]>) -> Result<Result<ForeignLogin, NoForeignLogin>, StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        std::fs::write(&path, content).unwrap();
        read_foreign_login(&path)
    }

    #[test]
    fn logins_are_read_in_the_shapes_of_several_programs() {
        fn check(content: &str, id_token: Option<&str>, account_id: Option<&str>, expires_at: Option<i64>) {
            let expected = ForeignLogin {
                access: Secret::new("access-1"),
                refresh: Secret::new("refresh-1"),
                id_token: id_token.map(Secret::new),
                account_id: account_id.map(str::to_owned),
                expires_at: expires_at.map(At),
            };
            assert_eq!(read(content).unwrap(), Ok(expected), "{content}");
        }
        // The Codex CLI.
        check(
            r#"{"auth_mode":"chatgpt","OPENAI_API_KEY":null,
            "tokens":{"id_token":"id-1","access_token":"access-1","refresh_token":"refresh-1","account_id":"w-1"},
            "last_refresh":"2026-11-22T14:01:13.740343751Z"}"#,
            Some("id-1"),
            Some("w-1"),
            None,
        );
        check(r#"{"tokens":{"access_token":"access-1","refresh_token":"refresh-1"}}"#, None, None, None);
        check(
            r#"{"OPENAI_API_KEY":"k","tokens":{"access_token":"access-1","refresh_token":"refresh-1"}}"#,
            None,
            None,
            None,
        );
        // pi.
        check(
            r#"{"openai-codex":{"type":"oauth","access":"access-1","refresh":"refresh-1","expires":7,"accountId":"w-1"}}"#,
            None,
            Some("w-1"),
            Some(7),
        );
        // opencode.
        check(
            r#"{"anthropic":{"type":"api","key":"k"},
            "openai":{"type":"oauth","refresh":"refresh-1","access":"access-1","expires":8,"accountId":"w-1"}}"#,
            None,
            Some("w-1"),
            Some(8),
        );
        // CLIProxyAPI.
        check(
            r#"{"type":"codex","email":"ada@example.com","id_token":"id-1","access_token":"access-1",
            "refresh_token":"refresh-1","account_id":"w-1","expired":"2026-12-02T00:00:00Z"}"#,
            Some("id-1"),
            Some("w-1"),
            None,
        );
    }

    #[test]
    fn a_file_without_a_login_says_what_it_holds() {
        fn check(content: impl AsRef<[u8]>, expected: NoForeignLogin) {
            let content = content.as_ref();
            assert_eq!(read(content).unwrap(), Err(expected), "{}", String::from_utf8_lossy(content));
        }
        for nothing in [
            "{}",
            r#"{"tokens":null}"#,
            r#"{"tokens":{}}"#,
            r#"{"OPENAI_API_KEY":null,"tokens":null}"#,
            r#"{"anthropic":{"type":"oauth","access":"a","refresh":"r","expires":1}}"#,
        ] {
            check(nothing, NoForeignLogin::Nothing);
        }
        for key in [
            r#"{"OPENAI_API_KEY":"canary","tokens":null}"#,
            r#"{"auth_mode":"apikey","OPENAI_API_KEY":"canary"}"#,
            r#"{"openai":{"type":"api","key":"canary"}}"#,
            r#"{"openai-codex":{"type":"api_key","key":"canary"}}"#,
        ] {
            check(key, NoForeignLogin::ApiKey);
        }
        for short in [
            r#"{"tokens":{"access_token":"canary"}}"#,
            r#"{"tokens":{"access_token":"canary","refresh_token":""}}"#,
            r#"{"access_token":"canary","type":"codex"}"#,
            r#"{"openai":{"type":"oauth","access":"canary","expires":1}}"#,
        ] {
            check(short, NoForeignLogin::NoRefreshToken);
        }
        check(r#"{"version":3,"accounts":[{"refreshToken":"canary"}]}"#, NoForeignLogin::Several);
        check(b"SQLite format 3\0\x10\x00\xff", NoForeignLogin::Database);
        check(
            r#"{"openai-codex":{"type":"oauth","access":"multicodex","refresh":"multicodex","expires":7}}"#,
            NoForeignLogin::KeptHere,
        );
        check(r#"{"openai-codex":7}"#, NoForeignLogin::Unusable("it is not an object"));
        assert_eq!(
            read_foreign_login(Path::new("/nowhere/auth.json")).unwrap(),
            Err(NoForeignLogin::Missing)
        );
    }

    #[test]
    fn what_does_not_parse_quotes_nothing() {
        for content in ["", "canary", "[\"canary\"]", "SQLite"] {
            let error = read(content).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt { .. }), "{content}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
