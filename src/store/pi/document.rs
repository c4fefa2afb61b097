//! `codex-accounts.json` in memory: its known members are edited, and everything else is written back unchanged. Labels
//! are compared case-insensitively.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::entry;
use super::entry::{EntryProblem, FileAccount};
use super::members::{Field, Members};
use crate::pool::{At, Credential};

/// The version that the extension writes, and the highest one that is supported.
const VERSION: i64 = 1;

/// Parse with [`str::parse`], write with [`Document::to_json`].
#[derive(Clone, Debug)]
pub struct Document {
    /// `accounts` only keeps its place here; its content is in `entries`.
    members: Members,
    entries: Vec<Entry>,
}

#[derive(Clone)]
enum Entry {
    Account(Members),
    /// It cannot be used and is kept as it is.
    Bad {
        raw: Box<RawValue>,
        label: Option<String>,
        message: String,
    },
}

/// Why an edit was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditRefused {
    #[error("no account in the file has this label")]
    NoSuchLabel,
    #[error("another account in the file has this label")]
    LabelTaken,
}

impl Document {
    /// Returns the usable accounts in the order of the file.
    pub fn accounts(&self) -> impl Iterator<Item = FileAccount> {
        self.usable().map(|(_, account, _)| account)
    }

    pub fn problems(&self) -> Vec<EntryProblem> {
        let bad = self.entries.iter().enumerate().filter_map(|(index, entry)| match entry {
            Entry::Bad { label, message, .. } => {
                Some(EntryProblem { index, label: label.clone(), message: message.clone(), used: false })
            }
            Entry::Account(_) => None,
        });
        let left_out = self.usable().flat_map(|(index, account, left_out)| {
            left_out.into_iter().map(move |name| EntryProblem {
                index,
                label: Some(account.email.clone()),
                message: format!("`{name}` has the wrong type and is left out"),
                used: true,
            })
        });
        let mut problems: Vec<_> = bad.chain(left_out).collect();
        problems.sort_by_key(|problem| problem.index);
        problems
    }

    pub fn active_email(&self) -> Option<String> {
        match self.members.string("activeEmail") {
            Field::Present(label) if !label.is_empty() => Some(label),
            _ => None,
        }
    }

    /// Returns the version as the file writes it, when it is a later one.
    pub fn future_version(&self) -> Option<String> {
        match self.members.number("version") {
            Field::Present(version) if version > VERSION as f64 => {
                self.members.raw("version").map(|raw| raw.get().to_owned())
            }
            _ => None,
        }
    }

    /// The position in the file's `accounts`, from 0.
    pub fn position(&self, label: &str) -> Option<usize> {
        let label = label.to_lowercase();
        self.usable().find(|(_, account, _)| account.email.to_lowercase() == label).map(|(index, ..)| index)
    }

    /// Replaces the known members of the account with this label, or appends a new account.
    pub fn put(&mut self, account: &FileAccount) {
        match self.members_of(&account.email) {
            Ok(members) => entry::write(members, account),
            Err(_) => {
                let mut members = Members::default();
                entry::write(&mut members, account);
                self.entries.push(Entry::Account(members));
            }
        }
    }

    /// `activeEmail` is changed, too.
    pub fn rename(&mut self, label: &str, new: &str) -> Result<(), EditRefused> {
        let index = self.position(label).ok_or(EditRefused::NoSuchLabel)?;
        if self.position(new).is_some_and(|other| other != index) {
            return Err(EditRefused::LabelTaken);
        }
        if self.is_active(label) {
            self.set_active(Some(new));
        }
        self.members_of(label)?.set("email", new);
        self.reconsider();
        Ok(())
    }

    /// `activeEmail` is removed, too.
    pub fn remove(&mut self, label: &str) -> Result<(), EditRefused> {
        let index = self.position(label).ok_or(EditRefused::NoSuchLabel)?;
        if self.is_active(label) {
            self.set_active(None);
        }
        self.entries.remove(index);
        self.reconsider();
        Ok(())
    }

    pub fn set_active(&mut self, label: Option<&str>) {
        match label {
            Some(label) => self.members.set("activeEmail", label),
            None => self.members.remove("activeEmail"),
        }
    }

    pub fn set_credential(&mut self, label: &str, credential: &Credential) -> Result<(), EditRefused> {
        self.members_of(label).map(|members| entry::set_credential(members, credential))
    }

    pub fn set_linked(&mut self, label: &str, linked: bool) -> Result<(), EditRefused> {
        self.members_of(label).map(|members| entry::set_linked(members, linked))
    }

    /// `false` removes the member, as shape 2.3 does.
    pub fn set_needs_reauth(&mut self, label: &str, needed: bool) -> Result<(), EditRefused> {
        self.members_of(label).map(|members| entry::set_needs_reauth(members, needed))
    }

    /// `None` removes the member, as shape 2.3 does.
    pub fn set_quota_exhausted_until(&mut self, label: &str, until: Option<At>) -> Result<(), EditRefused> {
        self.members_of(label).map(|members| entry::set_optional_at(members, "quotaExhaustedUntil", until))
    }

    pub fn set_last_used(&mut self, label: &str, at: At) -> Result<(), EditRefused> {
        self.members_of(label).map(|members| entry::set_optional_at(members, "lastUsed", Some(at)))
    }

    /// Returns the text in shape 2.3: indented by 2 spaces, without a newline at the end, and with a `version`.
    pub fn to_json(&self) -> String {
        let mut versioned = self.clone();
        if !matches!(versioned.members.number("version"), Field::Present(version) if version >= VERSION as f64)
        {
            versioned.set_version();
        }
        versioned.as_it_is()
    }

    /// Returns the text without a version of ours, for comparing documents.
    pub(crate) fn as_it_is(&self) -> String {
        #[expect(
            clippy::expect_used,
            reason = "names are strings and values are JSON already, so nothing can fail"
        )]
        serde_json::to_string_pretty(self).expect("a document can be written")
    }

    fn set_version(&mut self) {
        if self.members.raw("version").is_none() {
            self.members.insert_before("accounts", "version");
        }
        self.members.set("version", VERSION);
    }

    fn is_active(&self, label: &str) -> bool {
        self.active_email().is_some_and(|active| active.to_lowercase() == label.to_lowercase())
    }

    /// A second entry of a label can be used once the first one is removed, here as for the next reader of the file.
    fn reconsider(&mut self) {
        let mut labels = self.accounts().map(|account| account.email.to_lowercase()).collect();
        for entry in &mut self.entries {
            if let Entry::Bad { raw, .. } = entry {
                *entry = Entry::new(raw.clone(), &mut labels);
            }
        }
    }

    fn usable(&self) -> impl Iterator<Item = (usize, FileAccount, Vec<&'static str>)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| match entry {
            Entry::Account(members) => {
                entry::read(members).ok().map(|(account, left_out)| (index, account, left_out))
            }
            Entry::Bad { .. } => None,
        })
    }

    fn members_of(&mut self, label: &str) -> Result<&mut Members, EditRefused> {
        let index = self.position(label).ok_or(EditRefused::NoSuchLabel)?;
        match self.entries.get_mut(index) {
            Some(Entry::Account(members)) => Ok(members),
            _ => Err(EditRefused::NoSuchLabel),
        }
    }
}

/// Returns the content of a new file.
impl Default for Document {
    fn default() -> Self {
        let mut document = Document { members: Members::default(), entries: Vec::new() };
        document.members.push_place("accounts".to_owned());
        document.set_version();
        document
    }
}

impl std::str::FromStr for Document {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

impl Entry {
    fn new(raw: Box<RawValue>, labels: &mut HashSet<String>) -> Entry {
        let Ok(members) = serde_json::from_str::<Members>(raw.get()) else {
            return Entry::Bad { raw, label: None, message: "it is not an object".to_owned() };
        };
        let label = match members.string("email") {
            Field::Present(label) => Some(label),
            _ => None,
        };
        let message = match entry::read(&members) {
            Ok((account, _)) => {
                if labels.insert(account.email.to_lowercase()) {
                    return Entry::Account(members);
                }
                "an earlier entry has the same `email`".to_owned()
            }
            Err(message) => message,
        };
        Entry::Bad { raw, label, message }
    }

    /// What an entry that is left out because of its label would be used with.
    fn login(&self) -> Option<(Members, FileAccount)> {
        let Entry::Bad { raw, .. } = self else { return None };
        let members = serde_json::from_str::<Members>(raw.get()).ok()?;
        let (account, _) = entry::read(&members).ok()?;
        Some((members, account))
    }

    /// Merges another record of the same login; returns false when it is a record of another login.
    fn fold(&mut self, (other_members, other): &(Members, FileAccount)) -> bool {
        let Entry::Account(members) = self else { return false };
        let Ok((account, _)) = entry::read(members) else { return false };
        let is_same_login = account.email.to_lowercase() == other.email.to_lowercase()
            && account.account_id.is_some()
            && account.account_id == other.account_id;
        if !is_same_login {
            return false;
        }
        if other.expires_at > account.expires_at {
            *members = other_members.clone();
        }
        if account.linked || other.linked {
            entry::set_linked(members, true);
        }
        true
    }
}

/// If two entries have one label and one workspace, the credential that lives longer is kept in the place of the first.
/// The other one is its predecessor, and sending it would end the login. The file itself changes with the next edit.
fn read_entries(raw: Vec<Box<RawValue>>) -> Vec<Entry> {
    let mut labels = HashSet::with_capacity(raw.len());
    let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
    for raw in raw {
        let entry = Entry::new(raw, &mut labels);
        let is_folded =
            entry.login().is_some_and(|login| entries.iter_mut().any(|earlier| earlier.fold(&login)));
        if !is_folded {
            entries.push(entry);
        }
    }
    entries
}

/// Shows no values, because they are tokens.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Account(members) => members.fmt(f),
            Entry::Bad { message, .. } => f.debug_tuple("Bad").field(message).finish(),
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Entry::Account(members) => members.serialize(serializer),
            Entry::Bad { raw, .. } => raw.serialize(serializer),
        }
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in self.members.iter() {
            match name {
                "accounts" => map.serialize_entry(name, &self.entries)?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct File;

        impl<'de> Visitor<'de> for File {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one list of `accounts`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
                let mut members = Members::default();
                let mut accounts: Option<Vec<Box<RawValue>>> = None;
                while let Some(name) = map.next_key::<String>()? {
                    if name != "accounts" {
                        members.push(name, map.next_value()?);
                    } else if accounts.is_none() {
                        accounts = Some(map.next_value()?);
                        members.push_place(name);
                    } else {
                        return Err(A::Error::duplicate_field("accounts"));
                    }
                }
                let raw = accounts.ok_or_else(|| A::Error::missing_field("accounts"))?;
                Ok(Document { members, entries: read_entries(raw) })
            }
        }

        deserializer.deserialize_map(File)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
