//! The files: where they lie, how they are read without trusting them, and how they are changed without losing anything.
//!
//! Everything here blocks and belongs inside `tokio::task::spawn_blocking`. The order of every change is: take the
//! file's lock, read it again, apply the change, replace the file in one step, let go. Nothing here decides what an
//! account may do; what a file says is handed on as plain values of `pool`.

mod accounts_file;
mod atomic;
mod auth_file;
mod codex_auth_file;
mod document;
mod entry;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod history_file;
mod imports_file;
mod lock;
mod lock_directory;
mod look;
mod members;
mod paths;
mod permissions;
mod probe;
mod reading;
mod redeem_file;
mod redeem_record;
mod settings;
mod state;
#[cfg(test)]
mod testing;
mod usage_asks_file;

pub use accounts_file::{AccountsFile, Loaded};
pub use atomic::write_atomically;
pub use auth_file::{AuthFile, LinkedCredential, NoReading};
pub use codex_auth_file::CodexLogin;
pub use document::{Document, EditRefused};
pub use entry::{EntryProblem, FileAccount};
pub use error::StorageError;
pub use history_file::{HistoryFile, HistoryReading};
pub use imports_file::ImportsFile;
pub use lock::{LOCK_DEADLINE, LockGuard};
pub use lock_directory::{LockDirectory, LockLook};
pub use look::{files_ending_in, look_locked, look_writable};
pub use paths::{PathError, PathOptions, Paths, Surroundings};
pub use permissions::{PermissionFinding, examine, make_private_dir, narrow, open_log};
pub use probe::probe_writable;
pub use redeem_file::{LedgerReading, RedeemFile, RedeemLane};
pub use settings::{SettingProblem, Settings, SettingsFile};
pub use state::{LoadedState, STATE_FILE, SavedAccount, SavedSession, SavedState, StateFile};
pub use usage_asks_file::UsageAsksFile;
