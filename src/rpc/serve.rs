//! One connection from its first byte to its end: reads, answers, and ends within two seconds.
//!
//! It knows only the methods of the connection itself: `shutdown`, `exit`, `$/cancelRequest`.

use std::time::Duration;

use futures_util::future::join_all;
use jsonrpsee::Methods;
use jsonrpsee::types::Id;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::dispatch::{Dispatcher, Outcome, Pending, Place};
use super::error::Refusal;
use super::framing::{Decoder, Frame, Framing};
use super::in_flight::{InFlight, Ticket};
use super::message::{Call, Entry, Message, read, read_id};
use super::outbox::{Closed, Outbox};
use super::stdio::{Input, Output};
use super::writer::write_queue;

/// The limits of one connection.
#[derive(Debug, Clone)]
pub struct Config {
    /// How many requests may be unanswered; one more is answered with -32001.
    pub max_requests: usize,
    /// The largest message, without its framing.
    pub max_message_bytes: usize,
    /// Methods whose purpose is to wait; they do not count towards `max_requests`.
    pub uncounted: &'static [&'static str],
}

impl Default for Config {
    fn default() -> Self {
        Self { max_requests: 1024, max_message_bytes: 64 * 1024 * 1024, uncounted: &[] }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The client closed our input.
    Eof,
    /// The client sent `exit`.
    Exit { after_shutdown: bool },
    /// The client does not read our output any more.
    OutputClosed,
    /// A header block without a length: no later message can be found.
    FramingLost,
    /// The process was asked to end, or its parent has ended.
    Signalled,
}

impl Ended {
    /// 0 when the client ended the connection in order.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Eof | Self::Signalled | Self::Exit { after_shutdown: true } => 0,
            Self::OutputClosed | Self::FramingLost | Self::Exit { after_shutdown: false } => 1,
        }
    }
}

/// After the end, requests that are almost done may still be answered for this long.
const ANSWER_FOR: Duration = Duration::from_millis(700);
/// Then they are cancelled, and their answers are queued, until this long after the end.
const CANCEL_FOR: Duration = Duration::from_millis(900);
/// Then `on_end` runs, until this long after the end.
const CLEAN_UP_FOR: Duration = Duration::from_millis(1500);
/// Then queued messages are written, until this long after the end. The process has two seconds in all.
const WRITE_FOR: Duration = Duration::from_millis(1750);

/// Serves one connection until it ends, which takes less than two seconds from its cause.
///
/// `build` is called before the first byte is read; `terminate` ends the connection from outside. `on_end` aborts what
/// runs and finishes what must be written: it is first polled when the connection has ended and its requests are
/// answered, while notifications are still sent, and it is dropped when its time is over.
pub async fn serve(
    input: Input,
    output: Output,
    config: Config,
    build: impl FnOnce(Outbox) -> Methods,
    terminate: impl Future<Output = ()>,
    on_end: impl Future<Output = ()>,
) -> Ended {
    let (framing, chosen_framing) = watch::channel(None);
    let (outbox, queue) = Outbox::new(chosen_framing.clone());
    let (stop_writing, stopped) = oneshot::channel();
    let mut writer = tokio::spawn(write_queue(output, queue, chosen_framing, stopped));
    let methods = build(outbox.clone());
    let in_flight = InFlight::new(config.max_requests);
    let mut connection = Connection {
        dispatcher: Dispatcher::new(
            methods,
            outbox.clone(),
            in_flight.clone(),
            config.max_requests,
            config.uncounted,
        ),
        in_flight,
        outbox: outbox.clone(),
        unsent: None,
        framing,
        tasks: JoinSet::new(),
        shut_down: false,
        exit: false,
        began: false,
    };
    let ended = tokio::select! {
        biased;
        () = terminate => Ended::Signalled,
        ended = connection.read_until_end(input, Decoder::new(config.max_message_bytes)) => ended,
        // Checked last: an `exit` that arrived counts as `exit`, even if its sender does not read any more.
        () = outbox.closed() => Ended::OutputClosed,
    };
    tracing::debug!(?ended, "the connection ended");
    let began = Instant::now();
    if ended != Ended::OutputClosed {
        connection.answer_the_rest(began + ANSWER_FOR, began + CANCEL_FOR).await;
    }
    if timeout_at(began + CLEAN_UP_FOR, on_end).await.is_err() {
        tracing::warn!("the clean-up took too long");
    }
    // Subscriptions hold senders, so the queue would not end by itself.
    let _ = stop_writing.send(());
    drop(connection);
    match timeout_at(began + WRITE_FOR, &mut writer).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::debug!(%error, "the output is closed"),
        Ok(Err(error)) => tracing::error!(%error, "the writer failed"),
        Err(_) => {
            tracing::warn!("the client did not read the last messages");
            writer.abort();
        }
    }
    ended
}

struct Connection {
    dispatcher: Dispatcher,
    in_flight: InFlight,
    outbox: Outbox,
    /// An answer that waits for a place in the queue. It is here, not in a future, so that it survives when reading is
    /// interrupted.
    unsent: Option<Box<RawValue>>,
    framing: watch::Sender<Option<Framing>>,
    tasks: JoinSet<()>,
    shut_down: bool,
    exit: bool,
    /// Whether a message began work that goes on.
    began: bool,
}

/// The effect of one entry of a message.
enum Step {
    Nothing,
    Answer(Box<RawValue>),
    Wait(Pending),
}

impl Step {
    async fn settle(self) -> (Option<Box<RawValue>>, Option<Ticket>) {
        match self {
            Self::Nothing => (None, None),
            Self::Answer(answer) => (Some(answer), None),
            Self::Wait(pending) => {
                let (answer, ticket) = pending.answer().await;
                (Some(answer), Some(ticket))
            }
        }
    }
}

impl Connection {
    async fn read_until_end(&mut self, mut input: Input, mut decoder: Decoder) -> Ended {
        loop {
            let count = match input.read(decoder.spare()).await {
                Ok(count) => count,
                Err(error) => {
                    tracing::warn!(%error, "the input failed");
                    0
                }
            };
            if self.framing.borrow().is_none()
                && let Some(framing) = decoder.framing()
            {
                self.framing.send_replace(Some(framing));
            }
            // A client that does not read any more may still have sent something to do, e.g. an `exit`.
            let mut unheard = false;
            loop {
                let frame = if count == 0 { decoder.last_frame() } else { decoder.next_frame() };
                let Some(frame) = frame else { break };
                let lost = frame == Frame::Lost;
                unheard |= self.take(frame).await.is_err();
                if self.exit {
                    return Ended::Exit { after_shutdown: self.shut_down };
                }
                if lost {
                    return Ended::FramingLost;
                }
                if std::mem::take(&mut self.began) && !self.outbox.is_closed() {
                    // Work that began goes as far as it can before the next message is read. Of many completions
                    // requested at once the first ones are then answered early; otherwise all would be answered late.
                    tokio::task::yield_now().await;
                }
            }
            if unheard {
                return Ended::OutputClosed;
            }
            if count == 0 {
                return Ended::Eof;
            }
            // A client that sends without pause must not block the other tasks.
            tokio::task::coop::consume_budget().await;
        }
    }

    async fn take(&mut self, frame: Frame<'_>) -> Result<(), Closed> {
        let message = match frame {
            Frame::Message(bytes) => read(bytes),
            Frame::TooLarge => Message::Single(Entry::Refused(Refusal::TooLarge, Id::Null)),
            Frame::Truncated | Frame::Lost => Message::Single(Entry::Refused(Refusal::Parse, Id::Null)),
        };
        while self.tasks.try_join_next().is_some() {}
        match message {
            Message::Single(entry) => match self.step(entry, Place::Alone) {
                Step::Nothing => Ok(()),
                Step::Answer(answer) => self.send(answer).await,
                Step::Wait(pending) => {
                    let outbox = self.outbox.clone();
                    self.tasks.spawn(async move {
                        let (answer, ticket) = pending.answer().await;
                        // A failure means that there is no client to answer.
                        if outbox.send(answer).await.is_ok() {
                            ticket.queued();
                        }
                    });
                    Ok(())
                }
            },
            Message::Batch(entries) => self.take_batch(entries).await,
        }
    }

    async fn take_batch(&mut self, entries: Vec<Entry<'_>>) -> Result<(), Closed> {
        let steps: Vec<Step> = entries
            .into_iter()
            .map(|entry| self.step(entry, Place::InBatch))
            .filter(|step| !matches!(step, Step::Nothing))
            .collect();
        if steps.is_empty() {
            return Ok(());
        }
        if !steps.iter().any(|step| matches!(step, Step::Wait(_))) {
            let answers = steps.into_iter().filter_map(|step| match step {
                Step::Answer(answer) => Some(answer),
                Step::Nothing | Step::Wait(_) => None,
            });
            return self.send(array(answers)).await;
        }
        let outbox = self.outbox.clone();
        self.tasks.spawn(async move {
            let answered = join_all(steps.into_iter().map(Step::settle));
            let (answers, _tickets): (Vec<_>, Vec<_>) = answered.await.into_iter().unzip();
            let _ = outbox.send(array(answers.into_iter().flatten())).await;
        });
        Ok(())
    }

    fn step(&mut self, entry: Entry<'_>, place: Place) -> Step {
        match entry {
            Entry::Response => Step::Nothing,
            Entry::Refused(refusal, id) => Step::Answer(refusal.answer(&id)),
            Entry::Notification(call) => {
                if !self.of_the_connection(&call)
                    && !self.shut_down
                    && let Some(rest) = self.dispatcher.notification(call)
                {
                    self.tasks.spawn(rest);
                }
                Step::Nothing
            }
            Entry::Request(call, id) => {
                if self.shut_down && call.method != "exit" {
                    let refusal = Refusal::InvalidRequest("The server has been shut down");
                    return Step::Answer(refusal.answer(&id));
                }
                if self.of_the_connection(&call) {
                    return Step::Answer(null_answer(&id));
                }
                match self.dispatcher.request(call, id, place) {
                    Outcome::Answered(answer) => Step::Answer(answer),
                    Outcome::Waits(pending) => {
                        self.began = true;
                        Step::Wait(pending)
                    }
                }
            }
        }
    }

    /// Executes a call about the connection itself. Returns whether it was one.
    fn of_the_connection(&mut self, call: &Call<'_>) -> bool {
        #[derive(Deserialize)]
        struct Cancel<'a> {
            #[serde(borrow)]
            id: &'a RawValue,
        }
        match &*call.method {
            "shutdown" => self.shut_down = true,
            "exit" => self.exit = true,
            "$/cancelRequest" => {
                let cancel =
                    call.params.and_then(|params| serde_json::from_str::<Cancel<'_>>(params.get()).ok());
                if let Some(id) = cancel.and_then(|cancel| read_id(cancel.id)) {
                    self.in_flight.cancel(&id);
                }
            }
            _ => return false,
        }
        true
    }

    async fn send(&mut self, answer: Box<RawValue>) -> Result<(), Closed> {
        self.unsent = Some(answer);
        self.outbox.send_from(&mut self.unsent).await
    }

    /// Every request gets its answer: those that only wait are cancelled at once, the others at `cancel_at`.
    async fn answer_the_rest(&mut self, cancel_at: Instant, give_up_at: Instant) {
        let _ = timeout_at(give_up_at, self.outbox.send_from(&mut self.unsent)).await;
        self.in_flight.cancel_waiting();
        if timeout_at(cancel_at, all_ended(&mut self.tasks)).await.is_err() {
            self.in_flight.cancel_all();
            let _ = timeout_at(give_up_at, all_ended(&mut self.tasks)).await;
        }
    }
}

async fn all_ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

fn null_answer(id: &Id<'_>) -> Box<RawValue> {
    let payload = jsonrpsee::ResponsePayload::success(());
    jsonrpsee::MethodResponse::response(id.clone(), payload, usize::MAX).into_json()
}

/// Returns one JSON array of answers that are already JSON.
fn array(answers: impl Iterator<Item = Box<RawValue>>) -> Box<RawValue> {
    let mut text = String::from("[");
    for answer in answers {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(answer.get());
    }
    text.push(']');
    #[expect(clippy::expect_used, reason = "JSON texts between commas and brackets are JSON")]
    RawValue::from_string(text).expect("an array of JSON texts")
}
