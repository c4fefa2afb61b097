//! Notifications and warnings to the client.

pub(crate) mod clock_warning;
pub(crate) mod file_warnings;
pub(crate) mod notifier;
