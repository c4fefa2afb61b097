//! `login`, `reauth` and `login/…`: a person grants us an account, in a browser or with a code on another device.

use std::sync::Arc;

use crate::auth::open_in_browser;
use crate::pool::{AccountId, Purpose, SelectError, State};
use crate::protocol::{
    AccountAnswer, ErrorKind, LoginCancelled, LoginFlow, LoginIdParams, LoginParams, LoginStarted,
    LoginSubmitParams, ReauthParams, RpcError,
};
use crate::sidecar::login::logins::Beginning;
use crate::sidecar::methods::accounts::wanted_label;
use crate::sidecar::{Sidecar, error};

pub(crate) async fn login(sidecar: Arc<Sidecar>, params: LoginParams) -> Result<LoginStarted, RpcError> {
    let label = params.label.as_deref().map(wanted_label).transpose()?.map(str::to_owned);
    begin(&sidecar, Purpose::Add { label }, params.flow, params.open).await
}

pub(crate) async fn reauth(sidecar: Arc<Sidecar>, params: ReauthParams) -> Result<LoginStarted, RpcError> {
    let id = match &params.account {
        Some(selector) => sidecar.find(selector)?,
        None => the_one_to_renew(&sidecar)?,
    };
    let linked = sidecar.registry.decide(|pool, _| pool.get(&id).filter(|account| account.linked).cloned());
    if let Some(account) = linked {
        sidecar.refresher.ensure_pi_can_follow(&account).await.map_err(|error| error::storage(&id, error))?;
    }
    begin(&sidecar, Purpose::Renew(id), params.flow, params.open).await
}

/// A wrong paste is refused, and the login goes on.
pub(crate) async fn submit(
    sidecar: Arc<Sidecar>,
    params: LoginSubmitParams,
) -> Result<AccountAnswer, RpcError> {
    let login = sidecar.logins.get(&params.login_id)?;
    if login.outcome().is_none() {
        let paste = login.paste().ok_or_else(|| {
            RpcError::invalid_params("loginId", "a login by device code takes no pasted input")
        })?;
        paste.submit(&params.input).map_err(|error| RpcError::invalid_params("input", error.to_string()))?;
    }
    answer(&sidecar, login.ended().await)
}

pub(crate) async fn wait(sidecar: Arc<Sidecar>, params: LoginIdParams) -> Result<AccountAnswer, RpcError> {
    let login = sidecar.logins.get(&params.login_id)?;
    answer(&sidecar, login.ended().await)
}

pub(crate) fn cancel(sidecar: &Arc<Sidecar>, params: LoginIdParams) -> Result<LoginCancelled, RpcError> {
    let cancelled = sidecar.logins.get(&params.login_id).is_ok_and(|login| login.cancel());
    Ok(LoginCancelled { cancelled })
}

fn answer(sidecar: &Sidecar, outcome: Result<AccountId, RpcError>) -> Result<AccountAnswer, RpcError> {
    Ok(AccountAnswer { account: sidecar.account_view(&outcome?)? })
}

async fn begin(
    sidecar: &Arc<Sidecar>,
    purpose: Purpose,
    flow: Option<LoginFlow>,
    open: Option<bool>,
) -> Result<LoginStarted, RpcError> {
    if sidecar.logins.are_too_many() {
        return Err(too_many());
    }
    // Before a person goes through a login that cannot be stored.
    sidecar.refresher.ensure_storable().await?;
    let flow = flow.unwrap_or_default();
    let (beginning, url, user_code, lives) = match flow {
        LoginFlow::Browser => {
            let client = sidecar.session.client().and_then(|client| client.name.as_deref());
            let browser = sidecar
                .logins
                .begin_browser(client.unwrap_or(env!("CARGO_PKG_NAME")))
                .await
                .map_err(|error| error::login(&error))?;
            let url = browser.url().to_owned();
            (Beginning::Browser(browser), url, None, sidecar.logins.options().browser_lives)
        }
        LoginFlow::Device => {
            let device = sidecar.logins.begin_device().await.map_err(|error| error::login(&error))?;
            let lives = sidecar.logins.options().device_lives;
            let lives = device.expires_in().map_or(lives, |theirs| theirs.min(lives));
            let (url, user_code) = (device.url(), device.user_code().to_owned());
            (Beginning::Device(device), url, Some(user_code), lives)
        }
    };
    let expires_at = (sidecar.registry.now() + lives).millis();
    let account = match &purpose {
        Purpose::Renew(id) => Some(id.to_string()),
        _ => None,
    };
    let login_id = sidecar.logins.begin(beginning, purpose, lives).ok_or_else(too_many)?;
    let opened = match open {
        Some(true) => Some(opened(url.clone()).await),
        _ => None,
    };
    Ok(LoginStarted { login_id, flow, account, url, user_code, expires_at, opened })
}

fn too_many() -> RpcError {
    RpcError::new(ErrorKind::LoginFailed, "too many logins are in progress")
        .hinted("cancel one, or wait for it to end")
}

async fn opened(url: String) -> bool {
    match crate::sidecar::blocking::on_a_thread(move || open_in_browser(&url)).await {
        Ok(()) => true,
        Err(error) => {
            tracing::info!(%error, "no browser could be opened for a login");
            false
        }
    }
}

/// Returns the only account that needs a login; the active one when none does.
fn the_one_to_renew(sidecar: &Sidecar) -> Result<AccountId, RpcError> {
    sidecar.registry.decide(|pool, now| {
        let dead = pool.accounts().iter().filter(|account| account.state(now) == State::NeedsLogin);
        let mut candidates: Vec<AccountId> = dead.map(|account| account.id.clone()).collect();
        if candidates.len() > 1 {
            let ambiguous = SelectError::Ambiguous { candidates };
            let mut error = error::select(pool, "", ambiguous);
            "several accounts need a login; name the one to log in again".clone_into(&mut error.message);
            return Err(error);
        }
        candidates.pop().or_else(|| pool.active(now)).ok_or_else(|| {
            let candidates = pool.accounts().iter().map(|account| account.label.clone());
            let none = SelectError::NotFound { candidates: candidates.collect() };
            let mut error = error::select(pool, "", none);
            "no account is active; name the one to log in again".clone_into(&mut error.message);
            error
        })
    })
}
