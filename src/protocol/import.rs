//! `accounts/import`: logins of other programs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method, Warning};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ImportParams {
    /// Whose login; pi's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ImportSource>,
    /// Another file than the usual one. What is found there becomes a copy: only pi's own file is ever written back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportSource {
    /// pi's auth.json, which is also merged whenever it changes.
    #[default]
    Pi,
    /// The Codex CLI's auth.json, which is read and never written.
    Codex,
}

/// Account ids, by what became of them.
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
pub struct Import;

impl Method for Import {
    const NAME: &'static str = "accounts/import";
    const SUMMARY: &'static str = "Merges the login of pi or of the Codex CLI into the accounts.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = ImportParams;
    type Result = ImportAnswer;
}
