//! What a method is: a name, the types of its params and result, and a sentence for the schema.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One method of the protocol. The registration of handlers, the typed client and the schema all read these
/// constants and types, so that they cannot drift apart.
pub trait Method {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    type Params: DeserializeOwned + JsonSchema;
    type Result: Serialize + JsonSchema + Clone;
}

/// Params of methods that take none; members that a client sends all the same are ignored.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NoParams {}

/// `rpc.discover`
#[derive(Debug)]
pub struct RpcDiscover;

impl Method for RpcDiscover {
    const NAME: &'static str = "rpc.discover";
    const SUMMARY: &'static str = "The OpenRPC document of this protocol.";
    type Params = NoParams;
    type Result = serde_json::Value;
}
