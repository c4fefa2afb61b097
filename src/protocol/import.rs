//! `accounts/import`: takes over logins of other programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method, Warning};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImportParams {
    /// `pi` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ImportSource>,
    /// A file other than the usual one. Its login becomes a copy: the sidecar writes back only to pi's own file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportSource {
    /// pi's auth.json, which the sidecar also merges whenever it changes.
    #[default]
    Pi,
    /// The Codex CLI's auth.json, which the sidecar reads and never writes.
    Codex,
}

/// What an import did, with the ids of the accounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImportAnswer {
    pub changed: bool,
    pub added: Vec<String>,
    pub updated: Vec<String>,
    pub unchanged: Vec<String>,
    /// Something a person should know about this import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Warning>,
}

/// `accounts/import`
#[derive(Debug)]
pub struct AccountsImport;

impl Method for AccountsImport {
    const NAME: &'static str = "accounts/import";
    const SUMMARY: &'static str =
        "Merges the login of pi, or a copy of another program's login, into the accounts.";
    const DESCRIPTION: &'static str = "\
        The sidecar merges pi's login by itself, at its start and whenever pi's auth.json changes; the rules \
        are in [Import](protocol.md#import). With `from: \"codex\"` the file of the Codex CLI is read and \
        never written.\n\
        \n\
        A file is read in any of these shapes, whatever `from` says: pi's, the Codex CLI's, opencode's \
        (`openai`), and tokens at the top level as CLIProxyAPI writes them. A file without a usable login (an \
        API key, no refresh token, several logins, a database, no JSON) is refused with -32016, and the \
        message says what to do.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = ImportParams;
    type Result = ImportAnswer;
}
