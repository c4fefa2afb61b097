//! Keeping what a login brought: in the accounts file first, then in the pool. Nothing is stored for the wrong account.

use std::sync::Arc;
use std::time::Duration;

use super::Sidecar;
use super::blocking::on_a_thread;
use super::load::identified;
use crate::auth::{self, SignedIn};
use crate::pool::{Account, AccountId, NotPlaced, Place, Purpose, place};
use crate::protocol::{ChangeReason, ErrorKind, RpcError, WarningKind};
use crate::store::{Document, FileAccount, RedeemLane};

/// A redeem takes at most 30 s; the person waits meanwhile.
const LANE_PATIENCE: Duration = Duration::from_secs(30);

/// What became of the file.
struct Stored {
    /// The slot it went to, as it was called before.
    was: Option<AccountId>,
    label: String,
}

impl Sidecar {
    /// The account that the login is now the credential of.
    pub(super) async fn store_login(
        self: &Arc<Self>,
        signed_in: SignedIn,
        purpose: &Purpose,
    ) -> Result<AccountId, RpcError> {
        let mut account = as_account(signed_in);
        let id = account.id.clone();
        let slot = match purpose {
            Purpose::Renew(slot) => slot.clone(),
            Purpose::Add { .. } => id.clone(),
        };
        let _quiet = self.while_nobody_redeems(slot).await;
        let (sidecar, purpose) = (self.clone(), purpose.clone());
        let renewed = self
            .on_accounts_file(move |file| {
                let stored = file.change(|document| store(document, &account, &purpose))?;
                Ok(stored.map(|Stored { was, label }| {
                    account.label = label;
                    sidecar.pool().sign_in(was.as_ref(), account);
                    was.is_some()
                }))
            })
            .await??;
        self.notifier.settled(WarningKind::LoginRequired, Some(&id));
        self.notifier.settled(WarningKind::OutcomeUnknown, Some(&id));
        tracing::info!(account = %id, renewed, "a login was stored");
        self.changed(ChangeReason::Login);
        Ok(id)
    }
}

/// While this is held, no sidecar redeems a token of the account.
struct Quiet<'a> {
    _turn: tokio::sync::MutexGuard<'a, ()>,
    _lane: Option<RedeemLane>,
}

impl Sidecar {
    /// Waits until a redeem under way is stored, so that it does not take the place of the login afterwards. A login that
    /// has its tokens is stored in any case.
    async fn while_nobody_redeems(&self, slot: AccountId) -> Quiet<'_> {
        let turn = self.redeems.turn.lock().await;
        let file = self.redeems.file.clone();
        let lane = match on_a_thread(move || file.enter(&slot, LANE_PATIENCE)).await {
            Ok(lane) => Some(lane),
            Err(error) => {
                tracing::warn!(%error, "a login is stored without the redeem lane");
                None
            }
        };
        Quiet { _turn: turn, _lane: lane }
    }
}

/// Both the reader of the error and the log are told what to do: pi would go on with the credential of its own.
pub(super) fn refuse_linked(id: &AccountId) -> RpcError {
    let mut error = RpcError::new(
        ErrorKind::LoginFailed,
        "this account belongs to pi's auth.json and is not renewed here",
    );
    error.data.account = Some(id.to_string());
    error.data.hint = Some("log it in with pi: /login, OpenAI Codex".to_owned());
    error
}

/// Decided on what the file holds now, under its lock: it may have changed since the login began.
fn store(document: &mut Document, who: &Account, purpose: &Purpose) -> Result<Stored, RpcError> {
    let entries: Vec<FileAccount> = document.accounts().collect();
    let records: Vec<Account> = entries.iter().map(identified).collect();
    match place(&records, who, purpose).map_err(|why| not_placed(why, &records, purpose))? {
        Place::Known(index) => {
            let (entry, record) = (&entries[index], &records[index]);
            if entry.linked {
                return Err(refuse_linked(&record.id));
            }
            document.put(&FileAccount { needs_reauth: false, ..with_credential_of(entry.clone(), who) });
            Ok(Stored { was: Some(record.id.clone()), label: entry.email.clone() })
        }
        Place::New { label } => {
            let blank = FileAccount {
                email: label.clone(),
                access: who.credential.access.clone(),
                refresh: who.credential.refresh.clone(),
                expires_at: who.credential.expires_at,
                account_id: None,
                last_used_at: None,
                quota_exhausted_until: None,
                linked: false,
                needs_reauth: false,
            };
            document.put(&with_credential_of(blank, who));
            Ok(Stored { was: None, label })
        }
    }
}

fn with_credential_of(entry: FileAccount, who: &Account) -> FileAccount {
    FileAccount {
        access: who.credential.access.clone(),
        refresh: who.credential.refresh.clone(),
        expires_at: who.credential.expires_at,
        account_id: who.identity.workspace_id.clone(),
        ..entry
    }
}

fn not_placed(why: NotPlaced, records: &[Account], purpose: &Purpose) -> RpcError {
    let renewed = match purpose {
        Purpose::Renew(id) => Some(id),
        Purpose::Add { .. } => None,
    };
    let mut error = match why {
        NotPlaced::Gone => RpcError::new(
            ErrorKind::LoginFailed,
            "the account was removed while its login was under way; nothing was stored",
        ),
        NotPlaced::OtherIdentity => {
            let record = records.iter().find(|record| Some(&record.id) == renewed);
            let label = record.map_or("this account", |record| record.label.as_str());
            let mut error = RpcError::new(
                ErrorKind::IdentityMismatch,
                format!("the login is not that of {label}; nothing was stored"),
            );
            error.data.hint = Some(
                "log out in the browser or choose the right account and workspace there, then try again"
                    .to_owned(),
            );
            error
        }
    };
    error.data.account = renewed.map(ToString::to_string);
    error
}

/// Its label is decided when it is placed.
fn as_account(signed_in: SignedIn) -> Account {
    let SignedIn { credential, identity, email, plan } = signed_in;
    let mut account = Account::new(auth::account_id(&identity, ""), identity, String::new(), credential);
    account.email = email;
    account.plan = plan;
    account
}
