use std::time::Duration;

use super::*;
use crate::pool::testing::{failure, id, limited, pool_of, reading, window};
use crate::pool::{AffinityMode, Failover, Failure, FailureKind, RotationSettings};

const NOW: At = At(1_000_000_000);
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn later(millis: i64) -> At {
    At(NOW.0 + millis)
}

/// (minutes, percent used, milliseconds until the reset)
type Windows = [(u32, f64, i64)];

fn pool_with(accounts: &[(&str, &Windows)]) -> Pool {
    let names: Vec<&str> = accounts.iter().map(|(name, _)| *name).collect();
    let mut pool = pool_of(&names);
    for (name, windows) in accounts.iter().filter(|(_, windows)| !windows.is_empty()) {
        let windows: Vec<Window> = windows
            .iter()
            .map(|&(minutes, used, resets_in)| window(minutes, used, Some(later(resets_in))))
            .collect();
        pool.apply_usage(&id(name), reading(&windows, NOW), NOW);
    }
    pool
}

fn lose(pool: &mut Pool, name: &str, failure: &Failure) {
    let mut failover = Failover::new(Demand { account: Some(id(name)), ..Demand::default() });
    failover.next(pool, NOW);
    failover.failed(pool, failure, NOW);
}

fn text(pool: &Pool, prefs: &FooterPrefs, now: At) -> String {
    Footer::of(pool, prefs, None, now).text()
}

const USUAL: &Windows =
    &[(300, 25.0, 2 * HOUR + 13 * MINUTE + 59_000), (WEEK, 60.0, 76 * HOUR + 59 * MINUTE)];

#[test]
fn the_preferences_decide_what_it_reads() {
    let pool = pool_with(&[("ada@example.com", USUAL)]);
    let check = |change: &dyn Fn(&mut FooterPrefs), expected: &str| {
        let mut prefs = FooterPrefs::default();
        change(&mut prefs);
        assert_eq!(text(&pool, &prefs, NOW), expected);
    };
    check(&|_| {}, "Codex · ada@example.com · 5h:75% left · 7d:40% left (↺3d4h)");
    check(
        &|prefs| prefs.reset_window = ResetWindow::FiveHours,
        "Codex · ada@example.com · 5h:75% left (↺2h13m) · 7d:40% left",
    );
    check(
        &|prefs| prefs.reset_window = ResetWindow::Both,
        "Codex · ada@example.com · 5h:75% left (↺2h13m) · 7d:40% left (↺3d4h)",
    );
    check(
        &|prefs| {
            prefs.reset_window = ResetWindow::Both;
            prefs.show_reset = false;
        },
        "Codex · ada@example.com · 5h:75% left · 7d:40% left",
    );
    check(&|prefs| prefs.show_account = false, "Codex · 5h:75% left · 7d:40% left (↺3d4h)");
    check(
        &|prefs| {
            prefs.order = FooterOrder::UsageFirst;
            prefs.usage_mode = UsageMode::Used;
        },
        "Codex · 5h:25% used · 7d:60% used (↺3d4h) · ada@example.com",
    );
    check(
        &|prefs| {
            prefs.order = FooterOrder::UsageFirst;
            prefs.show_account = false;
        },
        "Codex · 5h:75% left · 7d:40% left (↺3d4h)",
    );
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let check = |windows: &Windows, expected: &str| {
        let prefs = FooterPrefs { reset_window: ResetWindow::Both, ..FooterPrefs::default() };
        assert_eq!(text(&pool_with(&[("a", windows)]), &prefs, NOW), expected, "{windows:?}");
    };
    check(&[], "Codex · a · 5h:-- · 7d:--");
    check(&[(WEEK, 12.0, HOUR)], "Codex · a · 5h:-- · 7d:88% left (↺1h0m)");
    check(&[(43_200, 12.0, 48 * HOUR)], "Codex · a · 5h:-- · 7d:-- · 30d:88% left (↺2d0h)");
    check(
        &[(60, 12.0, 59_000), (300, 0.0, HOUR)],
        "Codex · a · 5h:100% left (↺1h0m) · 7d:-- · 1h:88% left (↺<1m)",
    );
    // A window past its reset begins again.
    check(&[(300, 99.0, 0), (WEEK, 50.0, HOUR)], "Codex · a · 5h:100% left · 7d:50% left (↺1h0m)");
}

#[test]
fn severity_goes_by_what_is_read_in_both_modes() {
    let check = |used: f64, left_text: &str, used_text: &str, expected: Severity| {
        let pool = pool_with(&[("a", &[(300, used, HOUR)])]);
        for (usage_mode, text) in [(UsageMode::Left, left_text), (UsageMode::Used, used_text)] {
            let footer = Footer::of(&pool, &FooterPrefs { usage_mode, ..FooterPrefs::default() }, None, NOW);
            let window = footer.segments.iter().find(|segment| segment.role == Role::Window);
            let expected = Segment { text: text.to_owned(), role: Role::Window, severity: Some(expected) };
            assert_eq!(window, Some(&expected), "{used}");
        }
    };
    use Severity::*;
    check(0.0, "5h:100% left", "5h:0% used", Success);
    check(49.4, "5h:51% left", "5h:49% used", Success);
    check(49.5, "5h:50% left", "5h:50% used", Notice);
    check(74.0, "5h:26% left", "5h:74% used", Notice);
    check(75.0, "5h:25% left", "5h:75% used", Warning);
    check(89.4, "5h:11% left", "5h:89% used", Warning);
    check(89.6, "5h:10% left", "5h:90% used", Error);
    check(100.0, "5h:0% left", "5h:100% used", Error);
    check(130.0, "5h:0% left", "5h:100% used", Error);
    check(-3.0, "5h:100% left", "5h:0% used", Success);
}

#[test]
fn when_no_account_can_be_used_it_says_why() {
    let mut pool = pool_of(&[]);
    let prefs = FooterPrefs::default();
    let footer = Footer::of(&pool, &prefs, None, NOW);
    assert_eq!((footer.text().as_str(), footer.account), ("Codex · no accounts", None));
    assert_eq!(footer.segments[2].severity, Some(Severity::Warning));

    pool = pool_with(&[("a", USUAL), ("b", USUAL)]);
    lose(&mut pool, "a", &Failure { resets_at: Some(later(43 * MINUTE)), ..limited() });
    lose(&mut pool, "b", &failure(FailureKind::LoginRequired));
    let footer = Footer::of(&pool, &prefs, None, NOW);
    assert_eq!((footer.text().as_str(), footer.account), ("Codex · all accounts out (↺43m)", None));
    assert_eq!(footer.segments[2].severity, Some(Severity::Error));
    let no_reset = FooterPrefs { show_reset: false, ..prefs };
    assert_eq!(text(&pool, &no_reset, NOW), "Codex · all accounts out");

    pool.set_disabled(&id("a"), true);
    assert_eq!(text(&pool, &prefs, NOW), "Codex · login needed");
    pool.set_disabled(&id("b"), true);
    assert_eq!(text(&pool, &prefs, NOW), "Codex · no account in use");
}

#[test]
fn it_is_about_the_account_that_the_next_completion_would_use() {
    let mut pool = pool_with(&[("a", USUAL), ("b", &[(WEEK, 0.0, HOUR)])]);
    let account = |pool: &Pool, session| Footer::of(pool, &FooterPrefs::default(), session, NOW).account;
    let mut failover =
        Failover::new(Demand { account: Some(id("a")), session: Some("s".into()), model: None });
    failover.next(&mut pool, NOW);
    failover.succeeded(&mut pool, NOW);
    assert_eq!(account(&pool, None), Some(id("b")));
    assert_eq!(account(&pool, Some("s")), Some(id("a")));
    assert_eq!(account(&pool, Some("another")), Some(id("b")));
    pool.set_settings(RotationSettings { affinity: AffinityMode::None, ..RotationSettings::default() });
    assert_eq!(account(&pool, Some("s")), Some(id("b")));
    pool.pin(&id("a"));
    assert_eq!(account(&pool, None), Some(id("a")));
}

/// The footer says how long its text stays the same, and it is computed again exactly then.
#[test]
fn it_reads_the_same_for_as_long_as_it_says() {
    let check = |prefs: &FooterPrefs, windows: &Windows, expected: i64| {
        let pool = pool_with(&[("a", windows), ("b", &[])]);
        let footer = Footer::of(&pool, prefs, None, NOW);
        let good_until = footer.good_until.map(|at| at.0 - NOW.0);
        assert_eq!(good_until, Some(expected), "{windows:?}");
        let reads_like = |after| footer.reads_like(&Footer::of(&pool, prefs, None, later(after)));
        assert!(reads_like(expected - 1) && !reads_like(expected), "{windows:?}");
    };
    let both = FooterPrefs { reset_window: ResetWindow::Both, ..FooterPrefs::default() };
    check(&both, USUAL, 59_001);
    check(&both, &[(300, 25.0, 2 * HOUR)], 1);
    check(&both, &[(300, 25.0, 30_000)], 30_000);
    check(&FooterPrefs::default(), USUAL, 59 * MINUTE + 1);
    check(&FooterPrefs { show_reset: false, ..both }, &[(300, 25.0, 30_000), (WEEK, 9.0, HOUR)], 30_000);

    let mut pool = pool_with(&[("a", USUAL)]);
    assert_eq!(
        Footer::of(&pool, &FooterPrefs { show_reset: false, ..both }, None, NOW).good_until,
        Some(later(USUAL[0].2))
    );
    let pause = Failure { retry_after: Some(Duration::from_secs(20)), ..failure(FailureKind::RateLimit) };
    lose(&mut pool, "a", &pause);
    assert_eq!(Footer::of(&pool, &both, None, NOW).good_until, Some(later(20_000)));
    assert_eq!(Footer::of(&pool_of(&["a"]), &both, None, NOW).good_until, None);
}
