//! `status` and `status/changed`: the footer, told again when it reads differently. It is looked at only while a client
//! listens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock;
use crate::pool::{At, Footer};
use crate::protocol::{RpcError, Status, StatusChanged, StatusParams};
use crate::sidecar::{Sidecar, view};
use crate::upstream::session_key;

/// What changes by itself is looked at this often at least.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What the client saw last, and of what.
#[derive(Default)]
pub(crate) struct StatusNotifier {
    footer: Mutex<Option<Footer>>,
    /// The session that a completion was made for last: the one that somebody is looking at.
    session: Mutex<Option<String>>,
}

impl StatusNotifier {
    pub(crate) fn of_session(&self, session: Option<&str>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session.map(str::to_owned);
    }

    fn session(&self) -> Option<String> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn footer(&self) -> MutexGuard<'_, Option<Footer>> {
        self.footer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn show(sidecar: &Arc<Sidecar>, params: StatusParams) -> Result<Status, RpcError> {
    let now = clock::now();
    sidecar.usage_polls.attended(now);
    let session = params
        .session_id
        .as_deref()
        .filter(|session| !session.is_empty())
        .map(session_key)
        .or_else(|| sidecar.shown.session());
    Ok(view::status(&sidecar.footer(session.as_deref(), now), now))
}

impl Sidecar {
    /// What reads differently from now on is told.
    pub(crate) fn begin_status(&self) {
        *self.shown.footer() = Some(self.footer(self.shown.session().as_deref(), clock::now()));
    }

    /// Tells when the footer changes, whether something happened or only time passed.
    pub async fn run_status(self: Arc<Self>) {
        loop {
            let news = self.notifier.next_look_at_status();
            if !self.notifier.wants::<StatusChanged>() {
                news.await;
                continue;
            }
            let now = clock::now();
            let footer = self.footer(self.shown.session().as_deref(), now);
            let good_until = footer.good_until;
            let is_news = !self.shown.footer().as_ref().is_some_and(|shown| shown.reads_like(&footer));
            if is_news {
                let status = view::status(&footer, now);
                *self.shown.footer() = Some(footer);
                self.notify_now::<StatusChanged>(&status).await;
            }
            let rest = good_until.map_or(LONGEST_REST, |at| at.since(now).min(LONGEST_REST));
            if tokio::time::timeout(rest, news).await.is_ok() {
                self.notifier.let_a_burst_pass().await;
            }
        }
    }

    fn footer(&self, session: Option<&str>, now: At) -> Footer {
        Footer::of(&self.pool(), &self.preferences.footer(), session, now)
    }
}
