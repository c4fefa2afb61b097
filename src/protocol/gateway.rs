//! `gateway/start` and `gateway/stop`: the same completions over HTTP on loopback, for programs that speak the Responses
//! API (`schema/gateway.md`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method, NoParams, lenient};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayStartParams {
    /// A free one when absent or 0.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub port: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStarted {
    /// Where it listens; `{url}/v1` is the base URL for SDKs.
    pub url: String,
    /// The program and its arguments that print the key.
    pub key_command: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayStopped {
    /// False when none ran.
    pub stopped: bool,
}

/// `gateway/start`
#[derive(Debug)]
pub struct GatewayStart;

impl Method for GatewayStart {
    const NAME: &'static str = "gateway/start";
    const SUMMARY: &'static str = "Serves the Responses API on loopback until `gateway/stop`, or until the sidecar ends. One that runs already is answered again.";
    const DESCRIPTION: &'static str = "`port` is -32602 when another program listens there. The gateway and its key are this sidecar's own; \
        `gateway.md` says what it serves.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = GatewayStartParams;
    type Result = GatewayStarted;
}

/// `gateway/stop`
#[derive(Debug)]
pub struct GatewayStop;

impl Method for GatewayStop {
    const NAME: &'static str = "gateway/stop";
    const SUMMARY: &'static str = "Ends the gateway of this sidecar, and what it is answering.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = NoParams;
    type Result = GatewayStopped;
}
