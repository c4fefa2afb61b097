//! The files: where they are, how they are read without trust, and how they are changed without loss.
//!
//! Everything here blocks and belongs inside `tokio::task::spawn_blocking`. Every change has this order: take the
//! file's lock, read the file again, apply the change, replace the file in one step, free the lock. Nothing here
//! decides what an account may do; the content of a file is returned as plain values of `pool`.

mod error;
pub(crate) mod file;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod paths;
pub(crate) mod pi;
pub(crate) mod state;
#[cfg(test)]
mod testing;

pub use error::StorageError;
pub use file::atomic::write_atomically;
pub use file::inspect::{files_ending_in, inspect_lock, inspect_writable};
pub use file::lock::{LOCK_DEADLINE, LockGuard};
pub use file::permissions::{PermissionFinding, examine, make_private_dir, narrow, open_log};
pub use file::probe::rehearse_replacement;
pub use file::proper_lockfile::{LockDirectory, LockInspection};
pub use paths::{PathError, PathOptions, Paths, ProcessEnv};
pub use pi::accounts::{AccountsFile, Loaded};
pub use pi::auth::{AuthFile, LinkedCredential, NoReading};
pub use pi::document::{Document, EditRefused};
pub use pi::entry::{EntryProblem, FileAccount};
pub use pi::login_file::{ForeignLogin, NoForeignLogin, read_foreign_login};
pub use pi::settings::{SettingProblem, Settings, SettingsFile, setting_json, setting_value};
pub use state::gateway_file::{GatewayFile, GatewayRecord, GatewayStamp};
pub use state::history::{HistoryFile, HistoryReading};
pub use state::imports::ImportsFile;
pub use state::polls::PollLogFile;
pub use state::refresh_journal::{LedgerReading, RefreshJournal, RefreshLane};
pub use state::reset_journal::{ResetJournal, ResetLane};
pub use state::state_file::{LoadedState, STATE_FILE, SavedAccount, SavedSession, SavedState, StateFile};
