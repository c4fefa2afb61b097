//! [`ResetCredits`]: reset credits, listed, and redeemed when a person or the setting `resetCredits` says so.
//!
//! A decision is in the journal, on disk, before its request is sent. [`turn`] holds the lock and the journal,
//! [`redeem`] sends the request and finds out the outcome, [`recovery`] continues after a crash or a lost answer,
//! [`when_dry`] decides without a person.

mod endpoint;
mod list;
mod recovery;
mod redeem;
mod turn;
mod when_dry;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::pool::{AccountId, ResetLedger};
use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::credentials::TokenRefresher;
use crate::sidecar::credentials::single_flight::SingleFlight;
use crate::sidecar::notify::notifier::Notifier;
use crate::store::ResetJournal;

pub(crate) use endpoint::UsageEndpoint;
pub(crate) use redeem::{NotRedeemed, Redeemed, choose};

use list::ListPauses;

/// The owner of the journal of redemptions.
pub(crate) struct ResetCredits {
    registry: Arc<AccountRegistry>,
    refresher: Arc<TokenRefresher>,
    notifier: Arc<Notifier>,
    endpoint: Arc<dyn UsageEndpoint>,
    journal: ResetJournal,
    /// The journal as last read or written here.
    seen: Mutex<ResetLedger>,
    pauses: ListPauses,
    /// The one try under way of all completions here that found no account.
    when_dry: SingleFlight<(), Option<AccountId>>,
}

impl ResetCredits {
    pub(crate) fn new(
        registry: Arc<AccountRegistry>,
        refresher: Arc<TokenRefresher>,
        notifier: Arc<Notifier>,
        endpoint: Arc<dyn UsageEndpoint>,
        journal: ResetJournal,
    ) -> Self {
        ResetCredits {
            registry,
            refresher,
            notifier,
            endpoint,
            journal,
            seen: Mutex::default(),
            pauses: ListPauses::default(),
            when_dry: SingleFlight::default(),
        }
    }

    /// Returns whether an earlier decision about this account has no outcome yet, as far as is known here.
    pub(crate) fn is_open(&self, id: &AccountId) -> bool {
        self.seen().open_of(id).is_some()
    }

    fn seen(&self) -> MutexGuard<'_, ResetLedger> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
