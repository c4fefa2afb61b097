//! Who listens to a completion: a subscription that gets every notice, or a caller that wants the end of it.

use jsonrpsee::{SubscriptionMessage, SubscriptionSink};
use serde_json::value::RawValue;

use crate::protocol::{Failed, Notice, Outcome};

pub(super) enum Audience {
    Stream(SubscriptionSink),
    Collect(Collector),
}

/// The client is gone.
#[derive(Debug)]
pub(super) struct Gone;

/// What `complete/collect` keeps of a completion.
#[derive(Default)]
pub(super) struct Collector {
    pub(super) terminal_event: Option<Box<RawValue>>,
    pub(super) ended: Option<Result<CollectedEnd, Failed>>,
}

pub(super) struct CollectedEnd {
    pub(super) account: String,
    pub(super) attempts: u32,
    pub(super) usage: Option<Box<RawValue>>,
}

impl Audience {
    /// Waits while the client does not read, so that upstream is not read either.
    pub(super) async fn tell(&mut self, notice: Notice<'_>) -> Result<(), Gone> {
        match self {
            Audience::Stream(sink) => {
                let message = SubscriptionMessage::new(sink.method_name(), sink.subscription_id(), &notice)
                    .map_err(|_| Gone)?;
                sink.send(message).await.map_err(|_| Gone)
            }
            Audience::Collect(collector) => {
                collector.take(notice);
                Ok(())
            }
        }
    }
}

impl Collector {
    fn take(&mut self, notice: Notice<'_>) {
        match notice {
            // Only the terminal event matters; the one before it is simply replaced.
            Notice::Event { event } => self.terminal_event = Some(event.to_owned()),
            Notice::Done {
                outcome: Outcome::Completed | Outcome::Incomplete,
                account,
                attempts,
                usage,
                ..
            } => {
                self.ended = Some(Ok(CollectedEnd {
                    account: account.to_owned(),
                    attempts,
                    usage: usage.map(ToOwned::to_owned),
                }));
            }
            Notice::Error { error } => self.ended = Some(Err(error)),
            Notice::Rotated { .. } | Notice::Accepted { .. } | Notice::Cancelled => {}
        }
    }
}
