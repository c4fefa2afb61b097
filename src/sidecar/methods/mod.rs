//! The functions of the remaining methods: parse, ask the owner of the state, answer.

pub(crate) mod accounts;
pub(crate) mod discover;
pub(crate) mod footer;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod initialize;
pub(crate) mod login;
pub(crate) mod paths;
pub(crate) mod refresh;
pub(crate) mod reset;
pub(crate) mod reset_credit;
mod reset_credit_words;
pub(crate) mod rotation;
pub(crate) mod status;
