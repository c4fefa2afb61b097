//! The output for thirty accounts on a terminal of 80 columns, as committed in `tests/data/screens`. After a change
//! check each new screen: `INSTA_UPDATE=always cargo test --test it screens`, then `git diff`.

use std::path::Path;

use multicodex::protocol::{
    Account, AccountTally, Affinity, Attempt, AttemptOutcome, Check, CheckId, CheckStatus, DayTally,
    HistoryAnswer, RankedAccount, ReasoningDropped, ReserveUse, ResetCreditUse, Rotation, RotationSettings,
    Strategy, Tally, TokenCount, Transport, UsageMode, VerifyAnswer,
};
use multicodex::render::{self, TextStyle};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthChar;

const NOW: i64 = 1_795_674_000_000;
const HOUR: i64 = 3_600_000;
const WIDTH: usize = 80;

/// Long e-mails that differ in one place, wide and joined characters, and one that tries to colour the screen.
const NAMES: [&str; 8] = [
    "ada.lovelace-the-countess-of-nothing-in-particular+work@subdomain.example.com",
    "ada.lovelace-the-countess-of-nothing-in-particular+home@subdomain.example.com",
    "日本語の名前@例え.jp",
    "e\u{301}mile@example.com",
    "👩‍💻 work 🇩🇪",
    "OpenAI Codex 1234abcd [deadbeef]",
    "한국어@example.com",
    "red \u{1b}[31m@example.com",
];

fn accounts() -> Vec<Account> {
    (0..30).map(|nth| serde_json::from_value(account(nth)).expect("an account")).collect()
}

fn account(nth: i64) -> Value {
    let label = usize::try_from(nth)
        .ok()
        .and_then(|nth| NAMES.get(nth))
        .map_or_else(|| format!("account-{nth:02}@example.com"), ToString::to_string);
    let window = |name: &str, minutes: i64, used: i64| json!({"name": name, "windowMinutes": minutes, "usedPercent": used, "resetsAt": NOW + HOUR});
    let windows = [window("5h", 300, nth * 7 % 101), window("7d", 10_080, nth * 5 % 101)];
    let usage = json!({
        "windows": windows[..usize::try_from(nth % 3).expect("small")], "fetchedAt": NOW - 90_000,
        "source": "usage_endpoint", "stale": false,
    });
    let (state, kind) = match nth {
        3 => ("needs_login", Some("login_required")),
        6 | 9 => ("cooling", Some("usage_limit")),
        12 => ("deactivated", Some("deactivated")),
        15 => ("disabled", None),
        _ => ("ready", None),
    };
    let reason = kind.map(|kind| {
        json!({"kind": kind, "message": "as upstream put it", "since": NOW - HOUR, "source": "response_body"})
    });
    json!({
        "id": format!("acc_{nth:016x}"), "label": label, "active": nth == 1, "pinned": nth == 1, "linked": nth == 2,
        "plan": if nth % 4 == 0 { Value::Null } else { json!("plus") }, "state": state, "reason": reason,
        "cooldownUntil": (state == "cooling").then_some(NOW + nth * HOUR),
        "token": {"expiresAt": NOW + (nth - 1) * HOUR, "state": if nth < 2 { "expired" } else { "valid" }},
        "usage": usage,
    })
}

fn attempts() -> HistoryAnswer {
    let tokens = |nth: u64| TokenCount { input: 40 << nth, cached: 30 << nth, output: 9 * nth };
    let tally = |nth: u64| Tally {
        attempts: 3 * nth + 1,
        completed: 2 * nth,
        rotated: nth,
        failed: nth % 2,
        cancelled: 0,
        tokens: tokens(nth),
        continued: 0,
        saved_bytes: 0,
        switches: nth / 3,
        reasoning_dropped: (nth >= 6).then(|| ReasoningDropped {
            organization_mismatch: Some(1234),
            encrypted: Some(2),
            ..ReasoningDropped::default()
        }),
    };
    let of_account = |nth: u64| AccountTally { account: format!("acc_{nth:016x}"), tally: tally(nth) };
    let outcomes = [
        (AttemptOutcome::Completed, None),
        (AttemptOutcome::Rotated, Some("usage_limit")),
        (AttemptOutcome::Failed, Some("context_length_exceeded")),
        (AttemptOutcome::Cancelled, None),
        (AttemptOutcome::Incomplete, None),
    ];
    let attempt = |nth: u64| {
        let (outcome, reason) = outcomes[usize::try_from(nth % 5).expect("small")];
        Attempt {
            reserve: false,
            at: NOW - 5_000 * 3_i64.pow(u32::try_from(nth).expect("small")),
            account: format!("acc_{nth:016x}"),
            model: Some(
                ["gpt-6.1-sol", "gpt-5.1-codex-max-high"][usize::try_from(nth % 2).expect("small")]
                    .to_owned(),
            ),
            outcome,
            reason: reason.map(str::to_owned),
            tokens: reason.is_none().then(|| tokens(nth)),
            first_event_ms: reason.is_none().then_some(90 << nth),
            total_ms: 400 << nth,
            transport: None,
            continued: None,
            sent_bytes: None,
            saved_bytes: None,
            switched: nth.is_multiple_of(3),
            reasoning_dropped: None,
        }
    };
    let day = |nth: u64| DayTally {
        day: format!("2026-11-{:02}", 26 - nth),
        tally: tally(nth + 4),
        accounts: (nth..6).map(of_account).collect(),
    };
    HistoryAnswer {
        attempts: (0..10).map(attempt).collect(),
        accounts: (0..9).map(of_account).collect(),
        days: (0..6).map(day).collect(),
    }
}

fn checks() -> VerifyAnswer {
    let dir = "/home/ada/.pi/agent/a/folder/with/quite/a/long/name/of/its/own/and/more";
    let mut checks = vec![
        Check::pass(CheckId::AccountsFile, format!("{dir}/codex-accounts.json, with 30 accounts")),
        Check::fail(
            CheckId::Permissions,
            format!("{dir}/codex-accounts.json has mode 0644: others can access tokens"),
            format!("chmod 600 {dir}/codex-accounts.json"),
        ),
        Check::warn(
            CheckId::Watcher,
            "changes by other programs are found only by checking, about every second",
            "raise fs.inotify.max_user_watches or max_user_instances, or use a local file system",
        ),
    ];
    for account in accounts() {
        let label = &account.label;
        checks.push(match label.as_str() {
            "e\u{301}mile@example.com" => Check::fail(
                CheckId::AccountLogin,
                format!("{label} needs login: refused for good"),
                format!("/multicodex reauth {label}, or multicodex login"),
            )
            .of(&account.id),
            _ => Check::pass(CheckId::AccountLogin, format!("{label} is logged in")).of(&account.id),
        });
        checks.push(match account.id.as_str() {
            "acc_0000000000000000" => Check::warn(
                CheckId::AccountToken,
                format!("the access token of {label} expired"),
                format!("its next use renews it; to do so now: multicodex refresh {label}"),
            )
            .of(&account.id),
            _ => Check::pass(CheckId::AccountToken, format!("{label} has an access token")).of(&account.id),
        });
    }
    VerifyAnswer { status: CheckStatus::Fail, checks }
}

fn ranking() -> Rotation {
    let ranked = |(nth, account): (usize, Account)| RankedAccount {
        account: account.id,
        label: account.label,
        eligible: nth < 20,
        rank: (nth < 20).then(|| u32::try_from(nth + 1).expect("small")),
        reasons: vec![
            "its week ends first of all that are left".to_owned(),
            "not used for 3 days".to_owned(),
        ],
    };
    Rotation {
        plan: Vec::new(),
        policy: "A session keeps its account. Otherwise untouched accounts come first, then the one whose week ends soonest.".to_owned(),
        settings: RotationSettings {
            strategy: Strategy::ResetFirst,
            affinity: Affinity::Session,
            transport: Transport::Sse,
            max_attempts: 6,
            fallback_cooldown_ms: 3_600_000,
            reserve_percent: 0.0,
            wait_for_reset_ms: 0,
            reserve: ReserveUse::Never,
            reset_credits: ResetCreditUse::Never,
            priority: Vec::new(),
        },
        order: accounts().into_iter().enumerate().map(ranked).collect(),
    }
}

#[test]
fn accounts_screen_fits() {
    check("accounts", |look| render::accounts(&accounts(), NOW, look));
}

#[test]
fn history_screen_fits() {
    check("history", |look| render::history(&attempts(), &accounts(), NOW, look));
}

#[test]
fn stats_screen_fits() {
    check("stats", |look| render::stats(&attempts(), &accounts(), NOW, look));
}

#[test]
fn verify_screen_fits() {
    check("verify", |look| render::verify(&checks(), look));
}

#[test]
fn rotation_screen_fits() {
    check("rotation", |look| render::rotation(&ranking(), look));
}

fn check(name: &str, draw: impl Fn(&TextStyle) -> String) {
    let plain = draw(&TextStyle { width: Some(WIDTH), colour: false, usage: UsageMode::Left });
    for line in plain.lines() {
        // A path stays whole, on a line of its own, so that it can be copied.
        let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
        assert!(columns <= WIDTH || line.contains("/home/"), "{name}: {columns} columns: {line}");
        assert!(!line.chars().any(char::is_control), "{name}: {line:?}");
    }
    let coloured = draw(&TextStyle { width: Some(WIDTH), colour: true, usage: UsageMode::Left });
    assert_ne!(coloured, plain);
    assert_eq!(without_colours(&coloured), plain);
    for narrow in 1..WIDTH {
        draw(&TextStyle { width: Some(narrow), colour: false, usage: UsageMode::Left });
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/screens"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, plain));
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').expect("a colour").1)
}
