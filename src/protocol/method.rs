//! What a method is: a name, a sentence for the schema, its errors, and the types of its params and result.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ErrorKind;

/// One method of the protocol. The registration of handlers, the typed client and the schema all read these
/// constants and types, so that they cannot drift apart.
pub trait Method {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    /// What a client author needs to know beyond the summary, in Markdown; empty when there is nothing.
    const DESCRIPTION: &'static str = "";
    /// The kinds of error of this method, besides those that every request can meet ([`ErrorKind::is_common`]).
    const ERRORS: &'static [ErrorKind];
    type Params: DeserializeOwned + JsonSchema;
    type Result: Serialize + JsonSchema + Clone;
}

/// Params of methods without params. Members that a client sends are ignored.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NoParams {}

/// `rpc.discover`
#[derive(Debug)]
pub struct RpcDiscover;

impl Method for RpcDiscover {
    const NAME: &'static str = "rpc.discover";
    const SUMMARY: &'static str = "The OpenRPC document of this protocol, the content of `openrpc.json`.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = NoParams;
    type Result = serde_json::Value;
}
