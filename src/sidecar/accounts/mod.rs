//! The accounts in memory and what keeps them in step with the files: loading, saving, the user's choices and settings.

pub(crate) mod choices;
pub(crate) mod load;
pub(crate) mod persist;
pub(crate) mod settings;
