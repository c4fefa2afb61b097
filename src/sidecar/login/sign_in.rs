//! Keeping what a login brought: in the accounts file first, then in the pool, and with pi when the account is linked.
//! Nothing is stored for the wrong account.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{self, SignedIn};
use crate::pool::{Account, AccountId, NotPlaced, Placement, Purpose, place};
use crate::protocol::{ChangeReason, ErrorKind, RpcError, WarningKind};
use crate::sidecar::Sidecar;
use crate::sidecar::accounts::load::identified;
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::credentials::linked::Origin;
use crate::store::{Document, FileAccount, RefreshLane};

/// A refresh takes at most 30 s; the person waits meanwhile.
const LANE_PATIENCE: Duration = Duration::from_secs(30);

/// What became of the file.
struct Stored {
    /// The slot it went to, as it was called before.
    was: Option<AccountId>,
    label: String,
}

/// The account became pi's while its login was being stored: pi's lock has to be taken first.
struct BecameLinked;

impl Sidecar {
    /// The account that the login is now the credential of.
    ///
    /// The accounts file comes first and pi's auth.json second. Whatever fails or is killed in between, the login is
    /// then stored where every sidecar finds it, while pi keeps what it had, which an import does not put over a newer
    /// one; and the watcher, which looks at auth.json after that, finds nothing in it that is new. A login is not
    /// thrown away because pi's file cannot be had: a person went through it.
    pub(crate) async fn store_login(
        self: &Arc<Self>,
        signed_in: SignedIn,
        purpose: &Purpose,
    ) -> Result<AccountId, RpcError> {
        let account = as_account(signed_in);
        let id = account.id.clone();
        let mut pis = self.is_pis(&account, purpose);
        let renewed = loop {
            // pi's lock before all others: see `lock_pi_login`.
            let pi = if pis { Some(self.lock_pi_login(&account).await) } else { None };
            let quiet = self.while_nobody_refreshes(slot(&account, purpose)).await;
            let Ok(renewed) = self.store_in_accounts_file(&account, purpose, pis).await? else {
                pis = true;
                continue;
            };
            self.unstored.forget(&id);
            match pi {
                Some(Ok(pi)) => self.write_back(pi, &account, &account.credential, Origin::Login).await,
                Some(Err(failure)) => self.note_that_pi_lacks(&id, Origin::Login, &failure.message),
                None => {}
            }
            drop(quiet);
            break renewed;
        };
        self.notifier.settled(WarningKind::LoginRequired, Some(&id));
        self.notifier.settled(WarningKind::OutcomeUnknown, Some(&id));
        tracing::info!(account = %id, renewed, pis, "a login was stored");
        self.changed(ChangeReason::Login);
        Ok(id)
    }

    /// Whether the login will go to the account that is linked to pi, as far as memory knows.
    fn is_pis(&self, account: &Account, purpose: &Purpose) -> bool {
        let pool = self.pool();
        match place(pool.accounts(), account, purpose) {
            Ok(Placement::Known(index)) => pool.accounts()[index].linked,
            Ok(Placement::New { .. }) | Err(_) => false,
        }
    }

    /// Into the file, then into the pool. Says whether an account was renewed, or that pi has to be asked first.
    async fn store_in_accounts_file(
        self: &Arc<Self>,
        account: &Account,
        purpose: &Purpose,
        pis: bool,
    ) -> Result<Result<bool, BecameLinked>, RpcError> {
        let (sidecar, mut account, purpose) = (self.clone(), account.clone(), purpose.clone());
        self.on_accounts_file(move |file| {
            let stored = file.change(|document| store(document, &account, &purpose, pis))?;
            Ok(stored.map(|stored| {
                let Stored { was, label } = stored?;
                account.label = label;
                sidecar.pool().sign_in(was.as_ref(), account);
                Ok(was.is_some())
            }))
        })
        .await?
    }
}

/// While this is held, no sidecar refreshes a token of the account.
struct RefreshGuard<'a> {
    _turn: tokio::sync::MutexGuard<'a, ()>,
    _lane: Option<RefreshLane>,
}

impl Sidecar {
    /// Waits until a refresh under way is stored, so that it does not take the place of the login afterwards. A login that
    /// has its tokens is stored in any case.
    async fn while_nobody_refreshes(&self, slot: AccountId) -> RefreshGuard<'_> {
        let turn = self.refreshes.turn.lock().await;
        let file = self.refreshes.file.clone();
        let lane = match on_a_thread(move || file.enter(&slot, LANE_PATIENCE)).await {
            Ok(lane) => Some(lane),
            Err(error) => {
                tracing::warn!(%error, "a login is stored without the refresh lane");
                None
            }
        };
        RefreshGuard { _turn: turn, _lane: lane }
    }
}

/// Whose turn to refresh is waited for.
fn slot(account: &Account, purpose: &Purpose) -> AccountId {
    match purpose {
        Purpose::Renew(slot) => slot.clone(),
        Purpose::Add { .. } => account.id.clone(),
    }
}

/// Decided on what the file holds now, under its lock: it may have changed since the login began.
fn store(
    document: &mut Document,
    who: &Account,
    purpose: &Purpose,
    pis: bool,
) -> Result<Result<Stored, BecameLinked>, RpcError> {
    let entries: Vec<FileAccount> = document.accounts().collect();
    let records: Vec<Account> = entries.iter().map(identified).collect();
    match place(&records, who, purpose).map_err(|why| not_placed(why, &records, purpose))? {
        Placement::Known(index) => {
            let (entry, record) = (&entries[index], &records[index]);
            if entry.linked && !pis {
                return Ok(Err(BecameLinked));
            }
            document.put(&FileAccount { needs_reauth: false, ..with_credential_of(entry.clone(), who) });
            Ok(Ok(Stored { was: Some(record.id.clone()), label: entry.email.clone() }))
        }
        Placement::New { label } => {
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
            Ok(Ok(Stored { was: None, label }))
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
