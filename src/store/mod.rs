//! The files: where they are, how they are read, locked and replaced. Decides nothing about accounts, and never
//! overwrites what does not parse.

mod accounts_file;
mod atomic;
mod document;
mod error;
mod lock;
mod paths;
mod probe;
mod raw_object;
mod redeem_file;
mod redeem_record;
mod settings;
mod state;
mod state_record;

pub use accounts_file::{AccountsFile, Loaded};
pub use atomic::{make_private_dir, open_log};
pub use document::{Document, EntryProblem, FileAccount};
pub use error::StorageError;
pub use paths::{PathChoices, Paths, PathsError};
pub use probe::probe_writable;
pub use redeem_file::{LedgerReading, RedeemFile, RedeemLane};
pub use settings::Settings;
pub use state::{Chosen, SavedAccount, SavedState, StateFile, StateReading};
