//! The Codex CLI's `auth.json`: read on request, never written and never locked, because nothing of it is ours.

use std::path::Path;

use super::members::{Field, Members};
use crate::secret::Secret;
use crate::store::StorageError;
use crate::store::file::read::read_settled;

/// The ChatGPT login of the Codex CLI (upstream.md 1.10). When its access token expires is in the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodexLogin {
    pub access: Secret,
    pub refresh: Secret,
    pub id_token: Option<Secret>,
    /// The workspace id beside the tokens; the claims come first.
    pub account_id: Option<String>,
}

impl CodexLogin {
    /// None when there is no ChatGPT login in it, as with an API key.
    ///
    /// # Errors
    ///
    /// Also when there is no such file.
    pub fn read(path: &Path) -> Result<Option<CodexLogin>, StorageError> {
        let login = read_settled(path, |text| {
            let file: Members = serde_json::from_str(text)
                .map_err(|error| StorageError::parsing(path, &error, "an object"))?;
            let tokens = file.raw("tokens").and_then(|tokens| serde_json::from_str(tokens.get()).ok());
            Ok(tokens.and_then(|tokens: Members| read_tokens(&tokens)))
        })?;
        login.ok_or_else(|| StorageError::Unreadable {
            path: path.to_owned(),
            source: std::io::ErrorKind::NotFound.into(),
        })
    }
}

fn read_tokens(tokens: &Members) -> Option<CodexLogin> {
    let string = |name| match tokens.string(name) {
        Field::Present(text) if !text.is_empty() => Some(text),
        _ => None,
    };
    Some(CodexLogin {
        access: Secret::new(string("access_token")?),
        refresh: Secret::new(string("refresh_token")?),
        id_token: string("id_token").map(Secret::new),
        account_id: string("account_id"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Option<CodexLogin>, StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        std::fs::write(&path, content).unwrap();
        CodexLogin::read(&path)
    }

    #[test]
    fn the_login_is_read_as_the_codex_cli_writes_it() {
        let whole = r#"{"auth_mode":"chatgpt","OPENAI_API_KEY":null,
            "tokens":{"id_token":"id-1","access_token":"access-1","refresh_token":"refresh-1","account_id":"w-1"},
            "last_refresh":"2026-11-22T14:01:13.740343751Z"}"#;
        let expected = CodexLogin {
            access: Secret::new("access-1"),
            refresh: Secret::new("refresh-1"),
            id_token: Some(Secret::new("id-1")),
            account_id: Some("w-1".to_owned()),
        };
        assert_eq!(read(whole).unwrap().as_ref(), Some(&expected));
        let least = r#"{"tokens":{"access_token":"access-1","refresh_token":"refresh-1"}}"#;
        assert_eq!(read(least).unwrap(), Some(CodexLogin { id_token: None, account_id: None, ..expected }));
    }

    #[test]
    fn what_is_no_login_is_none_and_what_does_not_parse_quotes_nothing() {
        for content in [
            "{}",
            r#"{"OPENAI_API_KEY":"canary","tokens":null}"#,
            r#"{"tokens":{"access_token":"canary"}}"#,
            r#"{"tokens":{"access_token":"canary","refresh_token":""}}"#,
        ] {
            assert_eq!(read(content).unwrap(), None, "{content}");
        }
        for content in ["", "canary"] {
            let error = read(content).unwrap_err();
            assert!(matches!(error, StorageError::Corrupt { .. }), "{content}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        let missing = CodexLogin::read(Path::new("/nowhere/auth.json")).unwrap_err();
        assert!(matches!(missing, StorageError::Unreadable { .. }), "{missing}");
    }
}
