//! One socket and the task that owns it. The task reads while the socket lives, so that pings are answered and a close
//! is noticed between turns; during a turn it waits while the client does not read.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::event::{Event, NotJson};
use super::super::sse::{MAX_EVENT_BYTES, TooLarge};
use super::conversation::{Conversation, Ended, Recording};
use super::handshake::Connection;
use super::plan::Loss;

/// Upstream closes sockets that are idle for longer, without a close frame.
const IDLE: Duration = Duration::from_secs(5 * 60);
/// How long to tell the other side that the socket is closed.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many events may wait for the client.
const QUEUE: usize = 32;

/// What one turn returns.
#[derive(Debug)]
enum Incoming {
    Event(Event),
    /// A ping: upstream is still there.
    SignOfLife,
    Lost(SocketFault),
}

/// Why a turn ends without a terminal event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketFault {
    Lost(Loss),
    NotJson,
    TooLarge(TooLarge),
}

/// The events of one turn. Dropping it before its end closes the socket, which cancels the response.
#[derive(Debug)]
pub struct SocketTurn {
    incoming: mpsc::Receiver<Incoming>,
    /// The terminal event was returned.
    is_over: bool,
}

/// What a turn has ready.
#[derive(Debug)]
pub enum Heard {
    Event(Event),
    /// A message that is not an event shows that upstream is there.
    SignOfLife,
    Nothing,
}

/// The connection to a socket's task.
#[derive(Clone, Debug)]
pub struct Socket {
    orders: mpsc::Sender<Order>,
    state: Arc<Mutex<State>>,
}

/// The state of a socket.
#[derive(Debug)]
pub enum State {
    Idle { since: Instant, conversation: Option<Conversation> },
    Busy,
    Closed,
}

#[derive(Debug)]
struct Order {
    frame: String,
    recording: Recording,
    events: mpsc::Sender<Incoming>,
}

impl SocketTurn {
    /// Returns what was already read; `None` after the terminal event.
    pub fn at_hand(&mut self) -> Option<Result<Heard, SocketFault>> {
        match self.incoming.try_recv() {
            Ok(incoming) => Some(self.hear(Some(incoming))),
            Err(mpsc::error::TryRecvError::Empty) => Some(Ok(Heard::Nothing)),
            Err(mpsc::error::TryRecvError::Disconnected) if self.is_over => None,
            Err(mpsc::error::TryRecvError::Disconnected) => Some(self.hear(None)),
        }
    }

    /// Waits for the next event; `None` after the terminal event.
    pub async fn next(&mut self) -> Option<Result<Heard, SocketFault>> {
        match self.incoming.recv().await {
            None if self.is_over => None,
            incoming => Some(self.hear(incoming)),
        }
    }

    fn hear(&mut self, incoming: Option<Incoming>) -> Result<Heard, SocketFault> {
        match incoming {
            Some(Incoming::Event(event)) => {
                self.is_over = event.is_terminal();
                Ok(Heard::Event(event))
            }
            Some(Incoming::SignOfLife) => Ok(Heard::SignOfLife),
            Some(Incoming::Lost(fault)) => {
                self.is_over = true;
                Err(fault)
            }
            // The task had ended when the turn was requested.
            None => {
                self.is_over = true;
                Err(SocketFault::Lost(Loss::Closed { code: None, heard: false }))
            }
        }
    }
}

impl Socket {
    /// A socket that was just opened, and the future that must run for it. It is busy until its first turn ends.
    pub fn new<S: Connection>(
        stream: WebSocketStream<S>,
        kept: bool,
    ) -> (Socket, impl Future<Output = ()> + Send + use<S>) {
        let (orders, ordered) = mpsc::channel(1);
        let state = Arc::new(Mutex::new(State::Busy));
        let (sink, stream) = stream.split();
        let task = Task { sink, stream, state: state.clone(), kept, turns: 0 };
        (Socket { orders, state }, task.run(ordered))
    }

    /// Sends a frame on a socket that [`Socket::state`] says is idle, or that is new.
    pub fn begin(&self, frame: String, recording: Recording) -> SocketTurn {
        let (events, incoming) = mpsc::channel(QUEUE);
        // A task that has ended drops the request, and the turn sees its end.
        let _ = self.orders.try_send(Order { frame, recording, events });
        SocketTurn { incoming, is_over: false }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Task<S> {
    sink: SplitSink<WebSocketStream<S>, Message>,
    stream: SplitStream<WebSocketStream<S>>,
    state: Arc<Mutex<State>>,
    kept: bool,
    turns: u32,
}

/// The socket cannot be used any more.
struct Unusable;

impl<S: Connection> Task<S> {
    /// Runs until the socket is closed by either side, or the last [`Socket`] is dropped.
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = self.wait(&mut orders).await {
            if self.turn(order).await.is_err() {
                break;
            }
        }
        *lock(&self.state) = State::Closed;
        // A request that crossed the end is dropped with the receiver.
        drop(orders);
        let _ = timeout(FAREWELL, self.sink.close()).await;
    }

    /// Waits for the next turn. Messages between turns belong to no turn.
    async fn wait(&mut self, orders: &mut mpsc::Receiver<Order>) -> Option<Order> {
        let until = Instant::now() + IDLE;
        loop {
            tokio::select! {
                biased;
                order = orders.recv() => return order,
                message = self.stream.next() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return None,
                },
                () = sleep_until(until) => return None,
            }
        }
    }

    async fn turn(&mut self, order: Order) -> Result<(), Unusable> {
        self.turns += 1;
        let Order { frame, mut recording, events } = order;
        let (may_be_stale, kept) = (self.turns > 1, self.kept);
        let Task { sink, stream, state, .. } = self;
        let mut sending = pin!(sink.send(Message::text(frame)));
        let (mut sent, mut heard) = (false, false);
        loop {
            let message = tokio::select! {
                biased;
                () = events.closed() => return Err(Unusable),
                // What upstream sent before it stopped reading says more than the error.
                _ = &mut sending, if !sent => {
                    sent = true;
                    continue;
                }
                message = stream.next() => message,
            };
            let event = match read(message, heard) {
                Ok(Some(event)) => event,
                Ok(None) => {
                    // When the queue is full, the client has enough signs of activity.
                    let _ = events.try_send(Incoming::SignOfLife);
                    continue;
                }
                Err(fault) => return lost(&events, fault).await,
            };
            heard = true;
            let ended = recording.observe(&event);
            if may_be_stale && !recording.has_begun() && event.needs_a_response() {
                return lost(&events, SocketFault::Lost(Loss::Foreign)).await;
            }
            let Some(ended) = ended else {
                events.send(Incoming::Event(event)).await.map_err(|_| Unusable)?;
                continue;
            };
            // Before the client can answer the event with its next turn.
            let (next, usable) = match ended {
                Ended::Well(conversation) if kept => {
                    (State::Idle { since: Instant::now(), conversation }, Ok(()))
                }
                Ended::Well(_) | Ended::Badly => (State::Closed, Err(Unusable)),
            };
            *lock(state) = next;
            // Without a reader the terminal event is not needed, and the socket can be used as before.
            let _ = events.send(Incoming::Event(event)).await;
            return usable;
        }
    }
}

async fn lost(events: &mpsc::Sender<Incoming>, fault: SocketFault) -> Result<(), Unusable> {
    let _ = events.send(Incoming::Lost(fault)).await;
    Err(Unusable)
}

/// Returns the event of a message; `None` for one that only shows that upstream is there.
fn read(message: Option<Result<Message, Error>>, heard: bool) -> Result<Option<Event>, SocketFault> {
    let closed = |code| Err(SocketFault::Lost(Loss::Closed { code, heard }));
    let data = match message {
        Some(Ok(Message::Text(text))) => Bytes::from(text),
        Some(Ok(Message::Binary(data))) => data,
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return Ok(None),
        Some(Ok(Message::Close(frame))) => return closed(frame.map(|frame| frame.code.into())),
        Some(Err(Error::Capacity(_))) => return Err(SocketFault::TooLarge(TooLarge(MAX_EVENT_BYTES))),
        Some(Err(Error::Utf8(_))) => return Err(SocketFault::NotJson),
        Some(Err(_)) | None => return closed(None),
    };
    Event::read(data, b"").map_err(|NotJson| SocketFault::NotJson)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests;
