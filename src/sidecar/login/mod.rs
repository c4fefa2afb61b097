//! Logins: a person grants access in a browser or with a device code.

pub(crate) mod logins;
pub(crate) mod sign_in;
