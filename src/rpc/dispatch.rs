//! Calls the methods of a jsonrpsee module, which jsonrpsee itself only does over HTTP and WebSocket.
//!
//! Each call is polled once in place, so that its changes happen in the order of arrival; only the waiting happens
//! elsewhere. A panic of a method becomes an error answer and does not end the connection.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jsonrpsee::core::traits::IdProvider;
use jsonrpsee::types::{Id, Params, SubscriptionId};
use jsonrpsee::{
    BoundedSubscriptions, ConnectionId, Extensions, MethodCallback, MethodResponse, MethodSink, Methods,
    SubscriptionState,
};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

use super::error::{Refusal, with_kind};
use super::in_flight::{Class, InFlight, Ticket};
use super::message::Call;
use super::outbox::Outbox;
use super::subscription::SubscriptionContext;

/// The methods of one connection.
#[derive(Debug)]
pub struct Dispatcher {
    methods: Methods,
    outbox: Outbox,
    in_flight: InFlight,
    subscriptions: BoundedSubscriptions,
    subscription_ids: SubscriptionIds,
    waiting_methods: &'static [&'static str],
}

/// The state of a request after its first poll.
#[derive(Debug)]
pub enum Outcome {
    Answered(Box<RawValue>),
    Waits(Pending),
}

/// A call whose answer takes longer.
pub struct Pending {
    call: BoxFuture<'static, MethodResponse>,
    id: Id<'static>,
    cancellable: bool,
    ticket: Ticket,
}

/// The kind of a request. A batch has one answer for all entries, and the notifications of a subscription cannot wait
/// for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Alone,
    InBatch,
}

impl Dispatcher {
    pub fn new(
        methods: Methods,
        outbox: Outbox,
        in_flight: InFlight,
        max_subscriptions: usize,
        waiting_methods: &'static [&'static str],
    ) -> Self {
        let subscriptions = BoundedSubscriptions::new(u32::try_from(max_subscriptions).unwrap_or(u32::MAX));
        let subscription_ids = SubscriptionIds::default();
        Self { methods, outbox, in_flight, subscriptions, subscription_ids, waiting_methods }
    }

    /// Begins a request.
    pub fn request(&self, call: Call<'_>, id: Id<'_>, place: Place) -> Outcome {
        let class =
            if self.waiting_methods.contains(&&*call.method) { Class::Waiting } else { Class::Counted };
        let begun = match self.in_flight.room_for(Some(&id), class) {
            Ok(()) => self.begin(&call, &id, place),
            Err(refusal) => Err(refusal),
        };
        match begun {
            Err(refusal) => Outcome::Answered(refusal.answer(&id)),
            Ok(Begun::Ended(response)) => Outcome::Answered(answer_in(response)),
            Ok(Begun::Waits { call, answer_queued }) => {
                let id = id.into_owned();
                let mut ticket = self.in_flight.enter(Some(id.clone()), class);
                let cancellable = answer_queued.is_none();
                if let Some(queued) = answer_queued {
                    ticket.announce_to(queued);
                }
                Outcome::Waits(Pending { call, id, cancellable, ticket })
            }
        }
    }

    /// Begins a call without an answer. The future, if any, is its remaining work.
    pub fn notification(&self, call: Call<'_>) -> Option<impl Future<Output = ()> + Send + use<>> {
        // A client could not know the id of a subscription without an answer.
        if matches!(self.methods.method(&call.method), None | Some(MethodCallback::Subscription(_))) {
            tracing::debug!(method = %call.method, "ignored a notification");
            return None;
        }
        if let Err(refusal) = self.in_flight.room_for(None, Class::Counted) {
            tracing::warn!(method = %call.method, reason = refusal.kind(), "dropped a notification");
            return None;
        }
        match self.begin(&call, &Id::Null, Place::Alone) {
            Ok(Begun::Waits { call, .. }) => {
                let ticket = self.in_flight.enter(None, Class::Counted);
                Some(async move {
                    // The panic hook has reported it, and there is no answer.
                    let _ = AssertUnwindSafe(call).catch_unwind().await;
                    drop(ticket);
                })
            }
            Ok(Begun::Ended(_)) | Err(_) => None,
        }
    }

    fn begin(&self, call: &Call<'_>, id: &Id<'_>, place: Place) -> Result<Begun, Refusal> {
        let method = self.methods.method(&call.method).ok_or(Refusal::MethodNotFound)?;
        let params = Params::new(call.params.map(RawValue::get));
        let (connection, max_response, extensions) = (ConnectionId(0), usize::MAX, Extensions::new());
        let first_poll = || match method {
            MethodCallback::Sync(method) => {
                Ok(Begun::Ended(method(id.clone(), params, max_response, extensions)))
            }
            MethodCallback::Unsubscription(method) => {
                Ok(Begun::Ended(method(id.clone(), params, connection, max_response, extensions)))
            }
            MethodCallback::Async(method) => {
                let (id, params) = (id.clone().into_owned(), params.into_owned());
                Ok(poll_once(method(id, params, connection, max_response, extensions), None))
            }
            MethodCallback::Subscription(_) if place == Place::InBatch => {
                Err(Refusal::InvalidRequest("A subscription cannot be part of a batch"))
            }
            MethodCallback::Subscription(method) => {
                let subscription_permit = self.subscriptions.acquire().ok_or(Refusal::Overloaded)?;
                let id_provider = &self.subscription_ids;
                let state = SubscriptionState { conn_id: connection, id_provider, subscription_permit };
                let (queued, answer_queued) = watch::channel(false);
                let mut extensions = extensions;
                extensions.insert(SubscriptionContext { outbox: self.outbox.clone(), answer_queued });
                // jsonrpsee also gives the answer to the sink. That copy is not used; the channel has room for exactly
                // it.
                let (sink, unread) = mpsc::channel(1);
                let accepted = method(id.clone(), params, MethodSink::new(sink), state, extensions);
                let answered = accepted.inspect(move |_| drop(unread)).boxed();
                Ok(poll_once(answered, Some(queued)))
            }
        };
        catch_unwind(AssertUnwindSafe(first_poll)).unwrap_or(Err(Refusal::Internal))
    }
}

enum Begun {
    Ended(MethodResponse),
    Waits {
        call: BoxFuture<'static, MethodResponse>,
        /// Set when the answer is in the queue; for a subscription, which waits for that.
        answer_queued: Option<watch::Sender<bool>>,
    },
}

fn poll_once(
    mut call: BoxFuture<'static, MethodResponse>,
    answer_queued: Option<watch::Sender<bool>>,
) -> Begun {
    match (&mut call).now_or_never() {
        Some(response) => Begun::Ended(response),
        None => Begun::Waits { call, answer_queued },
    }
}

/// Returns the message to send.
fn answer_in(response: MethodResponse) -> Box<RawValue> {
    let is_success = response.is_success();
    let (answer, on_answer, _) = response.into_parts();
    if let Some(on_answer) = on_answer {
        on_answer.notify(is_success);
    }
    if is_success { answer } else { with_kind(answer) }
}

impl Pending {
    /// Waits for the answer, or for the request to be cancelled. Keep the ticket until the answer is queued.
    pub async fn answer(self) -> (Box<RawValue>, Ticket) {
        let Self { call, id, cancellable, mut ticket } = self;
        let answer = tokio::select! {
            biased;
            response = AssertUnwindSafe(call).catch_unwind() => match response {
                Ok(response) => answer_in(response),
                Err(_panic) => Refusal::Internal.answer(&id),
            },
            () = ticket.cancelled(), if cancellable => Refusal::Cancelled.answer(&id),
        };
        ticket.answered();
        (answer, ticket)
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pending").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Numbers the subscriptions of a connection: "c1", "c2", …
#[derive(Debug, Default)]
struct SubscriptionIds(AtomicU64);

impl IdProvider for SubscriptionIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("c{}", self.0.fetch_add(1, Ordering::Relaxed) + 1).into())
    }
}
