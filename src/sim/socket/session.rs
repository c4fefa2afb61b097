//! The life of one socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::time::{Instant, interval_at, sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frame::{Create, error_frame};
use super::history::{Answering, History};
use crate::clock;
use crate::sim::answer::Answer;
use crate::sim::behaviour::{Behaviour, Break};
use crate::sim::checks;
use crate::sim::connection::{Dropped, Link};
use crate::sim::dispatch::{Reply, behave};
use crate::sim::log::{LoggedFrame, RequestEnd};
use crate::sim::received::Received;
use crate::sim::rule::Route;
use crate::sim::server::Shared;
use crate::sim::state::{Tracked, Turn, begin};
use crate::sim::steps::Step;

/// Upstream accepts no larger frame.
const MAX_FRAME_BYTES: usize = 16 << 20;

/// A socket with an answered handshake.
#[derive(Debug)]
pub(in crate::sim) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) link: Link,
    pub(super) upgraded: OnUpgrade,
    pub(super) received: Received,
    pub(super) tracked: Tracked,
    pub(super) id: u64,
    /// Closes with this code right after the upgrade.
    pub(super) close_at_once: Option<u16>,
}

/// Why a session ended.
enum Over {
    /// The client closed, or is gone.
    Left,
    /// With a close frame.
    Close(u16),
    /// Without one.
    Cut,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Session {
    pub(in crate::sim) async fn run(self) {
        let Session { shared, link, upgraded, received, tracked, id, close_at_once } = self;
        let Ok(upgraded) = upgraded.await else { return };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_FRAME_BYTES))
            .max_frame_size(Some(MAX_FRAME_BYTES));
        let mut socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        let over = match close_at_once {
            Some(code) => Over::Close(code),
            None => {
                let mut open = Open {
                    shared,
                    link,
                    received,
                    id,
                    socket: &mut socket,
                    history: History::default(),
                    unanswered: 0,
                    has_served: false,
                };
                open.serve().await
            }
        };
        if let Over::Close(code) = over {
            let frame = CloseFrame { code: code.into(), reason: "".into() };
            if socket.send(Message::Close(Some(frame))).await.is_ok() {
                // The other side answers or leaves.
                let _ = tokio::time::timeout(Duration::from_secs(1), async {
                    while let Some(Ok(_)) = socket.next().await {}
                })
                .await;
            }
        }
        tracked.ended(if matches!(over, Over::Left) { RequestEnd::Aborted } else { RequestEnd::Broken });
    }
}

struct Open<'a> {
    shared: Arc<Shared>,
    link: Link,
    received: Received,
    id: u64,
    socket: &'a mut Socket,
    history: History,
    /// Pings without a pong.
    unanswered: u32,
    has_served: bool,
}

impl Open<'_> {
    async fn serve(&mut self) -> Over {
        let config = self.shared.config.clone();
        let limit = config.socket_limit_ms.map(|limit| Instant::now() + Duration::from_millis(limit));
        let every = Duration::from_millis(config.socket_ping_ms.unwrap_or(u64::MAX / 2).max(1));
        let mut pings = interval_at(Instant::now() + every.min(Duration::from_secs(86_400)), every);
        let mut orders = self.shared.socket_orders.subscribe();
        loop {
            tokio::select! {
                message = self.socket.next() => match self.heard(message).await {
                    Ok(()) => {}
                    Err(over) => return over,
                },
                _ = pings.tick() => {
                    if self.unanswered > 1 {
                        return Over::Close(1011);
                    }
                    self.unanswered += 1;
                    if self.socket.send(Message::Ping(Bytes::new())).await.is_err() {
                        return Over::Left;
                    }
                }
                ordered = orders.recv() => match ordered {
                    _ if !self.has_served => {}
                    Ok(Some(code)) => return Over::Close(code),
                    _ => return Over::Cut,
                },
                () = at(limit) => {
                    let frame = error_frame(&limit_reached(), clock::now());
                    let _ = self.socket.send(Message::text(frame)).await;
                    return Over::Close(1000);
                }
            }
        }
    }

    async fn heard(&mut self, message: Option<Result<Message, Error>>) -> Result<(), Over> {
        match message {
            Some(Ok(Message::Text(frame))) => self.frame(&frame).await,
            Some(Ok(Message::Pong(_))) => {
                self.unanswered = 0;
                Ok(())
            }
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(Over::Close(1003)),
            Some(Err(Error::Capacity(_))) => Err(Over::Close(1009)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Over::Left),
        }
    }

    /// One turn.
    async fn frame(&mut self, frame: &str) -> Result<(), Over> {
        let now = clock::now();
        self.has_served = true;
        let create = Create::read(frame, &self.history);
        let body = create.as_ref().map_or(frame, |create| &create.body);
        let logged = LoggedFrame {
            socket: self.id,
            bytes: frame.len(),
            continued: create.as_ref().is_ok_and(|create| create.continued),
        };
        let received = Received { method: "WS".to_owned(), body: body.to_owned(), ..self.received.clone() };
        let mut turn = begin(&self.shared, Some(Route::Responses), &received, now);
        turn.tracked.came_as(logged);
        let refused = match &create {
            Err(answer) => Some(answer.clone()),
            Ok(create) if create.warms => None,
            Ok(_) => checks::request(&received),
        };
        let reply = match refused {
            Some(answer) => Ok(Reply::Whole(answer)),
            None => self.reply(&received, &turn).await?,
        };
        let input = create.map(|create| create.input).unwrap_or_default();
        self.answer(reply, turn, input).await
    }

    /// Sends the answer; the client may leave meanwhile.
    async fn reply(&mut self, received: &Received, turn: &Turn) -> Result<Result<Reply, Dropped>, Over> {
        let behaving = behave(&self.shared, &self.link, Route::Responses, received, turn);
        tokio::pin!(behaving);
        loop {
            tokio::select! {
                reply = &mut behaving => return Ok(reply),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.unanswered = 0,
                    Some(Ok(Message::Text(_))) => return Err(Over::Close(1008)),
                    _ => return Err(Over::Left),
                },
            }
        }
    }

    async fn answer(
        &mut self,
        reply: Result<Reply, Dropped>,
        mut turn: Turn,
        input: Vec<Box<serde_json::value::RawValue>>,
    ) -> Result<(), Over> {
        match reply {
            Err(Dropped) => {
                turn.tracked.ended(RequestEnd::Broken);
                Err(Over::Cut)
            }
            Ok(Reply::Close(code)) => {
                turn.tracked.ended(RequestEnd::Broken);
                Err(Over::Close(code))
            }
            Ok(Reply::Whole(answer)) => {
                turn.tracked.answered_with(answer.status);
                let frame = match answer.status {
                    // What HTTP answers in one piece is a final event here.
                    200 => json!({ "type": "response.completed", "response": answer.body }).to_string(),
                    _ => error_frame(&answer, clock::now()),
                };
                self.send(&frame).await?;
                turn.tracked.ended(RequestEnd::Answered);
                Ok(())
            }
            Ok(Reply::Stream { plan, steps, .. }) => {
                turn.tracked.answered_with(200);
                let mut answering = self.history.begin(input);
                let played = self.play(&steps, plan.pace.first_ms, plan.pace.each_ms, &mut answering).await;
                match played {
                    Ok(true) => {
                        turn.tracked.ended(RequestEnd::Answered);
                        self.history.end(answering);
                        Ok(())
                    }
                    // A stream that ends without a final event closes the socket.
                    Ok(false) => {
                        turn.tracked.ended(RequestEnd::Answered);
                        Err(Over::Close(1000))
                    }
                    Err(over) => {
                        let left = matches!(over, Over::Left);
                        turn.tracked.ended(if left { RequestEnd::Aborted } else { RequestEnd::Broken });
                        Err(over)
                    }
                }
            }
            Ok(Reply::Rendered { .. } | Reply::Opened) => Err(Over::Close(1011)),
        }
    }

    /// Returns whether the response ended in a way that leaves the socket usable.
    async fn play(
        &mut self,
        steps: &[Step],
        first_ms: u64,
        each_ms: u64,
        answering: &mut Answering,
    ) -> Result<bool, Over> {
        let mut is_over = false;
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Event(data) => {
                    self.pause(if at == 0 { first_ms } else { each_ms }).await?;
                    answering.observe(data);
                    is_over |= ends(data);
                    self.send(data).await?;
                }
                Step::PauseMs(milliseconds) => self.pause(*milliseconds).await?,
                Step::CommentsEachMs(milliseconds) => loop {
                    self.pause(*milliseconds).await?;
                    self.socket.send(Message::Ping(Bytes::new())).await.map_err(|_| Over::Left)?;
                },
                Step::Close(code) => return Err(Over::Close(*code)),
                Step::Break(Break::Hang) => loop {
                    self.pause(60_000).await?;
                },
                Step::Break(Break::Cut) => return Err(Over::Cut),
                Step::Break(Break::Reset) => {
                    self.link.reset_when_dropped();
                    return Err(Over::Cut);
                }
            }
        }
        Ok(is_over)
    }

    async fn send(&mut self, text: &str) -> Result<(), Over> {
        self.socket.send(Message::text(text)).await.map_err(|_| Over::Left)
    }

    /// Waits, and notices when the client closes or sends something that is not allowed now.
    async fn pause(&mut self, milliseconds: u64) -> Result<(), Over> {
        if milliseconds == 0 {
            return Ok(());
        }
        let over = sleep(Duration::from_millis(milliseconds));
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.unanswered = 0,
                    // One response at a time.
                    Some(Ok(Message::Text(_))) => return Err(Over::Close(1008)),
                    _ => return Err(Over::Left),
                },
            }
        }
    }
}

/// Returns whether this event ends the response.
fn ends(event: &str) -> bool {
    let terminal = ["response.completed", "response.incomplete", "response.failed", "response.done", "error"];
    crate::sim::events::kind(event).is_some_and(|kind| terminal.contains(&kind.as_str()))
}

fn limit_reached() -> Answer {
    match Behaviour::row("websocket_connection_limit") {
        Some(Behaviour::Answer(answer)) => answer,
        _ => Answer::json(400, json!({})),
    }
}

async fn at(limit: Option<Instant>) {
    match limit {
        Some(limit) => sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
