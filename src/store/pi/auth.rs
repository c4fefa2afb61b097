//! pi's `auth.json`: reads the one entry that we use. A half-written file never counts as a logout. [`write`] puts a
//! refreshed credential back.

mod write;

#[cfg(any(test, fuzzing))]
pub(crate) use write::with_credential;

use std::path::{Path, PathBuf};

use super::members::{Field, Members};
use crate::pool::{At, Credential};
use crate::secret::Secret;
use crate::store::StorageError;
use crate::store::file::read::read_text;

const ENTRY: &str = "openai-codex";
/// What our pi extension lets pi store instead of tokens, for a login that is kept here.
const KEPT_HERE: &str = "multicodex";

#[derive(Clone, Debug)]
pub struct AuthFile {
    path: PathBuf,
}

/// pi's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedCredential {
    pub access: Secret,
    pub refresh: Secret,
    pub expires_at: At,
    /// The workspace id beside the tokens (`accountId` or `account_id`). The claims of the access token take
    /// precedence.
    pub account_id: Option<String>,
}

/// Why there is no reading now. None of these means that pi was logged out: the known login stays.
#[derive(Debug, thiserror::Error)]
pub enum NoReading {
    #[error("{} does not exist; log in with pi to create it", path.display())]
    Missing { path: PathBuf },
    /// Empty or incomplete, as while pi writes it in place: read it again shortly.
    #[error("{} is being written, or damaged at line {line}, column {column}: {message}", path.display())]
    HalfWritten { path: PathBuf, line: usize, column: usize, message: String },
    /// The entry is there and is not a ChatGPT login.
    #[error("the entry openai-codex of {} is not usable: {message}; log in with pi again", path.display())]
    Unusable { path: PathBuf, message: &'static str },
    #[error(transparent)]
    Unreadable(StorageError),
}

impl LinkedCredential {
    pub fn credential(&self) -> Credential {
        Credential { access: self.access.clone(), refresh: self.refresh.clone(), expires_at: self.expires_at }
    }

    /// Returns the same login with a refreshed credential.
    pub fn renewed(&self, credential: &Credential) -> Self {
        let Credential { access, refresh, expires_at } = credential.clone();
        LinkedCredential { access, refresh, expires_at, account_id: self.account_id.clone() }
    }
}

impl AuthFile {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        AuthFile { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns `None` when the file parses and the entry does not exist.
    pub fn read(&self) -> Result<Option<LinkedCredential>, NoReading> {
        let text = match read_text(&self.path) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(NoReading::Missing { path: self.path.clone() }),
            Err(error) => return Err(self.no_reading(error)),
        };
        let file = serde_json::from_str::<Members>(&text)
            .map_err(|error| self.no_reading(StorageError::parsing(&self.path, &error, "an object")))?;
        parse(&file).map_err(|message| NoReading::Unusable { path: self.path.clone(), message })
    }

    fn no_reading(&self, error: StorageError) -> NoReading {
        match error {
            StorageError::Corrupt { path, line, column, message } => {
                NoReading::HalfWritten { path, line, column, message }
            }
            other => NoReading::Unreadable(other),
        }
    }
}

/// Returns the entry if it exists, or why it cannot be used.
pub(crate) fn parse(file: &Members) -> Result<Option<LinkedCredential>, &'static str> {
    let Some(entry) = file.raw(ENTRY) else { return Ok(None) };
    let entry: Members = serde_json::from_str(entry.get()).map_err(|_| "it is not an object")?;
    let login = read_entry(&entry)?;
    Ok(Some(login).filter(|login| login.refresh.expose() != KEPT_HERE))
}

fn read_entry(entry: &Members) -> Result<LinkedCredential, &'static str> {
    let string = |name| match entry.string(name) {
        Field::Present(text) if !text.is_empty() => Some(text),
        _ => None,
    };
    if string("type").as_deref() != Some("oauth") {
        return Err("its `type` is not `oauth`");
    }
    Ok(LinkedCredential {
        access: Secret::new(string("access").ok_or("`access` is not a non-empty string")?),
        refresh: Secret::new(string("refresh").ok_or("`refresh` is not a non-empty string")?),
        expires_at: match entry.time("expires") {
            Field::Present(at) => at,
            _ => return Err("`expires` is not a number"),
        },
        account_id: string("accountId").or_else(|| string("account_id")),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ENTRY: &str = r#""type":"oauth","access":"access-1","refresh":"refresh-1","expires":1700000000000"#;

    fn read(content: &str) -> Result<Option<LinkedCredential>, NoReading> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth.json");
        std::fs::write(&path, content).unwrap();
        AuthFile::new(path).read()
    }

    #[test]
    fn the_entry_is_read_whatever_stands_around_it() {
        fn check(content: String, account_id: Option<&str>) {
            let found = read(&content).unwrap().unwrap();
            let expected = LinkedCredential {
                access: Secret::new("access-1"),
                refresh: Secret::new("refresh-1"),
                expires_at: At(1_700_000_000_000),
                account_id: account_id.map(str::to_owned),
            };
            assert_eq!(found, expected, "{content}");
        }
        check(format!(r#"{{"openai-codex":{{{ENTRY}}}}}"#), None);
        check(format!("\u{feff}{{\"openai-codex\":{{{ENTRY}}}}}"), None);
        check(
            format!(r#"{{"anthropic":{{"type":"api_key"}},"openai-codex":{{{ENTRY},"accountId":"w-1"}}}}"#),
            Some("w-1"),
        );
        check(format!(r#"{{"openai-codex":{{{ENTRY},"account_id":"w-2","new":[1]}}}}"#), Some("w-2"));
        check(format!(r#"{{"openai-codex":{{{ENTRY},"accountId":"w-1","account_id":"w-2"}}}}"#), Some("w-1"));
    }

    #[test]
    fn gone_is_told_from_half_written_and_from_unusable() {
        fn check(content: &str, expected: &str) {
            let outcome = match read(content) {
                Ok(None) => "gone",
                Ok(Some(_)) => "entry",
                Err(NoReading::HalfWritten { .. }) => "half-written",
                Err(NoReading::Unusable { message, .. }) => message,
                Err(other) => panic!("{other}"),
            };
            assert_eq!(outcome, expected, "{content}");
        }
        check("{}", "gone");
        check(r#"{"anthropic":{}}"#, "gone");
        check(
            r#"{"openai-codex":{"type":"oauth","access":"multicodex","refresh":"multicodex","expires":7}}"#,
            "gone",
        );
        check("", "half-written");
        check(r#"{"openai-codex":{"type":"oauth","acc"#, "half-written");
        check("[]", "half-written");
        check(r#"{"openai-codex":null}"#, "it is not an object");
        check(r#"{"openai-codex":{"type":"api_key","key":"k"}}"#, "its `type` is not `oauth`");
        check(r#"{"openai-codex":{"type":"oauth","access":""}}"#, "`access` is not a non-empty string");
        check(
            r#"{"openai-codex":{"type":"oauth","access":"a","refresh":7}}"#,
            "`refresh` is not a non-empty string",
        );
        check(
            r#"{"openai-codex":{"type":"oauth","access":"a","refresh":"r","expires":"soon"}}"#,
            "`expires` is not a number",
        );
    }

    #[test]
    fn a_missing_file_is_no_logout_and_no_message_quotes_a_token() {
        let missing = AuthFile::new("/nowhere/auth.json").read().unwrap_err();
        assert!(matches!(missing, NoReading::Missing { .. }));
        for content in [
            r#""canary""#,
            r#"{"openai-codex":"canary"}"#,
            r#"{"canary"#,
            r#"{"openai-codex":{"type":"canary"}}"#,
        ] {
            let error = read(content).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
