//! How upstream is spoken to, as clients and users ask for it, and what one attempt sent.

/// What a client, or the user's settings, ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Transport {
    /// A WebSocket when the completion has a session, else SSE.
    Auto,
    #[default]
    Sse,
    /// A WebSocket, or failure.
    WebSocket,
}

impl Transport {
    /// As users write it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a request was sent over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum TransportUsed {
    Sse,
    WebSocket,
}

impl TransportUsed {
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// What an attempt sent upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentRequest {
    pub transport: TransportUsed,
    /// Only what is new in the conversation was sent.
    pub continued: bool,
    /// Of the frame, or of the body as it went.
    pub bytes: u64,
    /// By how much the whole frame would have been longer.
    pub saved_bytes: u64,
}
