#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::pool::{
    AdditionalLimit, Backoff, Certainty, Cooldown, Credits, FailureKind, HealthEvidence, HealthStatus, Known,
    ModelExclusion, Reserve, ResetCredit, Seen, Source, SpendControl, Usage, UsageSource, Window,
};

const NOW: At = At(1_700_000_000_000);

fn bench() -> (tempfile::TempDir, StateFile) {
    let dir = tempfile::tempdir().unwrap();
    let file = StateFile::new(&dir.path().join("state"));
    (dir, file)
}

fn mark(kind: FailureKind) -> HealthEvidence {
    HealthEvidence {
        kind,
        code: Some("c".to_owned()),
        message: "m".to_owned(),
        since: At(1),
        source: Source::ResponseBody,
    }
}

fn full_state() -> SavedState {
    let cooldown = |certainty| Cooldown {
        until: At(5),
        certainty,
        quoted_reset: Some(At(6)),
        why: mark(FailureKind::UsageLimit),
    };
    fn known<T>(value: T) -> Known<T> {
        Known { value, seen: Seen { at: At(14), source: UsageSource::StreamEvent } }
    }
    let window = Window { window_minutes: 300, used_percent: 12.5, resets_at: Some(At(7)) };
    let health = Health {
        standing: HealthStatus::NeedsLogin(mark(FailureKind::LoginRequired)),
        cooldown: Some(cooldown(Certainty::Prediction)),
        limit_cooldowns: vec![("codex_bengalfox".to_owned(), cooldown(Certainty::Directive))],
        backoff: Some(Backoff { until: At(8), failures: 3, why: mark(FailureKind::Overloaded) }),
        model_exclusions: vec![ModelExclusion { model: "gpt-x".to_owned(), until: At(9), since: At(8) }],
        usage: Some(Usage {
            windows: vec![window, Window { resets_at: None, ..window }],
            reached: Some("rate_limit_reached".to_owned()),
            source: UsageSource::ResponseHeaders,
            fetched_at: At(10),
            limits: vec![known(AdditionalLimit {
                limit_id: "codex_bengalfox".to_owned(),
                name: Some("n".to_owned()),
                windows: vec![window],
                refuses: false,
            })],
            limits_listed_at: Some(At(9)),
            credits: Some(known(Credits {
                has_credits: true,
                unlimited: false,
                balance: Some("1".to_owned()),
            })),
            spend: Some(known(SpendControl {
                reached: true,
                limit: Some("20".to_owned()),
                used: Some("20.01".to_owned()),
                used_percent: Some(100.5),
                resets_at: Some(At(15)),
            })),
            resets_left: Some(known(2)),
            reset_credits: Some(known(vec![ResetCredit {
                id: "c1".to_owned(),
                expires_at: Some(At(16)),
                status: Some("available".to_owned()),
            }])),
            reserve: Some(known(Reserve { granted: true, ordinary_model: Some("gpt-5.6-luna".to_owned()) })),
        }),
        last_used_at: Some(At(11)),
        withdrawn_at: Some(At(12)),
        reinstated_at: Some(At(13)),
    };
    let first = SavedAccount {
        health,
        disabled: true,
        disabled_changed_at: At(13),
        plan: Some("plus".to_owned()),
        ..SavedAccount::default()
    };
    let deactivated = HealthStatus::Deactivated(mark(FailureKind::Deactivated));
    let second = SavedAccount {
        health: Health { standing: deactivated, ..Health::default() },
        ..SavedAccount::default()
    };
    SavedState {
        accounts: vec![
            (AccountId::new("acc_1"), first),
            (AccountId::new("acc_2"), second),
            (AccountId::new("acc_3"), SavedAccount::default()),
        ],
        pinned: Some(AccountId::new("acc_1")),
        pin_changed_at: At(14),
        sessions: vec![SavedSession {
            session: "s-1".to_owned(),
            account: AccountId::new("acc_2"),
            last_used_at: At(15),
        }],
    }
}

#[test]
fn everything_saved_is_read_again() {
    let (dir, file) = bench();
    let nothing = LoadedState { state: SavedState::default(), set_aside: None };
    assert_eq!(file.load(NOW).unwrap(), nothing);
    assert!(!dir.path().join("state").exists(), "reading makes nothing");

    file.merge_and_save(NOW, |state| *state = full_state()).unwrap();
    assert_eq!(file.load(NOW).unwrap(), LoadedState { state: full_state(), set_aside: None });
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file.path()), mode(&dir.path().join("state"))), (0o600, 0o700));
}

#[test]
fn file_keeps_the_form_that_earlier_versions_read() {
    let before = include_str!("../../../../tests/data/state.json");
    assert_eq!(to_json(&full_state()), before.trim_end());
    assert_eq!(serde_json::from_str::<SavedState>(before).unwrap(), full_state());
}

#[test]
fn two_sidecars_join_what_they_know() {
    let (_dir, file) = bench();
    for id in ["acc_1", "acc_2"] {
        let ((), set_aside) = file
            .merge_and_save(NOW, |state| state.accounts.push((AccountId::new(id), SavedAccount::default())))
            .unwrap();
        assert_eq!(set_aside, None);
    }
    let ids: Vec<_> =
        file.load(NOW).unwrap().state.accounts.into_iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids, ["acc_1", "acc_2"]);
}

#[test]
fn a_directory_others_may_enter_is_narrowed() {
    let (dir, file) = bench();
    let state_dir = dir.path().join("state");
    fs::create_dir(&state_dir).unwrap();
    fs::set_permissions(&state_dir, fs::Permissions::from_mode(0o755)).unwrap();
    file.merge_and_save(NOW, |state| state.pinned = Some(AccountId::new("acc_1"))).unwrap();
    assert_eq!(fs::metadata(&state_dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_damaged_file_is_set_aside_and_begun_anew() {
    for content in ["", "{", "[]x", "7", r#"{"accounts":7}"#, r#"{"accounts":[{}]}"#] {
        let (dir, file) = bench();
        fs::create_dir(dir.path().join("state")).unwrap();
        fs::write(file.path(), content).unwrap();
        let aside = dir.path().join("state/state.json.corrupt-1700000000000");
        let loaded = file.load(NOW).unwrap();
        assert_eq!(
            loaded,
            LoadedState { state: SavedState::default(), set_aside: Some(aside.clone()) },
            "{content}"
        );
        assert_eq!(fs::read_to_string(aside).unwrap(), content);
        assert!(!file.path().exists());

        fs::write(file.path(), content).unwrap();
        let (seen, aside) = file.merge_and_save(At(5), |state| state.clone()).unwrap();
        assert_eq!(
            (seen, aside),
            (SavedState::default(), Some(file.path().with_file_name("state.json.corrupt-5")))
        );
        assert_eq!(file.load(NOW).unwrap().set_aside, None);
    }
}

#[test]
fn what_a_later_version_adds_is_tolerated() {
    fn check(account: &str, expected: SavedAccount) {
        let text =
            format!(r#"{{"later":1,"accounts":[{{"id":"acc_1","later":[],{account}}}],"sessions":[]}}"#);
        let state = serde_json::from_str::<SavedState>(&text).unwrap();
        assert_eq!(state.accounts, [(AccountId::new("acc_1"), expected)], "{account}");
    }
    let why = r#"{"kind":"usage_limit","message":"m","since":1,"source":"response_body","later":1}"#;
    let new_kind = r#"{"kind":"new_kind","message":"m","since":1,"source":"response_body"}"#;
    let disabled = SavedAccount { disabled: true, ..SavedAccount::default() };
    check(r#""disabled":true"#, disabled.clone());
    check(&format!(r#""disabled":true,"needsLogin":{new_kind}"#), disabled.clone());
    check(
        &format!(r#""disabled":true,"cooldown":{{"until":5,"certainty":"new","why":{why}}}"#),
        disabled.clone(),
    );
    check(
        &format!(r#""disabled":true,"backoff":{{"until":5,"failures":1,"why":{new_kind}}}"#),
        disabled.clone(),
    );
    check(r#""disabled":true,"usage":{"windows":[],"source":"new","fetchedAt":1}"#, disabled.clone());
    let cooldown = Cooldown {
        until: At(5),
        certainty: Certainty::Guess,
        quoted_reset: None,
        why: HealthEvidence { code: None, ..mark(FailureKind::UsageLimit) },
    };
    let cooling = SavedAccount {
        health: Health { cooldown: Some(cooldown), ..Health::default() },
        ..SavedAccount::default()
    };
    check(&format!(r#""cooldown":{{"until":5,"certainty":"guess","why":{why}}}"#), cooling);
}

#[test]
fn a_share_that_is_no_number_is_not_saved() {
    let mut state = full_state();
    let usage = state.accounts[0].1.health.usage.as_mut().unwrap();
    usage.windows[0].used_percent = f64::NAN;
    usage.limits[0].value.windows[0].used_percent = f64::INFINITY;
    let read = serde_json::from_str::<SavedState>(&to_json(&state)).unwrap();
    let usage = read.accounts[0].1.health.usage.as_ref().unwrap();
    assert_eq!((usage.windows.len(), usage.limits[0].value.windows.len()), (1, 0));
}
