//! Where a login belongs: to the account with the same identity, or to a new one. It refuses to put a login into
//! another identity's account, and to give two identities one label.

use crate::pool::{Account, AccountId, Likeness, Pool};

/// The purpose of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new account, probably, with this label if it is one.
    Add { label: Option<String> },
    /// This account again, and no other.
    Renew(AccountId),
}

/// Where a login belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The record at this index.
    Known(usize),
    /// After the others, under a label that none of them has.
    New { label: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPlaced {
    /// The account to renew was removed.
    Gone,
    /// It is a login of another account than the one to renew.
    OtherIdentity,
}

/// `who` is the login as an account, without a final label; `records` are the stored accounts.
pub fn place(records: &[Account], who: &Account, purpose: &Purpose) -> Result<Placement, NotPlaced> {
    let same = records.iter().position(|record| record.identity.compare(&who.identity) == Likeness::Same);
    match purpose {
        Purpose::Renew(id) => {
            let index = records.iter().position(|record| record.id == *id).ok_or(NotPlaced::Gone)?;
            let is_it = same == Some(index) || (same.is_none() && could_be(&records[index], who));
            is_it.then_some(Placement::Known(index)).ok_or(NotPlaced::OtherIdentity)
        }
        Purpose::Add { label } => {
            let index = same.or_else(|| records.iter().position(|record| is_likely(record, who)));
            Ok(match index {
                Some(index) => Placement::Known(index),
                None => Placement::New { label: free_label(records, who, label.as_deref()) },
            })
        }
    }
}

impl Pool {
    /// Takes a stored login into the pool: into the account `was` or that of the same id, with pin, sessions and
    /// history, or as a new account at the end. Unlike a credential in a file, it counts however soon it expires.
    pub fn sign_in(&mut self, was: Option<&AccountId>, signed_in: Account) {
        let known = was.into_iter().chain([&signed_in.id]).find_map(|id| self.by_id.get(id).copied());
        let Some(index) = known else {
            self.accounts.push(signed_in);
            self.chosen.push(0);
            self.reindex();
            self.touch();
            return;
        };
        let Account { id, identity, label, email, plan, credential, .. } = signed_in;
        let account = &mut self.accounts[index];
        let old_id = std::mem::replace(&mut account.id, id.clone());
        account.identity = account.identity.completed_by(&identity);
        account.label = label;
        account.email = email.or(account.email.take());
        account.plan = plan.or(account.plan.take());
        account.credential = credential;
        account.refresh_uncertain = None;
        account.health.reinstate();
        if old_id == id {
        } else {
            self.affinity.follow(&old_id, &id);
            if self.pin.as_ref() == Some(&old_id) {
                self.pin = Some(id);
            }
            self.reindex();
        }
        self.touch();
    }
}

/// Returns whether nothing known of both differs. Where a user id is unknown, the e-mail decides.
fn could_be(record: &Account, who: &Account) -> bool {
    let emails_differ = match (&record.email, &who.email) {
        (Some(a), Some(b)) => a.to_lowercase() != b.to_lowercase(),
        _ => false,
    };
    record.identity.compare(&who.identity) != Likeness::Different && !emails_differ
}

/// Returns whether a record without a user id has the same workspace and e-mail.
fn is_likely(record: &Account, who: &Account) -> bool {
    record.identity.workspace_id.is_some()
        && record.identity.workspace_id == who.identity.workspace_id
        && record.email.is_some()
        && who.email.is_some()
        && could_be(record, who)
}

/// Returns the requested label, else the e-mail, else a generated one; with the workspace, or else the id, added when
/// another account has it.
fn free_label(records: &[Account], who: &Account, wanted: Option<&str>) -> String {
    let workspace = who.identity.workspace_id.as_deref().unwrap_or(who.id.as_str());
    let short: String = workspace.chars().take(8).collect();
    let label = match wanted.or(who.email.as_deref()) {
        Some(label) => label.trim().to_owned(),
        None => format!("OpenAI Codex {short}"),
    };
    let taken = |label: &str| {
        let label = label.to_lowercase();
        records.iter().any(|record| record.label.to_lowercase() == label)
    };
    let with_workspace = format!("{label} [{short}]");
    if !taken(&label) {
        label
    } else if !taken(&with_workspace) {
        with_workspace
    } else {
        format!("{label} [{}]", who.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{account, credential, id, limited, pool_of};
    use crate::pool::{At, Demand, Failover, Failure, FailureKind, Identity, Source, State};

    const NOW: At = At(1_000_000_000);

    fn someone(name: &str, workspace: &str, user: Option<&str>, email: Option<&str>) -> Account {
        let identity = Identity {
            workspace_id: Some(workspace.to_owned()),
            user_id: user.map(str::to_owned),
            ..Identity::default()
        };
        Account {
            email: email.map(str::to_owned),
            ..Account::new(id(name), identity, name.to_owned(), credential(name, 1))
        }
    }

    #[test]
    fn a_login_goes_to_its_own_identity_or_to_a_new_slot() {
        let records = [
            someone("ada", "ws-shared", Some("user-ada"), Some("ada@example.com")),
            someone("Bob@Example.com", "ws-shared", Some("user-bob"), Some("bob@example.com")),
            someone("old", "ws-old", None, Some("old@example.com")),
        ];
        let add = |label: Option<&str>| Purpose::Add { label: label.map(str::to_owned) };
        let check = |who: Account, purpose: Purpose, expected: Result<Placement, NotPlaced>| {
            assert_eq!(place(&records, &who, &purpose), expected, "{who:?} {purpose:?}");
        };
        let new = |label: &str| Ok(Placement::New { label: label.to_owned() });
        let ada = || someone("?", "ws-shared", Some("user-ada"), Some("renamed@example.com"));
        check(ada(), add(None), Ok(Placement::Known(0)));
        check(ada(), add(Some("other")), Ok(Placement::Known(0)));
        check(ada(), Purpose::Renew(id("ada")), Ok(Placement::Known(0)));
        check(ada(), Purpose::Renew(id("old")), Err(NotPlaced::OtherIdentity));
        check(ada(), Purpose::Renew(id("Bob@Example.com")), Err(NotPlaced::OtherIdentity));
        check(ada(), Purpose::Renew(id("nobody")), Err(NotPlaced::Gone));
        // The same e-mail in another workspace is another account.
        let cleo = |email| someone("?", "ws-cleo-1234", Some("user-cleo"), email);
        check(cleo(Some("bob@example.com")), add(None), new("bob@example.com [ws-cleo-]"));
        check(cleo(Some("cleo@example.com")), add(None), new("cleo@example.com"));
        check(cleo(None), add(None), new("OpenAI Codex ws-cleo-"));
        check(cleo(None), add(Some(" work ")), new("work"));
        check(cleo(None), add(Some("ADA")), new("ADA [ws-cleo-]"));
        // A record without a user id.
        let seat = |email| someone("?", "ws-old", Some("user-1"), email);
        check(seat(Some("OLD@example.com")), add(None), Ok(Placement::Known(2)));
        check(seat(Some("new@example.com")), add(None), new("new@example.com"));
        check(seat(None), add(None), new("OpenAI Codex ws-old"));
        check(seat(None), Purpose::Renew(id("old")), Ok(Placement::Known(2)));
        check(seat(Some("new@example.com")), Purpose::Renew(id("old")), Err(NotPlaced::OtherIdentity));
    }

    #[test]
    fn two_seats_whose_labels_collide_twice_are_told_apart_by_id() {
        let records = [
            someone("a@example.com", "w", Some("1"), None),
            someone("a@example.com [w]", "w", Some("2"), None),
        ];
        let third = someone("acc_3", "w", Some("3"), Some("a@example.com"));
        let placed = place(&records, &third, &Purpose::Add { label: None });
        assert_eq!(placed, Ok(Placement::New { label: "a@example.com [acc_3]".to_owned() }));
    }

    #[test]
    fn signing_in_keeps_slot_pin_session_and_history_and_ends_needs_login() {
        let mut pool = pool_of(&["a", "b", "c"]);
        let mut failover = Failover::new(Demand { session: Some("s".to_owned()), ..Demand::default() });
        failover.next(&mut pool, NOW);
        failover.failed(&mut pool, &limited(), NOW);
        pool.pin(&id("b"));
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, NOW);
        let dead = Failure::new(FailureKind::LoginRequired, Source::TokenEndpoint, "revoked");
        failover.failed(&mut pool, &dead, NOW);
        pool.pin(&id("b"));
        assert_eq!(pool.accounts()[1].state(NOW), State::NeedsLogin);

        // The new credential expires earlier than the old one, and knows more of the identity.
        let mut renewed = account("b2");
        renewed.label = "b".to_owned();
        renewed.credential = credential("b", 0);
        pool.sign_in(Some(&id("b")), renewed.clone());
        let ids: Vec<&str> = pool.accounts().iter().map(|account| account.id.as_str()).collect();
        assert_eq!(ids, ["a", "b2", "c"]);
        assert_eq!(pool.pinned(), Some(&id("b2")));
        let b = &pool.accounts()[1];
        assert_eq!((b.state(NOW), &b.credential), (State::Ready, &renewed.credential));
        assert_eq!(pool.accounts()[0].state(NOW), State::Cooling);
        assert_eq!(pool.get(&id("b")), None);

        let revision = pool.revision();
        pool.sign_in(None, account("d"));
        assert_eq!(pool.accounts()[3].label, "d");
        assert!(pool.revision() > revision && pool.get(&id("d")).is_some());
        // The account with the same id, when none is named.
        pool.sign_in(None, Account { credential: credential("d", 9), ..account("d") });
        assert_eq!((pool.accounts().len(), pool.accounts()[3].credential.expires_at), (4, At(9)));
    }

    #[test]
    fn a_renewed_account_is_picked_at_once() {
        let mut pool = pool_of(&["a"]);
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, NOW);
        let dead = Failure::new(FailureKind::LoginRequired, Source::TokenEndpoint, "revoked");
        failover.failed(&mut pool, &dead, NOW);
        assert_eq!(pool.active(NOW), None);
        pool.sign_in(Some(&id("a")), Account { credential: credential("a", 9), ..account("a") });
        assert_eq!(pool.active(NOW), Some(id("a")));
    }
}
