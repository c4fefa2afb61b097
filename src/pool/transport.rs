//! The transport to upstream: the setting of clients and users, and what one attempt sent.

/// The setting of a client or the user.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantNames,
)]
#[strum(serialize_all = "lowercase")]
pub enum Transport {
    /// A WebSocket when the completion has a session, else SSE.
    Auto,
    #[default]
    Sse,
    /// A WebSocket, or an error.
    WebSocket,
}

impl Transport {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The transport of a request.
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
    /// Only the new part of the conversation was sent.
    pub continued: bool,
    /// The size of the frame, or of the body as it was sent.
    pub bytes: u64,
    /// How much longer the whole frame would have been.
    pub saved_bytes: u64,
}
