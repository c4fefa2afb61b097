//! How upstream is spoken to, as clients and users ask for it, and what one attempt sent.

/// What a client, or the user's settings, ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A WebSocket when the completion has a session, else SSE.
    Auto,
    #[default]
    Sse,
    /// A WebSocket, or failure.
    WebSocket,
}

impl Transport {
    pub const ALL: [Transport; 3] = [Transport::Auto, Transport::Sse, Transport::WebSocket];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Auto => "auto",
            Transport::Sse => "sse",
            Transport::WebSocket => "websocket",
        }
    }
}

/// What a request was sent over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportUsed {
    Sse,
    WebSocket,
}

impl TransportUsed {
    pub const ALL: [TransportUsed; 2] = [TransportUsed::Sse, TransportUsed::WebSocket];

    pub fn name(self) -> &'static str {
        match self {
            TransportUsed::Sse => "sse",
            TransportUsed::WebSocket => "websocket",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|used| used.name() == name)
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
