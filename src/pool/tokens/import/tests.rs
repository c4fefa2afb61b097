use proptest::prelude::*;

use super::*;
use crate::pool::testing::{account, credential, failure, id, limited, pool_of};
use crate::pool::{Credential, Demand, Failover, FailureKind, RotationSettings, State, Strategy as Rotation};

const NOW: At = At(1_000_000_000);

/// A login of `name` in pi's form.
fn login(name: &str, expires_at: i64) -> Account {
    let mut login = account(name);
    login.email = Some(format!("{name}@example.com"));
    login.label = format!("{name}@example.com");
    login.credential = credential(name, expires_at);
    login.linked = true;
    login
}

fn called(label: &str, mut record: Account) -> Account {
    record.label = label.to_owned();
    record
}

fn labels(merged: &Merged) -> Vec<&str> {
    merged.records.iter().map(|record| record.label.as_str()).collect()
}

fn linked(merged: &Merged) -> Vec<&str> {
    merged.records.iter().filter(|record| record.linked).map(|record| record.id.as_str()).collect()
}

fn credential_of<'a>(merged: &'a Merged, name: &str) -> &'a Credential {
    &merged.records.iter().find(|record| record.id == id(name)).expect("the account is there").credential
}

#[test]
fn a_login_is_left_where_it_is_for_a_reason() {
    let seen = |last: &str, removed: &str| SeenLogins {
        last: (!last.is_empty()).then(|| last.to_owned()),
        removed: (!removed.is_empty()).then(|| removed.to_owned()),
    };
    let check = |seen: SeenLogins, consumed, expected| {
        assert_eq!(seen.why_not("f", consumed), expected, "{seen:?} {consumed}");
    };
    check(seen("", ""), false, None);
    check(seen("e", "g"), false, None);
    check(seen("f", ""), false, Some(WhyNotImported::AsLastTime));
    check(seen("f", ""), true, Some(WhyNotImported::Consumed));
    check(seen("", "f"), false, Some(WhyNotImported::Removed));
    check(seen("f", "f"), false, Some(WhyNotImported::Removed));
    check(seen("e", "g"), true, Some(WhyNotImported::Consumed));
}

#[test]
fn a_new_identity_is_added_last_and_becomes_the_only_linked_one() {
    let old = Account { linked: true, ..account("a") };
    let merged = merge_login(vec![old.clone(), account("b")], login("c", 9));
    assert_eq!((labels(&merged), linked(&merged)), (vec!["a", "b", "c@example.com"], vec!["c"]));
    assert_eq!((&merged.added, &merged.updated), (&vec![id("c")], &vec![id("a")]));
    assert_eq!(
        (merged.label_before.as_deref(), merged.unlinked.as_slice()),
        (None, ["a".to_owned()].as_slice())
    );
    assert_eq!(merged.records[0], Account { linked: false, ..old }, "its credential stays");
}

#[test]
fn a_known_identity_takes_a_newer_credential_or_a_tie() {
    let check = |held: i64, found: i64, taken: bool| {
        let record = Account { credential: credential("mine", held), ..account("a") };
        let merged = merge_login(vec![record.clone()], login("a", found));
        let expected = if taken { credential("a", found) } else { record.credential };
        assert_eq!(*credential_of(&merged, "a"), expected, "{held} {found}");
        assert_eq!((labels(&merged), linked(&merged)), (vec!["a"], vec!["a"]), "{held} {found}");
        assert_eq!(merged.updated, [id("a")]);
    };
    check(5, 6, true);
    check(5, 5, true);
    check(5, 4, false);
}

#[test]
fn a_new_credential_clears_needs_login_and_an_old_one_does_not() {
    let check = |found: i64, expected: State| {
        let mut pool = pool_of(&["a"]);
        pool.set_credential(&id("a"), credential("a", 5));
        let mut failover = Failover::new(Demand::default());
        failover.next(&mut pool, NOW);
        failover.failed(&mut pool, &failure(FailureKind::LoginRequired), NOW);
        assert_eq!(pool.accounts()[0].state(NOW), State::NeedsLogin);
        let merged = merge_login(pool.accounts().to_vec(), login("a", found));
        assert_eq!(merged.records[0].state(NOW), expected, "{found}");
    };
    check(6, State::Ready);
    check(5, State::NeedsLogin);
    check(4, State::NeedsLogin);
}

#[test]
fn a_made_up_label_gives_way_to_the_e_mail_and_a_chosen_one_stays() {
    let check = |label: &str, others: &[&str], expected: &str| {
        let mut records = vec![called(label, account("a"))];
        records.extend(others.iter().zip(["b", "c"]).map(|(label, name)| called(label, account(name))));
        let merged = merge_login(records, login("a", 9));
        assert_eq!(labels(&merged)[0], expected, "{label} {others:?}");
        let again = merge_login(merged.records.clone(), login("a", 9));
        assert_eq!((again.changed(), again.records), (false, merged.records), "{label} {others:?}");
    };
    check("work", &[], "work");
    check("OpenAI Codex 12345678", &[], "a@example.com");
    check("OpenAI Codex workspac", &[], "a@example.com");
    check("OpenAI Codex 12345678", &["A@Example.com"], "a@example.com [workspac]");
    check("OpenAI Codex 12345678", &["a@example.com", "a@example.com [workspac]"], "a@example.com [a]");
}

#[test]
fn an_account_without_an_e_mail_has_a_label_made_up_for_it() {
    let of = |workspace: Option<&str>| Identity {
        workspace_id: workspace.map(str::to_owned),
        ..Identity::default()
    };
    assert_eq!(made_up_label(&of(Some("01234567-89ab")), &id("acc_x")), "OpenAI Codex 01234567");
    assert_eq!(made_up_label(&of(Some("ws")), &id("acc_x")), "OpenAI Codex ws");
    assert_eq!(made_up_label(&of(None), &id("acc_89abcdef0123")), "OpenAI Codex 89abcdef");
}

#[test]
fn records_that_turn_out_to_be_one_account_become_one_and_the_pin_follows() {
    // Known only by its refresh token, and the same account with its identity.
    let vague = Account { id: id("vague"), identity: Identity::default(), ..account("a") };
    let vague = called("OpenAI Codex 12345678", Account { credential: credential("a", 5), ..vague });
    let full = called("work", Account { credential: credential("mine", 3), ..account("a") });
    let mut pool = Pool::new(RotationSettings::default());
    pool.sync(vec![vague.clone(), account("b")], NOW);
    pool.pin(&id("vague"));

    let merged = merge_login(vec![vague, account("b"), full], login("a", 5));
    assert_eq!((labels(&merged), linked(&merged)), (vec!["work", "b"], vec!["a"]));
    assert_eq!(
        (merged.folded.as_slice(), merged.gone.as_slice()),
        (["work".to_owned()].as_slice(), [id("vague")].as_slice())
    );
    assert_eq!(merged.label_before.as_deref(), Some("OpenAI Codex 12345678"));
    assert_eq!(*credential_of(&merged, "a"), credential("a", 5));

    pool.follow(&merged.gone[0], &merged.account);
    pool.sync(merged.records, NOW);
    assert_eq!((pool.pinned(), pool.accounts().len()), (Some(&id("a")), 2));
}

#[test]
fn health_pin_and_sessions_follow_into_an_account_that_is_there_already() {
    let mut pool = pool_of(&["gone", "kept"]);
    let mut failover = Failover::new(Demand { session: Some("s".into()), ..Demand::default() });
    failover.next(&mut pool, NOW);
    failover.succeeded(&mut pool, NOW);
    let mut failover = Failover::new(Demand { account: Some(id("gone")), ..Demand::default() });
    failover.next(&mut pool, NOW);
    failover.failed(&mut pool, &limited(), NOW);
    pool.pin(&id("gone"));
    pool.follow(&id("gone"), &id("kept"));
    pool.sync(vec![account("kept")], NOW);
    assert_eq!((pool.pinned(), pool.session_account("s", NOW)), (Some(&id("kept")), Some(id("kept"))));
    assert_eq!(pool.accounts()[0].state(NOW), State::Cooling);
    pool.follow(&id("nobody"), &id("kept"));
    pool.follow(&id("kept"), &id("kept"));
    assert_eq!(pool.pinned(), Some(&id("kept")));
}

#[test]
fn a_copy_of_another_program_s_login_does_not_touch_a_linked_account() {
    let copy = Account { linked: false, ..login("a", 99) };
    let held = Account { linked: true, ..account("a") };
    let merged = merge_login(vec![held.clone(), account("b")], copy.clone());
    assert_eq!((merged.records, merged.unchanged), (vec![held, account("b")], vec![id("a")]));

    let merged = merge_login(vec![account("a"), Account { linked: true, ..account("b") }], copy);
    assert_eq!((linked(&merged), &merged.updated), (vec!["b"], &vec![id("a")]));
    assert_eq!(*credential_of(&merged, "a"), credential("a", 99));
}

#[test]
fn joining_changes_no_choice() {
    for strategy in [Rotation::ResetFirst, Rotation::LeastUsed, Rotation::RoundRobin, Rotation::Priority] {
        for newcomer in ["a", "z"] {
            for used in [false, true] {
                let mut pool = Pool::new(RotationSettings { strategy, ..RotationSettings::default() });
                pool.sync(vec![account("m")], NOW);
                if used {
                    let mut failover = Failover::new(Demand::default());
                    failover.next(&mut pool, NOW);
                    failover.succeeded(&mut pool, NOW);
                }
                pool.sync(vec![account("m"), account(newcomer)], NOW);
                pool.queue_last(&id(newcomer), NOW + std::time::Duration::from_millis(1));
                assert_eq!(pool.active(NOW), Some(id("m")), "{strategy:?} {newcomer} {used}");
            }
        }
    }
}

fn any_record() -> impl Strategy<Value = Account> {
    (0..4u8, 0..3u8, 0..6i64, 0..3u8, any::<bool>(), any::<bool>()).prop_map(
        |(who, label, expires, token, linked, vague)| {
            let name = ["a", "b", "c", "d"][usize::from(who)];
            let label = ["ada", "OpenAI Codex 12345678", name][usize::from(label)];
            let held = credential(["x", "y", name][usize::from(token)], expires);
            let record = Account { credential: held, linked, ..called(label, account(name)) };
            // A login that is known only by a token has its own token.
            let vague_id = id(&format!("vague-{name}-{expires}"));
            match vague {
                true => Account {
                    id: vague_id,
                    identity: Identity::default(),
                    credential: credential(name, expires),
                    ..record
                },
                false => record,
            }
        },
    )
}

/// Only its fingerprint tells that a login without an identity was merged before.
fn any_login() -> impl Strategy<Value = Account> {
    any_record().prop_filter("names somebody", |login| login.identity != Identity::default())
}

/// All that have something in common with the login, or with another one that has.
fn of_the_same_account(records: &[Account], login: &Account) -> Vec<Account> {
    let mut same = vec![login.clone()];
    let mut left = records.to_vec();
    let in_common = |a: &Account, b: &Account| {
        a.id == b.id
            || (a.identity.workspace_id.is_some() && a.identity == b.identity)
            || a.credential.refresh == b.credential.refresh
    };
    while let Some(at) = left.iter().position(|record| same.iter().any(|other| in_common(record, other))) {
        same.push(left.remove(at));
    }
    same.remove(0);
    same
}

proptest! {
    #[test]
    fn merging_loses_no_credential_and_fills_no_slot_twice(
        records in proptest::collection::vec(any_record(), 0..6),
        login in any_login(),
    ) {
        let login = Account { email: Some("mail@example.com".into()), ..login };
        let merged = merge_login(records.clone(), login.clone());

        let of_login: Vec<&Account> = merged.records.iter().filter(|record| record.id == merged.account).collect();
        prop_assert_eq!(of_login.len(), 1, "one identity, one slot");
        let survivor = of_login[0];
        for record in &records {
            let kept = merged.records.iter().any(|after| after.credential == record.credential);
            let outlived = of_the_same_account(&records, &login).contains(record);
            let outlived = outlived && survivor.credential.expires_at >= record.credential.expires_at;
            prop_assert!(kept || outlived, "{record:?} was lost");
        }
        let owned = of_the_same_account(&records, &login).iter().any(|record| record.linked);
        if login.linked || !owned {
            prop_assert!(survivor.credential.expires_at >= login.credential.expires_at);
        }
        if login.linked {
            prop_assert_eq!(linked(&merged), [merged.account.as_str()]);
        }
        prop_assert_eq!(merged.records.len() + merged.folded.len(), records.len() + merged.added.len());

        let again = merge_login(merged.records.clone(), login);
        prop_assert!(!again.changed(), "{again:?}");
        prop_assert_eq!(again.records, merged.records);
    }

    #[test]
    fn pin_and_choice_stay_but_for_a_fold(
        records in proptest::collection::vec(any_record(), 1..6),
        login in any_login(),
        pinned in 0..6usize,
    ) {
        let mut pool = Pool::new(RotationSettings::default());
        pool.sync(records.clone(), NOW);
        let pin = pool.accounts().get(pinned).map(|account| account.id.clone());
        if let Some(pin) = &pin {
            pool.pin(pin);
        }
        let active = pool.active(NOW);
        let merged = merge_login(records, login.clone());
        for gone in &merged.gone {
            pool.follow(gone, &merged.account);
        }
        pool.sync(merged.records.clone(), NOW);
        for added in &merged.added {
            pool.queue_last(added, NOW);
        }
        let followed = |was: Option<AccountId>| was.map(|was| match merged.gone.contains(&was) {
            true => merged.account.clone(),
            false => was,
        });
        if pin.is_some() {
            prop_assert_eq!(pool.pinned().cloned(), followed(pin));
            prop_assert_eq!(pool.active(NOW), followed(active));
        } else {
            prop_assert_eq!(pool.active(NOW).is_some(), active.is_some());
            if merged.gone.is_empty() && merged.folded.is_empty() {
                prop_assert_eq!(pool.active(NOW), active);
            }
        }
    }
}
