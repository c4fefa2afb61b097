//! `initialize` and `paths`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lenient;
use super::{ErrorKind, LoginFlow, Method, NoParams};

/// The version of the protocol that this sidecar speaks.
pub const PROTOCOL_VERSION: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InitializeParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientInfo>,
    /// The version that the client was written for. The answer always holds the sidecar's own.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient::integer")]
    pub protocol_version: Option<u32>,
    /// Names of notifications that the sidecar does not send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_out_notifications: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClientInfo {
    /// Sent upstream as the `originator` and at the start of the User-Agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InitializeResult {
    pub server: ServerInfo,
    pub protocol_version: u32,
    pub capabilities: Capabilities,
    pub paths: Paths,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerInfo {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Capabilities {
    pub complete: CompleteCapability,
    pub login: LoginCapability,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CompleteCapability {
    /// The transports to upstream: `sse`, `websocket`.
    pub transports: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoginCapability {
    /// `browser` and `device`.
    pub flows: Vec<LoginFlow>,
}

/// The files this sidecar reads and writes, as absolute paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Paths {
    pub agent_dir: String,
    pub accounts_file: String,
    /// pi's auth.json.
    pub auth_file: String,
    pub settings_file: String,
    pub state_dir: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    pub codex_auth_file: String,
}

/// `initialize`
#[derive(Debug)]
pub struct Initialize;

impl Method for Initialize {
    const NAME: &'static str = "initialize";
    const SUMMARY: &'static str = "The handshake. Notifications are sent only after it.";
    const DESCRIPTION: &'static str = "\
        Send it first. Until then the sidecar sends no notification but those of `complete`; it keeps warnings \
        and sends them afterwards. A second `initialize` is refused with -32600. The answer always holds the \
        sidecar's own `protocolVersion`; how a client compares the two is in [Supervising the \
        sidecar](protocol.md#supervising-the-sidecar).";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::InvalidRequest];
    type Params = InitializeParams;
    type Result = InitializeResult;
}

/// `paths`
#[derive(Debug)]
pub struct ShowPaths;

impl Method for ShowPaths {
    const NAME: &'static str = "paths";
    const SUMMARY: &'static str = "The paths of the files that the sidecar reads and writes.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = NoParams;
    type Result = Paths;
}
