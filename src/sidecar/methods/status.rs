//! `status` and `status/changed`: the footer, sent again when its text changes. It is computed only while a client
//! listens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pool::{At, Footer};
use crate::protocol::{RpcError, Status, StatusChanged, StatusParams};
use crate::sidecar::{Sidecar, view};
use crate::upstream::session_key;

/// The footer is computed at least this often, because it also changes as time passes.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// The footer that the client saw last, and its session.
#[derive(Default)]
pub(crate) struct ShownStatus {
    footer: Mutex<Option<Footer>>,
    /// The session of the latest completion, which a person is probably looking at.
    session: Mutex<Option<String>>,
}

impl ShownStatus {
    pub(crate) fn set_session(&self, session: Option<&str>) {
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
    sidecar.usage.attended();
    let session = params
        .session_id
        .as_deref()
        .filter(|session| !session.is_empty())
        .map(session_key)
        .or_else(|| sidecar.session.shown.session());
    let (footer, now) = current(sidecar, session.as_deref());
    Ok(view::status(&footer, now))
}

/// Sends `status/changed` when the text changed, because of an event or because time passed.
pub(crate) async fn run(sidecar: Arc<Sidecar>) {
    let shown = &sidecar.session.shown;
    loop {
        let news = sidecar.notifier.next_status_change();
        if !sidecar.notifier.wants::<StatusChanged>() {
            news.await;
            continue;
        }
        let (footer, now) = current(&sidecar, shown.session().as_deref());
        let good_until = footer.good_until;
        let is_news = !shown.footer().as_ref().is_some_and(|shown| shown.reads_like(&footer));
        if is_news {
            let status = view::status(&footer, now);
            *shown.footer() = Some(footer);
            sidecar.notifier.notify_now::<StatusChanged>(&status).await;
        }
        let rest = good_until.map_or(LONGEST_REST, |at| at.since(now).min(LONGEST_REST));
        if tokio::time::timeout(rest, news).await.is_ok() {
            sidecar.notifier.debounce().await;
        }
    }
}

/// From now on the client is notified when the text differs from the present one.
pub(crate) fn begin(sidecar: &Sidecar) {
    let shown = &sidecar.session.shown;
    let (footer, _) = current(sidecar, shown.session().as_deref());
    *shown.footer() = Some(footer);
}

fn current(sidecar: &Sidecar, session: Option<&str>) -> (Footer, At) {
    let preferences = sidecar.registry.footer_preferences();
    sidecar.registry.decide(|pool, now| (Footer::of(pool, &preferences, session, now), now))
}
