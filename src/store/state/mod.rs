//! The sidecar's own files: cooldowns and usage, history, the refresh journal, import records, the poll log.

pub(crate) mod gateway_file;
pub(crate) mod history;
pub(crate) mod imports;
pub(crate) mod polls;
pub(crate) mod refresh_journal;
pub(crate) mod refresh_record;
pub(crate) mod reset_journal;
pub(crate) mod state_file;
