#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::time::Duration;

use strum::VariantArray;

use super::*;
use crate::pool::{
    AccountId, AffinityMode, FooterOrder, ReserveUse, ResetCreditUse, ResetWindow, Strategy, Transport,
    UsageMode,
};

fn load(content: &str) -> Result<Settings, StorageError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.json");
    std::fs::write(&path, content).unwrap();
    SettingsFile::new(path).load()
}

#[test]
fn nothing_said_is_all_defaults() {
    assert_eq!(SettingsFile::new("/nowhere/settings.json").load().unwrap(), Settings::default());
    for content in [
        "{}",
        r#"{"theme":"dark"}"#,
        r#"{"pi-multicodex":{}}"#,
        r#"{"pi-multicodex":{"rotation":null,"order":null}}"#,
    ] {
        assert_eq!(load(content).unwrap(), Settings::default(), "{content}");
    }
}

#[test]
fn every_value_is_read() {
    let settings = load(
        r#"{"theme":"dark","pi-multicodex":{"usageMode":"used","resetWindow":"5h","showAccount":false,
        "showReset":false,"order":"usage-first","later":1,"rotation":{"strategy":"priority","affinity":"none","transport":"websocket",
        "maxAttempts":3,"fallbackCooldownMs":60000,"reservePercent":12.5,"waitForResetMs":5000,
        "reserve":"any","resetCredits":"when-dry",
        "priority":[{"account":"acc_1","priority":-100},{"account":"acc_2","priority":7}]}}}"#,
    )
    .unwrap();
    let expected = Settings {
        rotation: RotationSettings {
            strategy: Strategy::Priority,
            affinity: AffinityMode::None,
            transport: Transport::WebSocket,
            max_attempts: 3,
            fallback_cooldown: Duration::from_secs(60),
            reserve_percent: 12.5,
            wait_for_reset: Some(Duration::from_secs(5)),
            reserve: ReserveUse::Any,
            reset_credits: ResetCreditUse::WhenDry,
            priority: HashMap::from([(AccountId::new("acc_1"), -100), (AccountId::new("acc_2"), 7)]),
        },
        footer: FooterPrefs {
            usage_mode: UsageMode::Used,
            reset_window: ResetWindow::FiveHours,
            show_account: false,
            show_reset: false,
            order: FooterOrder::UsageFirst,
        },
        problems: vec![],
    };
    assert_eq!(settings, expected);
}

#[test]
fn a_strategy_that_the_file_names_is_kept_whatever_the_default_is() {
    for &strategy in Strategy::VARIANTS {
        let name = strategy.name();
        let settings = load(&format!(r#"{{"pi-multicodex":{{"rotation":{{"strategy":"{name}"}}}}}}"#));
        assert_eq!(settings.unwrap().rotation.strategy, strategy);
    }
    assert_eq!(load("{}").unwrap().rotation.strategy, Strategy::RoundRobin);
}

#[test]
fn an_invalid_value_costs_only_itself() {
    fn check(ours: &str, problems: &[&str]) {
        let settings = load(&format!(r#"{{"pi-multicodex":{ours}}}"#)).unwrap();
        let found: Vec<_> = settings.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(found, problems, "{ours}");
        assert_eq!(Settings { problems: vec![], ..settings }, Settings::default(), "{ours}");
    }
    check("[]", &["pi-multicodex"]);
    check(r#"{"usageMode":"half"}"#, &["pi-multicodex.usageMode"]);
    check(
        r#"{"resetWindow":7,"showAccount":"yes","showReset":0,"order":"x"}"#,
        &[
            "pi-multicodex.resetWindow",
            "pi-multicodex.showAccount",
            "pi-multicodex.showReset",
            "pi-multicodex.order",
        ],
    );
    check(r#"{"rotation":3}"#, &["pi-multicodex.rotation"]);
    check(r#"{"unknown":1e400}"#, &["pi-multicodex"]);
    check(r#"{"unknown":"\ud800"}"#, &["pi-multicodex"]);
    for (name, value) in [
        ("strategy", "\"best\""),
        ("affinity", "true"),
        ("maxAttempts", "0"),
        ("maxAttempts", "1.5"),
        ("fallbackCooldownMs", "0"),
        ("fallbackCooldownMs", "-1"),
        ("reservePercent", "100.5"),
        ("waitForResetMs", "-1"),
        ("reserve", "\"always\""),
        ("resetCredits", "true"),
        ("priority", "{}"),
    ] {
        let path = format!("pi-multicodex.rotation.{name}");
        check(&format!(r#"{{"rotation":{{"{name}":{value}}}}}"#), &[&path]);
    }
    check(
        r#"{"rotation":{"priority":[{"account":"a","priority":101},{"priority":1},7]}}"#,
        &[
            "pi-multicodex.rotation.priority[0]",
            "pi-multicodex.rotation.priority[1]",
            "pi-multicodex.rotation.priority[2]",
        ],
    );
}

#[test]
fn what_is_expected_names_every_value_there_is() {
    let settings = load(
        r#"{"pi-multicodex":{"usageMode":0,"resetWindow":0,"order":0,"rotation":{"strategy":0,"affinity":0}}}"#,
    );
    let problems = settings.unwrap().problems;
    let check = |path: &str, names: &[&str]| {
        let problem = problems.iter().find(|problem| problem.path.ends_with(path)).unwrap();
        assert!(names.iter().all(|name| problem.expected.contains(name)), "{problem:?}");
    };
    check(".usageMode", &UsageMode::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check(".resetWindow", &ResetWindow::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check(".order", &FooterOrder::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check(".strategy", &Strategy::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
    check(".affinity", &AffinityMode::VARIANTS.iter().map(|it| it.name()).collect::<Vec<_>>());
}

#[test]
fn a_good_value_beside_a_bad_one_is_kept() {
    let settings =
        load(r#"{"pi-multicodex":{"order":"x","rotation":{"maxAttempts":2,"strategy":0}}}"#).unwrap();
    assert_eq!((settings.rotation.max_attempts, settings.problems.len()), (2, 2));
}

#[test]
fn a_file_that_does_not_parse_is_told_with_its_position() {
    fn check(content: &str, expected: (usize, usize)) {
        match load(content) {
            Err(StorageError::Corrupt { line, column, .. }) => {
                assert_eq!((line, column), expected, "{content}")
            }
            other => panic!("{content}: {other:?}"),
        }
    }
    check("", (1, 0));
    check("{\n  \"a\": nope}", (2, 9));
    check("[]", (1, 0));
}
