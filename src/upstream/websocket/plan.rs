//! How the turns of one completion are sent: connect, reuse a socket, continue, retire, fall back to SSE. It sends
//! nothing and does not wait: ask, do what it says, report the result, ask again.

use super::conversation::Continuation;
use super::not_continued::NotContinued;
use crate::pool::{Transport, TransportUsed};

/// Larger frames use SSE; upstream closes the socket at 16 MiB.
pub const MAX_FRAME_BYTES: usize = 15 << 20;

/// What a frame has besides the body.
const FRAME_OVERHEAD: usize = 128;

/// The transport of a completion's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportReport {
    pub used: TransportUsed,
    pub sent_bytes: usize,
    /// How much longer the whole frame would have been; 0 when it was sent.
    pub saved_bytes: usize,
    pub continued: bool,
    /// Only over WebSocket.
    pub not_continued: Option<NotContinued>,
}

/// How a socket was lost, or why it was given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    #[error("upstream does not know the previous response")]
    PreviousNotFound,
    #[error("the WebSocket has reached its time limit")]
    ConnectionLimit,
    /// `heard` says whether any event came before.
    #[error("the WebSocket was closed{}", .code.map_or(String::new(), |code| format!(" ({code})")))]
    Closed { code: Option<u16>, heard: bool },
    /// Output came before the response began, so it may belong to an earlier turn.
    #[error("the WebSocket brought an event of another response")]
    Foreign,
}

/// What follows from a loss before output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The attempt failed.
    No,
    /// The same account is asked again, with the whole body.
    FreshSocket,
    Sse,
}

/// The sockets for a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No socket, or none that may be used again.
    Nothing(NotContinued),
    /// It answers another completion, or is being opened for one.
    Busy,
    /// No more sockets may be kept.
    Full,
    Idle(Result<Continuation, NotContinued>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    Sse,
    /// The frame is too large, and only a WebSocket is allowed.
    TooLarge,
    /// A new socket, kept for the session's next turn or not.
    Connect {
        kept: bool,
        why: NotContinued,
    },
    Reuse(Result<Continuation, NotContinued>),
}

/// What the upgrade returned instead of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSocket {
    Answered {
        status: u16,
        /// JSON, as upstream refuses; a proxy answers with a page.
        is_json: bool,
    },
    /// No answer in time, no connection, or an answer that is not an upgrade.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterUpgrade {
    /// It means what the same HTTP answer means.
    Classify,
    Sse,
    /// Only a WebSocket is allowed.
    Failed,
}

/// The transports of one completion.
#[derive(Clone, Debug)]
pub struct TurnPlan {
    wanted: Transport,
    session: Option<String>,
    /// For the rest of this completion.
    by_sse: bool,
    /// The one repeat on a new socket; each account has its own.
    fresh_spent: bool,
    /// Why the next turn takes a new socket in any case.
    fresh: Option<NotContinued>,
    current: Option<Current>,
    /// No socket could be opened. An answer over SSE will show whether that is about WebSockets.
    pub suspects_websockets: bool,
    report: Option<TransportReport>,
}

/// The turn in progress.
#[derive(Clone, Copy, Debug)]
struct Current {
    reused: bool,
    continued: bool,
}

impl TurnPlan {
    /// `session` is the key of the session, by which sockets are kept.
    pub fn new(wanted: Transport, session: Option<&str>) -> Self {
        TurnPlan {
            wanted,
            session: session.map(str::to_owned),
            by_sse: false,
            fresh_spent: false,
            fresh: None,
            current: None,
            suspects_websockets: false,
            report: None,
        }
    }

    /// Returns whether a WebSocket may be used at all.
    pub fn may_use_socket(&self) -> bool {
        match self.wanted {
            Transport::Sse => false,
            Transport::Auto => self.session.is_some() && !self.by_sse,
            Transport::WebSocket => true,
        }
    }

    /// No frame can carry the body. Returns whether SSE is allowed.
    pub fn cannot_be_framed(&mut self) -> bool {
        self.by_sse = self.wanted != Transport::WebSocket;
        self.by_sse
    }

    /// Another account takes over, with its own socket.
    pub fn next_account(&mut self) {
        self.fresh_spent = false;
        self.fresh = None;
        self.current = None;
    }

    /// Returns how the request in progress, or the last one, was sent.
    pub fn report(&self) -> Option<TransportReport> {
        self.report
    }

    pub fn sent(&mut self, report: TransportReport) {
        self.report = Some(report);
    }

    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// `continues_by_itself`: the client names a previous response. `paused`: WebSockets are not worth trying.
    pub fn begin(
        &mut self,
        body_bytes: usize,
        continues_by_itself: bool,
        paused: bool,
        found: Found,
    ) -> Begin {
        self.current = None;
        let only_socket = self.wanted == Transport::WebSocket;
        if !self.may_use_socket() || (paused && !only_socket) {
            return self.begin_sse();
        }
        let skipped = match &found {
            Found::Idle(Ok(continuation)) if self.fresh.is_none() => continuation.skipped_bytes,
            _ => 0,
        };
        if body_bytes.saturating_sub(skipped) + FRAME_OVERHEAD > MAX_FRAME_BYTES {
            return if only_socket { Begin::TooLarge } else { self.begin_sse() };
        }
        let fresh = self.fresh.take();
        let begin = match found {
            _ if continues_by_itself || self.session.is_none() => {
                Begin::Connect { kept: false, why: fresh.unwrap_or(NotContinued::FirstTurn) }
            }
            Found::Busy | Found::Full if only_socket => {
                Begin::Connect { kept: false, why: fresh.unwrap_or(NotContinued::NewSocket) }
            }
            Found::Busy | Found::Full => return self.begin_sse(),
            Found::Nothing(why) => Begin::Connect { kept: true, why: fresh.unwrap_or(why) },
            Found::Idle(continuation) => match fresh {
                Some(why) => Begin::Connect { kept: true, why },
                None => Begin::Reuse(continuation),
            },
        };
        self.current = Some(match &begin {
            Begin::Reuse(continuation) => Current { reused: true, continued: continuation.is_ok() },
            _ => Current { reused: false, continued: false },
        });
        begin
    }

    pub fn no_socket(&mut self, what: NoSocket) -> AfterUpgrade {
        self.current = None;
        match what {
            NoSocket::Answered { status: 401 | 402 | 403 | 429, .. } => AfterUpgrade::Classify,
            NoSocket::Answered { status: 500.., is_json: true } => AfterUpgrade::Classify,
            _ if self.wanted == Transport::WebSocket => AfterUpgrade::Failed,
            _ => {
                self.by_sse = true;
                self.suspects_websockets = true;
                AfterUpgrade::Sse
            }
        }
    }

    /// The turn was lost before any output was shown.
    pub fn lost(&mut self, loss: &Loss) -> Again {
        let Some(current) = self.current.take() else { return Again::No };
        match loss {
            Loss::PreviousNotFound if current.continued => {
                self.on_a_fresh_socket(NotContinued::Refused, Again::No)
            }
            Loss::PreviousNotFound => Again::No,
            Loss::ConnectionLimit => self.on_a_fresh_socket(NotContinued::Refused, Again::Sse),
            Loss::Closed { code: Some(1009), .. } => self.by_sse(),
            Loss::Closed { code: Some(1008), heard: false } if !current.reused => {
                self.on_a_fresh_socket(NotContinued::Refused, Again::Sse)
            }
            // Idle sockets die without notice.
            Loss::Closed { .. } | Loss::Foreign if current.reused => {
                self.on_a_fresh_socket(NotContinued::NewSocket, Again::No)
            }
            Loss::Closed { .. } | Loss::Foreign => Again::No,
        }
    }

    /// The body uses SSE for the rest of the completion, whichever account answers it.
    fn begin_sse(&mut self) -> Begin {
        self.by_sse = true;
        Begin::Sse
    }

    fn on_a_fresh_socket(&mut self, why: NotContinued, otherwise: Again) -> Again {
        if !self.fresh_spent {
            self.fresh_spent = true;
            self.fresh = Some(why);
            return Again::FreshSocket;
        }
        if otherwise == Again::Sse { self.by_sse() } else { otherwise }
    }

    fn by_sse(&mut self) -> Again {
        if self.wanted == Transport::WebSocket {
            return Again::No;
        }
        self.by_sse = true;
        Again::Sse
    }
}

#[cfg(test)]
mod tests;
