//! Stores the result of a login: first in the accounts file, then in the pool, and in pi's file when the account is
//! linked. It stores nothing for another identity.

use std::sync::Arc;

use super::logins::Logins;
use crate::auth::{self, SignedIn};
use crate::pool::{Account, AccountId, KnownAccount, NotPlaced, Placement, Purpose, place};
use crate::protocol::{ChangeReason, ErrorKind, RpcError, WarningKind};
use crate::sidecar::accounts::{Origin, described, identified};
use crate::store::{Document, FileAccount};

/// The effect on the file.
struct Stored {
    /// The former id of its account.
    was: Option<AccountId>,
    label: String,
    /// Its id from now on.
    id: AccountId,
}

/// The account was linked while its login was stored: pi's lock must be taken first.
struct BecameLinked;

impl Logins {
    /// Stores the login and returns its account.
    ///
    /// The accounts file is first and pi's auth.json second. If anything fails or is killed in between, the login is
    /// stored where every sidecar finds it, while pi keeps its old one, which an import does not put over a newer one.
    /// The watcher, which reads auth.json after that, finds nothing new in it. A person went through this login, so it
    /// is stored even if pi's file cannot be written.
    pub(crate) async fn store_login(
        self: &Arc<Self>,
        signed_in: SignedIn,
        purpose: &Purpose,
    ) -> Result<AccountId, RpcError> {
        let account = as_account(signed_in);
        let mut pis = self.is_pis(&account, purpose);
        let (renewed, id) = loop {
            // pi's lock before all others: see the lock order in `lib.rs`.
            let pi = if pis { Some(self.refresher.lock_pi_login(&account).await) } else { None };
            let refreshes_held = self.refresher.hold_refreshes(slot(&account, purpose)).await;
            let Ok((renewed, id)) = self.store_in_accounts_file(&account, purpose, pis).await? else {
                pis = true;
                continue;
            };
            self.registry.pending().forget(&id);
            match pi {
                Some(Ok(pi)) => {
                    self.refresher.write_back(pi, &account, &account.credential, Origin::Login).await
                }
                Some(Err(failure)) => self.refresher.pi_lacks(&id, Origin::Login, &failure.message),
                None => {}
            }
            drop(refreshes_held);
            break (renewed, id);
        };
        self.notifier.clear(WarningKind::LoginRequired, Some(&id));
        self.notifier.clear(WarningKind::OutcomeUnknown, Some(&id));
        tracing::info!(account = %id, renewed, pis, "a login was stored");
        self.registry.changed(ChangeReason::Login);
        Ok(id)
    }

    /// Returns whether the login will go to the account that is linked to pi, as far as memory knows.
    fn is_pis(&self, account: &Account, purpose: &Purpose) -> bool {
        self.registry.decide(|pool, _| match place(pool.accounts(), account, purpose) {
            Ok(Placement::Known(index)) => pool.accounts()[index].linked,
            Ok(Placement::New { .. }) | Err(_) => false,
        })
    }

    /// Stores the login in the file, then in the pool. Returns whether an account was renewed.
    async fn store_in_accounts_file(
        self: &Arc<Self>,
        account: &Account,
        purpose: &Purpose,
        pis: bool,
    ) -> Result<Result<(bool, AccountId), BecameLinked>, RpcError> {
        let (mut account, purpose) = (account.clone(), purpose.clone());
        self.registry
            .in_file_turn(move |turn| {
                let known = turn.registry().known_accounts(&turn.registry().read_state());
                let stored = turn.change(|document| store(document, &known, &account, &purpose, pis))?;
                let Ok(Stored { was, label, id }) = stored? else { return Ok(Err(BecameLinked)) };
                account.label = label;
                account.id = id.clone();
                turn.registry().decide(|pool, _| pool.sign_in(was.as_ref(), account));
                Ok(Ok((was.is_some(), id)))
            })
            .await
    }
}

/// Returns the account whose refreshes are held back.
fn slot(account: &Account, purpose: &Purpose) -> AccountId {
    match purpose {
        Purpose::Renew(slot) => slot.clone(),
        Purpose::Add { .. } => account.id.clone(),
    }
}

/// Decided by the present content of the file, under its lock, because it may have changed since the login began.
fn store(
    document: &mut Document,
    known: &[KnownAccount],
    who: &Account,
    purpose: &Purpose,
    pis: bool,
) -> Result<Result<Stored, BecameLinked>, RpcError> {
    let entries: Vec<FileAccount> = document.accounts().collect();
    let records: Vec<Account> = identified(&entries, known);
    match place(&records, who, purpose).map_err(|why| not_placed(why, &records, purpose))? {
        Placement::Known(index) => {
            let (entry, record) = (&entries[index], &records[index]);
            if entry.linked && !pis {
                return Ok(Err(BecameLinked));
            }
            document.put(&FileAccount { needs_reauth: false, ..with_credential_of(entry.clone(), who) });
            let more = who.identity.tells_more_than(&record.identity);
            let id = if more { who.id.clone() } else { record.id.clone() };
            Ok(Ok(Stored { was: Some(record.id.clone()), label: entry.email.clone(), id }))
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
            let entry = with_credential_of(blank, who);
            document.put(&entry);
            Ok(Ok(Stored { was: None, label, id: described(&entry).id }))
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
            "the account was removed while its login was in progress; nothing was stored",
        ),
        NotPlaced::OtherIdentity => {
            let record = records.iter().find(|record| Some(&record.id) == renewed);
            let label = record.map_or("this account", |record| record.label.as_str());
            let mut error = RpcError::new(
                ErrorKind::IdentityMismatch,
                format!("the login belongs to another identity than {label}; nothing was stored"),
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

/// Its label is decided when its place is known.
fn as_account(signed_in: SignedIn) -> Account {
    let SignedIn { credential, identity, email, plan } = signed_in;
    let mut account = Account::new(auth::account_id(&identity, ""), identity, String::new(), credential);
    account.email = email;
    account.plan = plan;
    account
}
