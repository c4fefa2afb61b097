//! The requests to the simulator, for tests and client authors. Bodies are kept as text; every token in them was issued
//! by the simulator.

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
    /// The owner of the bearer or refresh token; otherwise of the workspace that it names.
    pub account: Option<String>,
    /// Names in lower case. Of several headers with one name, the last.
    pub headers: BTreeMap<String, String>,
    /// Decoded from zstd or gzip.
    pub body: String,
    /// Absent while the request is not answered.
    pub status: Option<u16>,
    pub end: RequestEnd,
    /// The number of this account's request to this route, from 1.
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
    /// The simulator broke off, as its rule said.
    Broken,
    /// The client went away first.
    Aborted,
}
