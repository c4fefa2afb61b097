use super::*;
use crate::pool::testing::{account, credential, failure, id, limited, pool_of};
use crate::pool::{Credential, Demand, Failover, FailureKind, Identity, RotationSettings, State};
use proptest::prelude::*;

const NOW: At = At(1_000_000_000);

fn with_credential(name: &str, credential: Credential) -> Account {
    Account { credential, ..account(name) }
}

fn labels(pool: &Pool) -> Vec<&str> {
    pool.accounts().iter().map(|account| account.label.as_str()).collect()
}

#[test]
fn membership_and_order_are_the_file_s_and_health_stays() {
    let mut pool = pool_of(&["a", "b", "c"]);
    let mut failover = Failover::new(Demand::default());
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &limited(), NOW);
    pool.set_disabled(&id("b"), true);
    pool.pin(&id("c"));
    let revision = pool.revision();

    let report = pool.sync(vec![account("d"), account("b"), account("a")], NOW);
    let expected =
        SyncReport { added: vec![id("d")], removed: vec![id("c")], reordered: true, ..SyncReport::default() };
    assert_eq!(report, expected);
    assert!(report.changed() && pool.revision() > revision);
    assert_eq!(labels(&pool), ["d", "b", "a"]);
    let state = |name| pool.get(&id(name)).map(|account| account.state(NOW));
    assert_eq!((state("a"), state("b"), state("c")), (Some(State::Cooling), Some(State::Disabled), None));
    assert_eq!(pool.pinned(), None);

    let again = pool.sync(vec![account("d"), account("b"), account("a")], NOW);
    assert_eq!((again.changed(), again), (false, SyncReport::default()));
}

#[test]
fn only_a_newer_credential_or_a_tie_takes_the_place_of_the_one_held() {
    let check = |held: i64, filed: i64, replaced: bool| {
        let mut pool = pool_of(&["a"]);
        let mine = credential("mine", held);
        pool.set_credential(&id("a"), mine.clone());
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, NOW);
        failover.failed(&mut pool, &failure(FailureKind::LoginRequired), NOW);
        let theirs = credential("theirs", filed);
        let report = pool.sync(vec![with_credential("a", theirs.clone())], NOW);
        let a = &pool.accounts()[0];
        assert_eq!(a.credential, if replaced { theirs } else { mine }, "{held} {filed}");
        assert_eq!(a.state(NOW), if replaced { State::Ready } else { State::NeedsLogin }, "{held} {filed}");
        assert_eq!(!report.updated.is_empty(), replaced);
    };
    check(10, 11, true);
    check(10, 10, true);
    check(10, 9, false);
}

#[test]
fn records_of_one_identity_fill_one_slot() {
    let mut pool = Pool::new(RotationSettings::default());
    let made_up =
        Account { label: "OpenAI Codex 12345678".into(), ..with_credential("a", credential("old", 5)) };
    let newer = Account { label: "ada".into(), linked: true, ..with_credential("a", credential("new", 9)) };
    let report = pool.sync(vec![made_up.clone(), account("b"), newer.clone()], NOW);
    assert_eq!(report.folded, [(id("a"), "OpenAI Codex 12345678".to_owned())]);
    assert_eq!(labels(&pool), ["ada", "b"]);
    let a = &pool.accounts()[0];
    assert_eq!((&a.credential, a.linked), (&credential("new", 9), true));

    let named = Account { label: "ada's".into(), ..made_up };
    let report = pool.sync(vec![newer, account("b"), named], NOW);
    assert_eq!((report.changed(), report.folded), (false, vec![(id("a"), "ada's".to_owned())]));
}

#[test]
fn pin_and_sessions_follow_a_record_that_turns_out_to_be_another_s_double() {
    // Known only by its workspace; then the same refresh token appears with the user id as well.
    let vague_identity = Identity { workspace_id: Some("workspace-full".into()), ..Identity::default() };
    let vague = Account { id: id("vague"), identity: vague_identity, ..account("full") };
    let mut pool = Pool::new(RotationSettings::default());
    pool.sync(vec![account("b"), vague.clone()], NOW);
    pool.pin(&id("vague"));
    let mut failover = Failover::new(Demand { session: Some("s".into()), ..Demand::default() });
    failover.next(&mut pool, NOW);
    failover.succeeded(&mut pool, NOW);

    let report = pool.sync(vec![account("b"), vague, account("full")], NOW);
    assert_eq!((report.added, report.removed), (vec![id("full")], vec![id("vague")]));
    assert_eq!((pool.pinned(), pool.session_account("s", NOW)), (Some(&id("full")), Some(id("full"))));
    assert_eq!(pool.get(&id("full")).and_then(|account| account.health.last_used_at), Some(NOW));
}

#[test]
fn sessions_of_an_account_that_left_do_not_wait_for_it() {
    let mut pool = pool_of(&["a", "b"]);
    let mut failover = Failover::new(Demand { session: Some("s".into()), ..Demand::default() });
    failover.next(&mut pool, NOW);
    failover.succeeded(&mut pool, NOW);
    pool.sync(vec![account("b")], NOW);
    pool.sync(vec![account("a"), account("b")], NOW);
    assert_eq!(pool.session_account("s", NOW), None);
}

#[test]
fn a_double_that_was_cooling_cools_the_one_kept() {
    let vague_identity = Identity { workspace_id: Some("workspace-full".into()), ..Identity::default() };
    let vague = Account { id: id("vague"), identity: vague_identity, ..account("full") };
    let mut pool = Pool::new(RotationSettings::default());
    pool.sync(vec![vague.clone()], NOW);
    let mut failover = Failover::new(Demand::default());
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &limited(), NOW);
    pool.sync(vec![vague, account("full")], NOW);
    assert_eq!((pool.active(NOW), pool.accounts()[0].state(NOW)), (None, State::Cooling));
}

#[test]
fn records_are_of_one_account_through_a_third_but_one_token_does_not_join_two_people() {
    let holding = |token: &str, expires_at, record: Account| Account {
        credential: credential(token, expires_at),
        ..record
    };
    let vague = |name: &str| Account { id: id(name), identity: Identity::default(), ..account(name) };
    let mut pool = Pool::new(RotationSettings::default());
    let loaded = vec![
        holding("old", 1, account("a")),
        holding("new", 4, vague("vague")),
        holding("new", 4, account("a")),
        holding("new", 5, account("b")),
    ];
    let report = pool.sync(loaded, NOW);
    let ids: Vec<&AccountId> = pool.accounts().iter().map(|account| &account.id).collect();
    assert_eq!((ids, report.folded.len()), (vec![&id("a"), &id("b")], 2));
    assert_eq!(pool.accounts()[0].credential, credential("new", 4));
}

#[test]
fn one_refresh_token_does_not_make_two_people_one() {
    let mut pool = Pool::new(RotationSettings::default());
    let other = Account { credential: credential("a", 1), ..account("b") };
    assert_eq!(pool.sync(vec![account("a"), other], NOW).folded, []);
    assert_eq!(pool.accounts().len(), 2);
}

#[test]
fn two_accounts_of_one_label_are_told_apart() {
    let mut pool = Pool::new(RotationSettings::default());
    let called = |name: &str, label: &str| Account { label: label.into(), ..account(name) };
    let loaded = vec![called("a", "ada"), called("b", "Ada"), called("c", "ada")];
    pool.sync(loaded.clone(), NOW);
    assert_eq!(labels(&pool), ["ada", "Ada [workspac]", "ada [c]"]);
    assert!(!pool.sync(loaded, NOW).changed());
}

fn any_record() -> impl Strategy<Value = Account> {
    (0..4u8, 0..3u8, 0..6i64, 0..3u8, any::<bool>()).prop_map(|(who, label, expires, token, linked)| {
        let name = ["a", "b", "c", "d"][usize::from(who)];
        let label = ["ada", "OpenAI Codex 12345678", name][usize::from(label)];
        let credential = credential(["x", "y", name][usize::from(token)], expires);
        Account { label: label.into(), credential, linked, ..account(name) }
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]
    #[test]
    fn syncing_is_idempotent_and_loses_nothing(
        before in proptest::collection::vec(any_record(), 0..6),
        loaded in proptest::collection::vec(any_record(), 0..6),
    ) {
        let mut pool = Pool::new(RotationSettings::default());
        pool.sync(before, NOW);
        let held: HashMap<AccountId, Credential> =
            pool.accounts().iter().map(|account| (account.id.clone(), account.credential.clone())).collect();
        pool.sync(loaded.clone(), NOW);

        let ids: Vec<&AccountId> = pool.accounts().iter().map(|account| &account.id).collect();
        let wanted: HashSet<&AccountId> = loaded.iter().map(|account| &account.id).collect();
        prop_assert_eq!(ids.len(), wanted.len(), "no two slots with one id");
        let names: HashSet<String> = pool.accounts().iter().map(|account| account.label.to_lowercase()).collect();
        prop_assert_eq!(names.len(), ids.len());
        for account in pool.accounts() {
            prop_assert_eq!(pool.get(&account.id), Some(account));
            let records = loaded.iter().filter(|record| record.id == account.id);
            let newest = records.map(|record| record.credential.expires_at).max();
            let newest = newest.max(held.get(&account.id).map(|credential| credential.expires_at));
            prop_assert_eq!(Some(account.credential.expires_at), newest);
        }
        let (settled, revision) = (pool.accounts().to_vec(), pool.revision());
        prop_assert!(!pool.sync(loaded, NOW).changed());
        prop_assert_eq!((pool.accounts(), pool.revision()), (settled.as_slice(), revision));
    }
}
