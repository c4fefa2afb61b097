//! The content of `codex-accounts.json` as something to edit: only what a method names is touched, everything else
//! stays as it was written, bad entries included.

use std::fmt;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::raw_object::{RawObject, indent};
use crate::pool::{At, Credential};
use crate::secret::Secret;

/// Bears the mark of an account that pi's auth.json owns.
const LINKED: &str = "pi-openai-codex";
/// The version that the ancestor 2.2 and later writes.
pub(super) const VERSION: u64 = 1;

/// One account as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileAccount {
    /// The label; the file calls it `email`.
    pub email: String,
    pub access: Secret,
    pub refresh: Secret,
    pub expires_at: At,
    /// The workspace id.
    pub account_id: Option<String>,
    pub last_used_at: Option<At>,
    pub quota_exhausted_until: Option<At>,
    pub linked: bool,
    pub needs_reauth: bool,
}

/// An entry that is kept but cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProblem {
    /// From 0, in the file's order.
    pub index: usize,
    pub what: String,
}

impl fmt::Display for EntryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index + 1, self.what)
    }
}

#[derive(Debug)]
pub struct Document {
    root: RawObject,
    entries: Vec<Entry>,
    changed: bool,
}

#[derive(Debug)]
struct Entry {
    /// As it was written, for as long as nothing in it changes.
    raw: Box<RawValue>,
    /// Its members, when it is an object.
    members: Option<RawObject>,
    changed: bool,
}

/// Why a text that is JSON is not an accounts file.
#[derive(Debug)]
pub(super) struct WrongShape(pub(super) &'static str);

impl Document {
    /// The document of a file that does not exist yet.
    pub(super) fn new() -> Self {
        let mut root = RawObject::default();
        root.set("version", &json!(VERSION));
        Document { root, entries: Vec::new(), changed: false }
    }

    pub(super) fn read(root: RawObject) -> Result<Self, WrongShape> {
        let Some(accounts) = root.get("accounts") else {
            return Err(WrongShape("there is no member \"accounts\""));
        };
        let Ok(raws) = serde_json::from_str::<Vec<Box<RawValue>>>(accounts.get()) else {
            return Err(WrongShape("\"accounts\" is not an array"));
        };
        let entries = raws
            .into_iter()
            .map(|raw| Entry { members: serde_json::from_str(raw.get()).ok(), raw, changed: false })
            .collect();
        Ok(Document { root, entries, changed: false })
    }

    pub(super) fn version(&self) -> u64 {
        self.root.read("version").unwrap_or(VERSION)
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    pub fn active(&self) -> Option<String> {
        self.root.read("activeEmail")
    }

    /// The accounts that can be used, in the file's order, and what is wrong with the others.
    pub fn accounts(&self) -> (Vec<FileAccount>, Vec<EntryProblem>) {
        let mut accounts: Vec<FileAccount> = Vec::new();
        let mut problems = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            match read_account(entry) {
                Ok(account) if accounts.iter().any(|earlier| earlier.email == account.email) => {
                    problems
                        .push(EntryProblem { index, what: "an earlier entry has the same email".to_owned() });
                }
                Ok(account) => accounts.push(account),
                Err(what) => problems.push(EntryProblem { index, what: what.to_owned() }),
            }
        }
        (accounts, problems)
    }

    /// Adds the account, or replaces what this crate knows of the one with the same label. Unknown members stay.
    pub fn put(&mut self, account: &FileAccount) {
        let label = account.email.as_str();
        if self.position(label).is_none() {
            let members = RawObject::default();
            let raw = RawValue::NULL.to_owned();
            self.entries.push(Entry { raw, members: Some(members), changed: true });
            let last = self.entries.len() - 1;
            self.set_at(last, "email", Some(json!(label)));
        }
        let credential = Credential {
            access: account.access.clone(),
            refresh: account.refresh.clone(),
            expires_at: account.expires_at,
        };
        self.set_credential(label, &credential);
        self.set(label, "accountId", account.account_id.as_ref().map(|id| json!(id)));
        self.set(label, "lastUsed", account.last_used_at.map(|at| json!(at.millis())));
        self.set_quota_exhausted_until(label, account.quota_exhausted_until);
        self.set(label, "importSource", account.linked.then(|| json!(LINKED)));
        self.set_needs_reauth(label, account.needs_reauth);
    }

    pub fn rename(&mut self, old: &str, new: &str) {
        self.set(old, "email", Some(json!(new)));
        if self.active().as_deref() == Some(old) {
            self.set_active(Some(new));
        }
    }

    /// Takes the account out of the file; what else bears its label stays.
    pub fn remove(&mut self, label: &str) {
        if let Some(at) = self.position(label) {
            self.entries.remove(at);
            self.changed = true;
        }
        if self.active().as_deref() == Some(label) {
            self.set_active(None);
        }
    }

    pub fn set_active(&mut self, label: Option<&str>) {
        self.changed |= match label {
            Some(label) => self.root.set("activeEmail", &json!(label)),
            None => self.root.remove("activeEmail"),
        };
    }

    pub fn set_credential(&mut self, label: &str, credential: &Credential) {
        self.set(label, "accessToken", Some(json!(credential.access.expose())));
        self.set(label, "refreshToken", Some(json!(credential.refresh.expose())));
        self.set(label, "expiresAt", Some(json!(credential.expires_at.millis())));
    }

    /// Absent when false, as the ancestor writes it.
    pub fn set_needs_reauth(&mut self, label: &str, needs_reauth: bool) {
        self.set(label, "needsReauth", needs_reauth.then(|| json!(true)));
    }

    pub fn set_quota_exhausted_until(&mut self, label: &str, until: Option<At>) {
        self.set(label, "quotaExhaustedUntil", until.map(|at| json!(at.millis())));
    }

    pub fn set_last_used(&mut self, label: &str, at: At) {
        self.set(label, "lastUsed", Some(json!(at.millis())));
    }

    /// The whole file, laid out as the ancestor does.
    pub(super) fn to_text(&self) -> String {
        let mut list = String::from("[");
        for (i, entry) in self.entries.iter().enumerate() {
            list.push_str(if i == 0 { "\n" } else { ",\n" });
            indent(2, &mut list);
            match &entry.members {
                Some(members) if entry.changed => members.write_pretty(2, &mut list),
                _ => list.push_str(entry.raw.get()),
            }
        }
        if !self.entries.is_empty() {
            list.push('\n');
            indent(1, &mut list);
        }
        list.push(']');
        let mut root = self.root.clone();
        root.set_raw("accounts", list);
        let mut text = String::new();
        root.write_pretty(0, &mut text);
        text.push('\n');
        text
    }

    fn position(&self, label: &str) -> Option<usize> {
        self.entries.iter().position(|entry| {
            entry.members.as_ref().and_then(|members| members.read::<String>("email")).as_deref()
                == Some(label)
        })
    }

    fn set(&mut self, label: &str, name: &str, value: Option<Value>) {
        if let Some(at) = self.position(label) {
            self.set_at(at, name, value);
        }
    }

    fn set_at(&mut self, at: usize, name: &str, value: Option<Value>) {
        let entry = &mut self.entries[at];
        let Some(members) = &mut entry.members else { return };
        let changed = match value {
            Some(value) => members.set(name, &value),
            None => members.remove(name),
        };
        entry.changed |= changed;
        self.changed |= changed;
    }
}

fn read_account(entry: &Entry) -> Result<FileAccount, &'static str> {
    let members = entry.members.as_ref().ok_or("not an object")?;
    let text = |name: &str| members.read::<String>(name).filter(|text| !text.trim().is_empty());
    let at = |name: &str| members.read::<f64>(name).filter(|ms| ms.is_finite()).map(|ms| At(ms as i64));
    Ok(FileAccount {
        email: text("email").ok_or("\"email\" is missing")?,
        access: members.read::<String>("accessToken").map(Secret::new).ok_or("\"accessToken\" is missing")?,
        refresh: text("refreshToken").map(Secret::new).ok_or("\"refreshToken\" is missing")?,
        expires_at: at("expiresAt").ok_or("\"expiresAt\" is missing or not a number")?,
        account_id: text("accountId"),
        last_used_at: at("lastUsed"),
        quota_exhausted_until: at("quotaExhaustedUntil"),
        linked: text("importSource").as_deref() == Some(LINKED),
        needs_reauth: members.read("needsReauth").unwrap_or(false),
    })
}
