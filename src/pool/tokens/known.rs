//! Ids that exist stay as they are: an account whose new token lacks a claim, or has one more, is still that account.

use std::collections::{HashMap, HashSet};

use crate::pool::{Account, AccountId, Identity, Likeness};

/// An account that had its id before the records were read.
#[derive(Clone, Debug)]
pub struct KnownAccount {
    pub id: AccountId,
    /// `None` when an earlier version saved it.
    pub identity: Option<Identity>,
    pub label: Option<String>,
    /// Whether it is in the pool, with its credential.
    pub current: Option<Account>,
}

/// Whether a known account is the one that was read.
type Rule<'a> = dyn Fn(&KnownAccount, &Account) -> bool + 'a;

/// Gives each record the id, and the claims that its token lacks, of the known account that it belongs to.
/// `id_without_user` returns the id that earlier versions gave to a record whose token has no user id.
pub fn keep_ids(
    records: &mut [Account],
    known: &[KnownAccount],
    id_without_user: impl Fn(&Account) -> AccountId,
) {
    let by_id: HashMap<&AccountId, &KnownAccount> =
        known.iter().map(|account| (&account.id, account)).collect();
    let mut taken: HashSet<AccountId> = HashSet::with_capacity(known.len());
    let mut open: Vec<usize> = Vec::new();
    for (index, record) in records.iter_mut().enumerate() {
        match by_id.get(&record.id) {
            Some(account) if likeness(account, record) == Likeness::Same || account.identity.is_none() => {
                taken.insert(account.id.clone());
                adopt(record, account);
            }
            _ => open.push(index),
        }
    }
    // The strongest evidence decides for all records before weaker evidence does for any.
    let rules: [&Rule; 4] = [
        &|account, record| likeness(account, record) == Likeness::Same,
        &|account, record| account.id == record.id && likeness(account, record) != Likeness::Different,
        &|account, record| is_continued(account, record) && likeness(account, record) == Likeness::Unknown,
        &|account, record| account.identity.is_none() && account.id == id_without_user(record),
    ];
    for rule in rules {
        open.retain(|&index| {
            let record = &mut records[index];
            let found = known.iter().find(|account| !taken.contains(&account.id) && rule(account, record));
            if let Some(account) = found {
                taken.insert(account.id.clone());
                adopt(record, account);
            }
            found.is_none()
        });
    }
}

fn likeness(account: &KnownAccount, record: &Account) -> Likeness {
    account.identity.as_ref().map_or(Likeness::Unknown, |identity| identity.compare(&record.identity))
}

/// Whether the record has the label or the refresh token of the account.
fn is_continued(account: &KnownAccount, record: &Account) -> bool {
    let refresh = &record.credential.refresh;
    account.label.as_ref().is_some_and(|label| label.to_lowercase() == record.label.to_lowercase())
        || account
            .current
            .as_ref()
            .is_some_and(|current| current.credential.refresh == *refresh && !refresh.expose().is_empty())
}

fn adopt(record: &mut Account, account: &KnownAccount) {
    record.id = account.id.clone();
    if let Some(identity) = &account.identity {
        record.identity = identity.completed_by(&record.identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::testing::{account, id};

    fn user(name: &str, user: Option<&str>, subject: Option<&str>) -> Account {
        let identity = Identity {
            workspace_id: Some("w".to_owned()),
            user_id: user.map(str::to_owned),
            subject: subject.map(str::to_owned),
            ..Identity::default()
        };
        Account { identity, ..account(name) }
    }

    fn known(account: &Account) -> KnownAccount {
        KnownAccount {
            id: account.id.clone(),
            identity: Some(account.identity.clone()),
            label: Some(account.label.clone()),
            current: None,
        }
    }

    fn kept(records: &[Account], known: &[KnownAccount]) -> Vec<String> {
        let mut records = records.to_vec();
        keep_ids(&mut records, known, |_| id("without-user"));
        records.iter().map(|record| record.id.to_string()).collect()
    }

    #[test]
    fn an_account_keeps_its_id_when_its_token_lacks_a_claim() {
        let (ada, bob) = (user("ada", Some("u1"), Some("s1")), user("bob", Some("u2"), Some("s2")));
        let all = [known(&ada), known(&bob)];
        // By a weaker claim, whatever the label.
        let less = [user("x", None, Some("s2")), user("y", None, Some("s1"))];
        assert_eq!(kept(&less, &all), ["bob", "ada"]);
        // By the label, when the token names no user at all.
        let nameless = Account { label: "bob".to_owned(), ..user("x", None, None) };
        assert_eq!(kept(std::slice::from_ref(&nameless), &all), ["bob"]);
        // Someone else under the label of an account is someone else.
        let other = Account { label: "bob".to_owned(), ..user("x", Some("u3"), None) };
        assert_eq!(kept(&[other], &all), ["x"]);
        // The better evidence comes first, in whatever order the records are.
        assert_eq!(kept(&[nameless, user("z", None, Some("s2"))], &all), ["x", "bob"]);
        // Its claims come with the id.
        let mut records = [user("x", None, Some("s1"))];
        keep_ids(&mut records, &all, |_| id("without-user"));
        assert_eq!(records[0].identity, ada.identity);
    }

    #[test]
    fn an_id_of_an_earlier_version_stays_with_the_first_record_that_had_it() {
        let earlier = KnownAccount { id: id("without-user"), identity: None, label: None, current: None };
        let records = [user("a", None, Some("s1")), user("b", None, Some("s2"))];
        assert_eq!(kept(&records, &[earlier]), ["without-user", "b"]);
    }
}
