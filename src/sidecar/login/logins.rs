//! The logins of this connection, from their beginning to their account. Each ends exactly once: with success, refused,
//! expired or cancelled. Once a code is being exchanged, a login can no longer be cancelled, because its tokens would
//! be lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::auth::{
    self, BrowserConnection, BrowserLogin, CALLBACK_PORTS, Callbacks, DeviceLogin, Grant, LoginError, Page,
    Paste,
};
use crate::http::{BaseUrl, HttpClient};
use crate::pool::{AccountId, Purpose};
use crate::protocol::{ErrorKind, LoginCompleted, LoginFailure, RpcError};
use crate::sidecar::accounts::AccountRegistry;
use crate::sidecar::credentials::TokenRefresher;
use crate::sidecar::error;
use crate::sidecar::notify::notifier::Notifier;

/// How many logins may be in progress.
const MAX_OPEN: usize = 32;
/// How many ended logins are kept, so that `login/wait` can still answer.
const MAX_ENDED: usize = 64;

/// The settings of logins. The defaults are those of the protocol; tests choose others.
#[derive(Clone, Debug)]
pub struct LoginOptions {
    /// Tried in this order; 0 takes any.
    pub callback_ports: Vec<u16>,
    pub browser_lives: Duration,
    pub device_lives: Duration,
}

impl Default for LoginOptions {
    fn default() -> Self {
        LoginOptions {
            callback_ports: CALLBACK_PORTS.to_vec(),
            browser_lives: Duration::from_secs(10 * 60),
            device_lives: Duration::from_secs(15 * 60),
        }
    }
}

/// A flow that has been begun.
pub(crate) enum Beginning {
    Browser(BrowserLogin),
    Device(DeviceLogin),
}

/// The owner of the logins of this connection, those in progress and the latest that ended.
pub(crate) struct Logins {
    pub(super) registry: Arc<AccountRegistry>,
    pub(super) refresher: Arc<TokenRefresher>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) http: HttpClient,
    pub(super) auth_url: BaseUrl,
    pub(super) options: LoginOptions,
    table: Mutex<Table>,
    callbacks: Callbacks,
}

#[derive(Default)]
struct Table {
    begun: u64,
    /// Oldest first.
    logins: VecDeque<Arc<Login>>,
}

impl Table {
    /// How many are in progress.
    fn open(&self) -> usize {
        self.logins.iter().filter(|login| login.outcome().is_none()).count()
    }
}

type Outcome = Result<AccountId, RpcError>;

/// One login.
pub(crate) struct Login {
    id: String,
    paste: Option<Paste>,
    /// Taken by the first event: a cancel, or the answer that the login waits for.
    cancel: Mutex<Option<oneshot::Sender<()>>>,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Logins {
    pub(crate) fn new(
        registry: Arc<AccountRegistry>,
        refresher: Arc<TokenRefresher>,
        notifier: Arc<Notifier>,
        http: HttpClient,
        auth_url: BaseUrl,
        options: LoginOptions,
    ) -> Self {
        Logins {
            registry,
            refresher,
            notifier,
            http,
            auth_url,
            options,
            table: Mutex::default(),
            callbacks: Callbacks::default(),
        }
    }

    /// Begins a login in a browser. `client` is the name for the page.
    pub(crate) async fn begin_browser(&self, client: &str) -> Result<BrowserLogin, LoginError> {
        BrowserLogin::begin(&self.auth_url, client, &self.callbacks, &self.options.callback_ports).await
    }

    /// Begins a login with a code on another device.
    pub(crate) async fn begin_device(&self) -> Result<DeviceLogin, LoginError> {
        DeviceLogin::begin(&self.http, &self.auth_url).await
    }

    pub(crate) fn options(&self) -> &LoginOptions {
        &self.options
    }

    /// Returns the login, or -32602.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Login>, RpcError> {
        let known = self.table().logins.iter().find(|login| login.id == id).cloned();
        known.ok_or_else(|| RpcError::invalid_params("loginId", "there is no such login"))
    }

    pub(crate) fn are_too_many(&self) -> bool {
        self.table().open() >= MAX_OPEN
    }

    /// Waits for logins whose code is being exchanged or stored.
    pub(crate) async fn finish(&self) {
        let logins: Vec<Arc<Login>> = self.table().logins.iter().cloned().collect();
        for login in logins.iter().filter(|login| login.slot().is_none()) {
            let _ = login.ended().await;
        }
    }

    /// `None` when too many are in progress, because others may have begun since the check.
    fn add(&self, paste: Option<Paste>, cancel: oneshot::Sender<()>) -> Option<Arc<Login>> {
        let mut table = self.table();
        if table.open() >= MAX_OPEN {
            return None;
        }
        table.begun += 1;
        let login = Arc::new(Login {
            id: format!("login{}", table.begun),
            paste,
            cancel: Mutex::new(Some(cancel)),
            outcome: watch::Sender::new(None),
        });
        table.logins.push_back(login.clone());
        let ended = table.logins.iter().filter(|login| login.outcome().is_some()).count();
        if ended > MAX_ENDED
            && let Some(oldest) = table.logins.iter().position(|login| login.outcome().is_some())
        {
            table.logins.remove(oldest);
        }
        Some(login)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Login {
    pub(crate) fn paste(&self) -> Option<&Paste> {
        self.paste.as_ref()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome.borrow().clone()
    }

    pub(crate) async fn ended(&self) -> Outcome {
        let mut outcome = self.outcome.subscribe();
        loop {
            if let Some(outcome) = outcome.borrow_and_update().clone() {
                return outcome;
            }
            // The sender is in `self`, so this cannot fail.
            let _ = outcome.changed().await;
        }
    }

    /// Returns whether it could still be cancelled.
    pub(crate) fn cancel(&self) -> bool {
        self.slot().take().is_some_and(|cancel| cancel.send(()).is_ok())
    }

    /// From now on it cannot be cancelled. False when it was.
    fn commit(&self) -> bool {
        self.slot().take().is_some()
    }

    fn slot(&self) -> MutexGuard<'_, Option<oneshot::Sender<()>>> {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Logins {
    /// Runs the flow to its end in the background. Returns the id of the login; `None` when too many are in progress.
    pub(crate) fn begin(
        self: &Arc<Self>,
        beginning: Beginning,
        purpose: Purpose,
        lives: Duration,
    ) -> Option<String> {
        let paste = match &beginning {
            Beginning::Browser(browser) => Some(browser.paste()),
            Beginning::Device(_) => None,
        };
        let (cancel, cancelled) = oneshot::channel();
        let login = self.add(paste, cancel)?;
        let id = login.id.clone();
        tracing::info!(login = id, ?purpose, device = login.paste.is_none(), "a login begins");
        let logins = self.clone();
        tokio::spawn(async move {
            let (grant, browser_page) = answered(&login, beginning, lives, cancelled).await;
            let outcome = match grant {
                Ok(grant) => logins.complete_login(grant, &purpose).await,
                Err(error) => Err(error),
            };
            logins.report_end(&login, outcome, browser_page).await;
        });
        Some(id)
    }

    async fn complete_login(self: &Arc<Self>, grant: Grant, purpose: &Purpose) -> Outcome {
        let signed_in = auth::exchange(&self.http, &self.auth_url, grant, self.registry.now())
            .await
            .map_err(|error| error::login(&error))?;
        self.store_login(signed_in, purpose).await
    }

    async fn report_end(&self, login: &Login, outcome: Outcome, browser_page: Option<BrowserConnection>) {
        let (page, completed) = match &outcome {
            Ok(account) => {
                tracing::info!(login = login.id, %account, "a login ended well");
                (Page::Finished, completed(&login.id, Some(account), None))
            }
            Err(error) => {
                tracing::warn!(login = login.id, kind = ?error.kind, message = error.message, "a login failed");
                (Page::Failed(error.message.clone()), completed(&login.id, None, Some(error)))
            }
        };
        login.slot().take();
        login.outcome.send_replace(Some(outcome));
        self.notifier.login_completed(completed);
        if let Some(browser_page) = browser_page {
            browser_page.show(&page).await;
        }
    }
}

/// Returns the result of the flow, once it can no longer be cancelled.
async fn answered(
    login: &Login,
    beginning: Beginning,
    lives: Duration,
    cancelled: oneshot::Receiver<()>,
) -> (Result<Grant, RpcError>, Option<BrowserConnection>) {
    let flow = async {
        match beginning {
            Beginning::Browser(browser) => browser.grant().await,
            Beginning::Device(device) => (device.grant().await, None),
        }
    };
    let ended = tokio::select! {
        biased;
        _ = cancelled => None,
        ended = timeout(lives, flow) => Some(ended.unwrap_or((Err(LoginError::Expired), None))),
    };
    match ended {
        Some((grant, browser_page)) if login.commit() => {
            (grant.map_err(|error| error::login(&error)), browser_page)
        }
        _ => (Err(RpcError::new(ErrorKind::LoginCancelled, "the login was cancelled")), None),
    }
}

fn completed(id: &str, account: Option<&AccountId>, error: Option<&RpcError>) -> LoginCompleted {
    LoginCompleted {
        login_id: id.to_owned(),
        ok: error.is_none(),
        account: account.map(ToString::to_string),
        error: error.map(|error| LoginFailure {
            kind: error.kind,
            message: error.message.clone(),
            hint: error.data.hint.clone(),
        }),
    }
}
