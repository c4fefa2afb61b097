//! `codex-accounts.json`, shared with the pi-multicodex extension (files.md). Every change is: lock, read again, apply,
//! write a new file, rename; what does not parse is never overwritten.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::StorageError;
use super::atomic::{make_private_dir, narrow, replace};
use super::document::{Document, EntryProblem, FileAccount, VERSION};
use super::lock::lock;
use super::raw_object::RawObject;

#[derive(Debug)]
pub struct AccountsFile {
    path: PathBuf,
    state_dir: PathBuf,
}

/// What the file says.
#[derive(Debug)]
pub struct Loaded {
    pub accounts: Vec<FileAccount>,
    pub active_email: Option<String>,
    pub problems: Vec<EntryProblem>,
    /// Of a version that this crate reads but does not write.
    pub read_only: bool,
    /// The permissions that were too wide and have been narrowed, as an octal mode.
    pub was_open: Option<u32>,
}

impl AccountsFile {
    pub fn new(path: PathBuf, state_dir: PathBuf) -> Self {
        AccountsFile { path, state_dir }
    }

    /// Reads the file; a missing one holds no accounts. Narrows permissions that let others in.
    pub fn load(&self) -> Result<Loaded, StorageError> {
        let was_open = narrow(&self.path)?;
        let document = self.read()?;
        let (accounts, problems) = document.accounts();
        Ok(Loaded {
            accounts,
            active_email: document.active(),
            problems,
            read_only: document.version() > VERSION,
            was_open,
        })
    }

    /// Applies `edit` to what the file holds now, and writes it when that changed anything.
    pub fn change<T>(&self, edit: impl FnOnce(&mut Document) -> T) -> Result<T, StorageError> {
        make_private_dir(&self.state_dir)?;
        if let Some(dir) = self.path.parent() {
            make_private_dir(dir)?;
        }
        let held = lock(&self.state_dir.join("codex-accounts.json.lock"))?;
        let mut document = self.read()?;
        if document.version() > VERSION {
            return Err(StorageError::Future { path: self.path.clone(), version: document.version() });
        }
        let result = edit(&mut document);
        if document.is_changed() {
            replace(&self.path, document.to_text().as_bytes(), &held)?;
        }
        Ok(result)
    }

    fn read(&self) -> Result<Document, StorageError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Document::new()),
            Err(error) => return Err(StorageError::io(&self.path)(error)),
        };
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let root: RawObject =
            serde_json::from_slice(text).map_err(|error| StorageError::corrupt(&self.path, &error))?;
        Document::read(root).map_err(|shape| StorageError::Corrupt {
            path: self.path.clone(),
            line: 1,
            column: 1,
            message: shape.0.to_owned(),
        })
    }
}
