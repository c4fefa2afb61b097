//! The files of the agent directory that are shared with pi and its extensions.

pub(crate) mod accounts;
pub(crate) mod auth;
pub(crate) mod document;
pub(crate) mod entry;
pub(crate) mod login_file;
pub(crate) mod members;
pub(crate) mod settings;
