//! Calls the methods of a jsonrpsee module, which jsonrpsee itself only does over HTTP and WebSocket.
//!
//! Each call is polled once in place, so that what it changes is changed in arrival order; only the waiting
//! happens elsewhere. A panic of a method is an answer, not the end of the connection.

use std::future::poll_fn;
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

use super::error::{Refusal, with_kind};
use super::finished::{Finished, while_polled};
use super::in_flight::{Class, InFlight, Ticket};
use super::message::Call;

/// The methods of one connection.
#[derive(Debug)]
pub struct Dispatcher {
    methods: Methods,
    sink: MethodSink,
    in_flight: InFlight,
    subscriptions: BoundedSubscriptions,
    subscription_ids: SubscriptionIds,
    waiting_methods: &'static [&'static str],
}

/// What became of a request after its first poll.
#[derive(Debug)]
pub enum Outcome {
    Answered(Box<RawValue>),
    /// Answered through the sink by the subscription itself.
    AnsweredItself,
    Waits(Pending),
}

/// A call whose answer takes longer.
pub struct Pending {
    call: BoxFuture<'static, MethodResponse>,
    id: Id<'static>,
    cancellable: bool,
    ticket: Ticket,
}

/// Where a request stands. A batch has one answer for all, so nothing in it may answer through the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Alone,
    InBatch,
}

impl Dispatcher {
    pub fn new(
        methods: Methods,
        sink: MethodSink,
        in_flight: InFlight,
        max_subscriptions: usize,
        waiting_methods: &'static [&'static str],
    ) -> Self {
        let subscriptions = BoundedSubscriptions::new(u32::try_from(max_subscriptions).unwrap_or(u32::MAX));
        let subscription_ids = SubscriptionIds::default();
        Self { methods, sink, in_flight, subscriptions, subscription_ids, waiting_methods }
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
            Ok((Begun::Ended(response), finished)) => match answer_in(response, finished, &id) {
                Some(answer) => Outcome::Answered(answer),
                None => Outcome::AnsweredItself,
            },
            Ok((Begun::Waits { call, cancellable }, _)) => {
                let id = id.into_owned();
                let ticket = self.in_flight.enter(Some(id.clone()), class);
                Outcome::Waits(Pending { call, id, cancellable, ticket })
            }
        }
    }

    /// Begins a call without an answer. The future, if any, is what is left of it.
    pub fn notification(&self, call: Call<'_>) -> Option<impl Future<Output = ()> + Send + use<>> {
        // A subscription without an answer has no id that anyone could know.
        if matches!(self.methods.method(&call.method), None | Some(MethodCallback::Subscription(_))) {
            tracing::debug!(method = %call.method, "ignored a notification");
            return None;
        }
        if let Err(refusal) = self.in_flight.room_for(None, Class::Counted) {
            tracing::warn!(method = %call.method, reason = refusal.kind(), "dropped a notification");
            return None;
        }
        match self.begin(&call, &Id::Null, Place::Alone) {
            Ok((Begun::Waits { call, .. }, _)) => {
                let ticket = self.in_flight.enter(None, Class::Counted);
                Some(async move {
                    // The panic hook has reported it, and nobody waits for an answer.
                    let _ = AssertUnwindSafe(call).catch_unwind().await;
                    drop(ticket);
                })
            }
            Ok((Begun::Ended(_), _)) | Err(_) => None,
        }
    }

    fn begin(&self, call: &Call<'_>, id: &Id<'_>, place: Place) -> Result<(Begun, Finished), Refusal> {
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
                Ok(poll_once(method(id, params, connection, max_response, extensions), true))
            }
            MethodCallback::Subscription(_) if place == Place::InBatch => {
                Err(Refusal::InvalidRequest("A subscription cannot be part of a batch"))
            }
            MethodCallback::Subscription(method) => {
                let subscription_permit = self.subscriptions.acquire().ok_or(Refusal::Overloaded)?;
                let id_provider = &self.subscription_ids;
                let state = SubscriptionState { conn_id: connection, id_provider, subscription_permit };
                let accepted = method(id.clone(), params, self.sink.clone(), state, extensions);
                // The method's own task goes on to accept and answer whatever happens to this future.
                Ok(poll_once(accepted, false))
            }
        };
        let (begun, finished) = while_polled(|| catch_unwind(AssertUnwindSafe(first_poll)));
        Ok((begun.unwrap_or(Err(Refusal::Internal))?, finished))
    }
}

enum Begun {
    Ended(MethodResponse),
    Waits { call: BoxFuture<'static, MethodResponse>, cancellable: bool },
}

fn poll_once(mut call: BoxFuture<'static, MethodResponse>, cancellable: bool) -> Begun {
    match (&mut call).now_or_never() {
        Some(response) => Begun::Ended(response),
        None => Begun::Waits { call, cancellable },
    }
}

/// The message to send, unless the subscription has sent it through the sink already.
fn answer_in(response: MethodResponse, finished: Finished, id: &Id<'_>) -> Option<Box<RawValue>> {
    let (to_send, is_success) = (response.is_method_call(), response.is_success());
    let (answer, on_answer, _) = response.into_parts();
    if let Some(on_answer) = on_answer {
        on_answer.notify(is_success);
    }
    let finished_answer = || catch_unwind(AssertUnwindSafe(|| finished.answer(id)));
    to_send.then(|| match is_success {
        true => finished_answer().map_or_else(|_| Refusal::Internal.answer(id), |it| it.unwrap_or(answer)),
        false => with_kind(answer),
    })
}

impl Pending {
    /// Waits for the answer, or for the request to be cancelled. The ticket is to be kept until the answer is
    /// queued.
    pub async fn answer(self) -> (Option<Box<RawValue>>, Ticket) {
        let Self { call, id, cancellable, mut ticket } = self;
        let mut call = AssertUnwindSafe(call).catch_unwind();
        let answered = poll_fn(|context| {
            let (polled, finished) = while_polled(|| call.poll_unpin(context));
            polled.map(|response| (response, finished))
        });
        let answer = tokio::select! {
            biased;
            (response, finished) = answered => match response {
                Ok(response) => answer_in(response, finished, &id),
                Err(_panic) => Some(Refusal::Internal.answer(&id)),
            },
            () = ticket.cancelled(), if cancellable => Some(Refusal::Cancelled.answer(&id)),
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
