//! What was asked of the simulator, as tests and client authors read it. Bodies are kept as text; every token in it is
//! one of the simulator's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rule::Route;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// Milliseconds since the epoch, when the whole request had arrived.
    pub at_ms: i64,
    pub method: String,
    /// With its query.
    pub path: String,
    /// Absent for paths that are not simulated.
    pub route: Option<Route>,
    /// Whose bearer or refresh token it was; else who has the workspace that it names.
    pub account: Option<String>,
    /// Names in lower case; of several with one name the last.
    pub headers: BTreeMap<String, String>,
    /// Decoded from zstd or gzip.
    pub body: String,
    /// Absent while, or when, nothing is answered.
    pub status: Option<u16>,
    pub end: RequestEnd,
    /// Which request of this account to this route it was, from 1.
    pub n: u32,
    /// Only of a frame on a WebSocket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<LoggedFrame>,
}

/// How a request came over a WebSocket. Its `body` is the whole conversation, however little was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedFrame {
    /// Which socket, counted from 1.
    pub socket: u64,
    /// Of the payload.
    pub bytes: usize,
    /// It names the response before it.
    pub continued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// Being answered.
    Open,
    /// The whole answer was handed to the connection.
    Answered,
    /// The simulator broke off, as it was told to.
    Broken,
    /// The client went away first.
    Aborted,
}
