//! Accounts, their files, settings, usage, history and `verify`.

pub mod file_flags;
pub mod history;
pub mod settings;
pub mod shared_files;
pub mod usage;
pub mod usage_polls;
pub mod verify;
