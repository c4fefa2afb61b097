//! How upstream is spoken to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which transport a completion asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A WebSocket when the completion has a session, else SSE.
    Auto,
    Sse,
    /// A WebSocket. Fails with `network` when none can be opened.
    WebSocket,
}

/// Which transport brought the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportUsed {
    Sse,
    WebSocket,
}

/// Why a turn over WebSocket sent the whole conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotContinued {
    /// The session had no socket yet.
    FirstTurn,
    /// A member of the request other than `input` is not as it was.
    MembersDiffer,
    /// `input` does not extend what was sent and received.
    HistoryDiffers,
    /// The headers are not those of the socket's handshake.
    HeadersDiffer,
    /// The session's socket was closed, or too old.
    NewSocket,
    /// The session's last turn was another account's.
    AccountChanged,
    /// Upstream did not know the previous response any more, or wanted a new socket.
    Refused,
}
