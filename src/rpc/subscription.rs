//! Subscriptions: requests whose answer is followed by notifications.
//!
//! jsonrpsee finds the method, numbers the subscription and counts it. The answer is sent like every other answer, and
//! the notifications go into the same queue after it, so that a client never gets one with an unknown id.

use std::sync::Arc;

use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params, SubscriptionId};
use jsonrpsee::{RpcModule, SubscriptionSink};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::block::Block;
use super::outbox::{Closed, Outbox};

/// What the dispatcher passes to a subscription's method, in jsonrpsee's extensions.
#[derive(Clone)]
pub(super) struct SubscriptionContext {
    pub(super) outbox: Outbox,
    /// True once the answer is in the queue.
    pub(super) answer_queued: watch::Receiver<bool>,
}

/// An accepted subscription: its notifications follow its answer in order.
#[derive(Debug)]
pub struct Subscription {
    id: String,
    method: &'static str,
    outbox: Outbox,
    block: Block,
    /// The text of a notification before its result.
    before_result: String,
    /// Keeps its place among the subscriptions of the connection.
    _place: SubscriptionSink,
}

/// The text of a notification after its result.
const AFTER_RESULT: &str = "}}";

/// Registers `method` as a subscription whose notifications have the same name. `prepare` is called in the order of
/// arrival and refuses a wrong request; then `run` sends the notifications.
///
/// `cancel` is the method that jsonrpsee would register to end it. The caller registers its own, because jsonrpsee's
/// lets nothing more be sent.
///
/// # Errors
///
/// A method of one of these names exists already.
pub fn register_subscription<Context, Prepared, Run>(
    module: &mut RpcModule<Context>,
    method: &'static str,
    cancel: &'static str,
    prepare: impl Fn(&Params<'_>, &Arc<Context>) -> Result<Prepared, ErrorObjectOwned>
    + Clone
    + Send
    + Sync
    + 'static,
    run: impl Fn(Prepared, Subscription) -> Run + Clone + Send + Sync + 'static,
) -> Result<(), RegisterMethodError>
where
    Context: Send + Sync + 'static,
    Prepared: Send + 'static,
    Run: Future<Output = ()> + Send,
{
    module.register_subscription_raw(
        method,
        method,
        cancel,
        move |params, pending, context, extensions| {
            let prepared = prepare(&params, &context);
            let connection = extensions.get::<SubscriptionContext>().cloned();
            let run = run.clone();
            tokio::spawn(async move {
                let prepared = match prepared {
                    Ok(prepared) => prepared,
                    Err(error) => return pending.reject(error).await,
                };
                // Absent when the module is called without a connection: jsonrpsee then answers an internal error.
                let Some(SubscriptionContext { outbox, mut answer_queued }) = connection else { return };
                let Ok(place) = pending.accept().await else { return };
                if answer_queued.wait_for(|queued| *queued).await.is_err() {
                    // The connection ended before the client got its answer.
                    return;
                }
                run(prepared, Subscription::new(method, outbox, place)).await;
            });
        },
    )?;
    module.remove_method(cancel);
    Ok(())
}

impl Subscription {
    fn new(method: &'static str, outbox: Outbox, place: SubscriptionSink) -> Self {
        let id = match place.subscription_id() {
            SubscriptionId::Num(number) => number.to_string(),
            SubscriptionId::Str(text) => text.into_owned(),
        };
        let (method_text, id_text) = (Value::from(method), Value::from(id.as_str()));
        let before_result = format!(
            r#"{{"jsonrpc":"2.0","method":{method_text},"params":{{"subscription":{id_text},"result":"#
        );
        Subscription { id, method, block: outbox.block(), outbox, before_result, _place: place }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// Sends one notification, after those that were pushed. Waits while the client does not read.
    ///
    /// # Errors
    ///
    /// The client is gone.
    pub async fn notify(&mut self, result: &impl Serialize) -> Result<(), Closed> {
        #[derive(Serialize)]
        struct Notification<'a, R> {
            subscription: &'a str,
            result: &'a R,
        }
        self.flush().await?;
        self.outbox.notify(self.method, &Notification { subscription: &self.id, result }).await
    }

    /// Queues one notification whose result is the JSON text that these parts form together, without line ends.
    /// Notifications are sent together: call [`Subscription::flush`] before waiting for anything.
    ///
    /// # Errors
    ///
    /// The client is gone.
    pub async fn push(&mut self, result: [&[u8]; 3]) -> Result<(), Closed> {
        let [first, second, third] = result;
        self.block.push([self.before_result.as_bytes(), first, second, third, AFTER_RESULT.as_bytes()]);
        if self.block.is_full() { self.flush().await } else { Ok(()) }
    }

    /// Sends the queued notifications.
    ///
    /// # Errors
    ///
    /// The client is gone.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        self.outbox.send_block(&mut self.block).await
    }
}
