//! The events of an answer, one by one, with a limit for silence. It returns the events and how the body ended; the
//! last event says whether the response is complete.

use std::time::Duration;

use bytes::Bytes;

use super::event::{Event, NotJson};
use super::idle_timeout::{Silent, with_idle_timeout};
use super::sse::{MAX_EVENT_BYTES, SseSplitter, TooLarge};
use super::websocket::{Heard, Loss, SocketFault, SocketTurn};
use crate::http::explain;
use crate::pool::{Failure, FailureKind, Source};

/// Dropping it aborts the request upstream.
#[derive(Debug)]
pub struct EventStream {
    body: Body,
    splitter: SseSplitter,
}

#[derive(Debug)]
enum Body {
    Reading(reqwest::Response),
    /// One event instead of a stream.
    Whole(Event),
    /// Events that need no splitting.
    Socket(SocketTurn),
    /// The rest of the splitter may be an event; after it comes this.
    Ended(Option<StreamFault>),
}

/// Why there is no further event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    #[error("the connection broke: {0}")]
    Interrupted(String),
    /// No byte arrived for this long; comments and parts of events count as activity.
    #[error("upstream was silent for {} s", .0.as_secs_f64())]
    Idle(Duration),
    #[error("upstream sent an event that is not JSON")]
    NotJson,
    #[error("{0}")]
    TooLarge(TooLarge),
    #[error("{0}")]
    Socket(Loss),
}

impl StreamFault {
    pub fn failure(&self) -> Failure {
        let kind = match self {
            StreamFault::Interrupted(_) | StreamFault::Socket(_) => FailureKind::StreamInterrupted,
            StreamFault::Idle(_) => FailureKind::IdleTimeout,
            StreamFault::NotJson | StreamFault::TooLarge(_) => FailureKind::UpstreamProtocol,
        };
        Failure::new(kind, Source::Transport, self.to_string())
    }
}

impl From<SocketFault> for StreamFault {
    fn from(fault: SocketFault) -> Self {
        match fault {
            SocketFault::Lost(loss) => StreamFault::Socket(loss),
            SocketFault::NotJson => StreamFault::NotJson,
            SocketFault::TooLarge(too_large) => StreamFault::TooLarge(too_large),
        }
    }
}

impl EventStream {
    /// `begun` is the part of the body that was already read.
    pub(super) fn reading(begun: Bytes, response: reqwest::Response) -> Self {
        let mut splitter = SseSplitter::new(MAX_EVENT_BYTES);
        splitter.feed(begun);
        EventStream { body: Body::Reading(response), splitter }
    }

    pub(super) fn of_socket(turn: SocketTurn) -> Self {
        EventStream { body: Body::Socket(turn), splitter: SseSplitter::new(MAX_EVENT_BYTES) }
    }

    pub(super) fn whole(event: Event) -> Self {
        EventStream { body: Body::Whole(event), splitter: SseSplitter::new(MAX_EVENT_BYTES) }
    }

    /// Returns the next event; `None` when the body is over and complete. Without a terminal event before it the stream
    /// was cut. A fault ends the stream: after it comes `None`. Dropping the future loses nothing.
    pub async fn next(&mut self, idle: Duration) -> Result<Option<Event>, StreamFault> {
        loop {
            if let Some(event) = self.at_hand()? {
                return Ok(Some(event));
            }
            let ended = match &mut self.body {
                Body::Ended(fault) => return fault.take().map_or(Ok(None), Err),
                Body::Whole(_) => None,
                Body::Socket(turn) => match with_idle_timeout(idle, turn.next()).await {
                    Ok(Some(Ok(Heard::Event(event)))) => return Ok(Some(event)),
                    Ok(Some(Ok(Heard::SignOfLife | Heard::Nothing))) => continue,
                    Ok(Some(Err(fault))) => Some(fault.into()),
                    Ok(None) => None,
                    Err(Silent) => Some(StreamFault::Idle(idle)),
                },
                Body::Reading(response) => match with_idle_timeout(idle, response.chunk()).await {
                    Ok(Ok(Some(chunk))) => {
                        self.splitter.feed(chunk);
                        continue;
                    }
                    Ok(Ok(None)) => None,
                    Ok(Err(error)) => Some(StreamFault::Interrupted(explain(error))),
                    Err(Silent) => Some(StreamFault::Idle(idle)),
                },
            };
            if let Body::Whole(event) = std::mem::replace(&mut self.body, Body::Ended(ended)) {
                return Ok(Some(event));
            }
            if let Some(event) = self.last_event() {
                return Ok(Some(event));
            }
        }
    }

    /// Returns the next event of the bytes that were already read; `None` when it must be awaited.
    pub fn at_hand(&mut self) -> Result<Option<Event>, StreamFault> {
        if let Body::Socket(turn) = &mut self.body {
            return match turn.at_hand() {
                Some(Ok(Heard::Event(event))) => Ok(Some(event)),
                Some(Ok(Heard::SignOfLife | Heard::Nothing)) | None => Ok(None),
                Some(Err(fault)) => {
                    self.body = Body::Ended(None);
                    Err(fault.into())
                }
            };
        }
        let outcome = loop {
            match self.splitter.next_event() {
                Ok(None) => return Ok(None),
                Ok(Some(data)) => match Event::read(data, self.splitter.last_name()) {
                    Ok(Some(event)) => return Ok(Some(event)),
                    Ok(None) => {}
                    Err(NotJson) => break StreamFault::NotJson,
                },
                Err(too_large) => break StreamFault::TooLarge(too_large),
            }
        };
        // The connection and the bytes read from it are not needed any more.
        *self = EventStream { body: Body::Ended(None), splitter: SseSplitter::new(MAX_EVENT_BYTES) };
        Err(outcome)
    }

    /// Some servers leave out the last blank line. If the data is not JSON, it was cut, and the end of the stream shows
    /// that.
    fn last_event(&mut self) -> Option<Event> {
        let rest: Bytes = self.splitter.finish().ok().flatten()?;
        Event::read(rest, self.splitter.last_name()).ok().flatten()
    }
}
