//! The report of the benchmark (`tests/bench`), tested here because a benchmark has no test harness.

#[expect(dead_code, reason = "the benchmark uses the rest")]
#[path = "../bench/report/mod.rs"]
mod report;

use std::time::Duration;

use report::budget::{Budget, Verdict};
use report::svg::{MISSED, bounds, draw};
use report::{Growth, Point, Report, Times, Unit, names};

#[test]
fn percentiles_are_of_the_sorted_times() {
    let mut times = Times::default();
    assert_eq!(times.median(), Duration::ZERO);
    times.extend((1..=100).rev().map(Duration::from_millis));
    assert_eq!(times.median(), Duration::from_millis(51));
    assert_eq!(times.percentile(99), Duration::from_millis(100));
    assert_eq!(times.percentile(100), Duration::from_millis(100));
}

#[test]
fn budgets_are_judged_by_their_kind() {
    let check = |budget: Budget, sidecar: f64, direct: Option<f64>, expected: Verdict| {
        assert_eq!(budget.judge(Unit::Microseconds, sidecar, direct, false), expected, "{budget:?}");
    };
    check(Budget::AtMost(8.0), 8.0, None, Verdict::Met);
    check(Budget::AtMost(8.0), 8.1, Some(100.0), Verdict::Missed);
    check(Budget::RatioAtMost(1.5), 14.9, Some(10.0), Verdict::Met);
    check(Budget::RatioAtMost(1.5), 15.1, Some(10.0), Verdict::Missed);
    check(Budget::RatioAtLeast(0.6), 61.0, Some(100.0), Verdict::Met);
    check(Budget::RatioAtLeast(0.6), 59.0, Some(100.0), Verdict::Missed);
    check(Budget::AddedAtMost(300.0), 399.0, Some(100.0), Verdict::Met);
    check(Budget::AddedAtMost(300.0), 401.0, Some(100.0), Verdict::Missed);
    check(Budget::AddedAtMost(300.0), 1.0, None, Verdict::Unknown);
    check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 2999.0, Some(1000.0), Verdict::Met);
    check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 3001.0, Some(1000.0), Verdict::Missed);
    check(Budget::RatioAndFigureAtMost(3.0, 4000.0), 4001.0, Some(2000.0), Verdict::Missed);
}

#[test]
fn a_quick_run_is_given_slack_but_for_memory() {
    assert_eq!(Budget::AtMost(8.0).judge(Unit::Microseconds, 20.0, None, true), Verdict::Met);
    assert_eq!(Budget::AtMost(8.0).judge(Unit::Mebibytes, 20.0, None, true), Verdict::Missed);
    assert_eq!(Budget::RatioAtLeast(0.6).judge(Unit::PerSecond, 21.0, Some(100.0), true), Verdict::Met);
}

#[test]
fn bounds_are_powers_of_ten() {
    let check = |values: &[f64], expected: (f64, f64)| {
        let (low, high) = bounds(values.iter().copied());
        assert!(
            (low / expected.0 - 1.0).abs() < 1e-9 && (high / expected.1 - 1.0).abs() < 1e-9,
            "{values:?}: {low} {high}"
        );
    };
    check(&[3.0, 450.0], (1.0, 1000.0));
    check(&[10.0], (10.0, 100.0));
    check(&[0.02, 0.5], (0.01, 1.0));
    check(&[], (1.0, 10.0));
    check(&[0.0], (1.0, 10.0));
}

#[test]
fn a_figure_is_a_bar_and_a_budget_a_mark() {
    let mut report = Report::new(false, false);
    report.add(names::PING, Unit::PerSecond, 50.0, Some(100.0));
    report.add_growth(Growth {
        name: "picking",
        along: "accounts",
        unit: Unit::Nanoseconds,
        points: vec![
            Point { at: 10.0, sidecar: 100.0, direct: None },
            Point { at: 1000.0, sidecar: 9000.0, direct: None },
        ],
    });
    let svg = draw(&report);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<rect").count(), 1, "one bar");
    assert_eq!(svg.matches(MISSED).count(), 1, "half is less than the budget");
    assert_eq!(svg.matches("<polyline").count(), 2);
    assert!(svg.contains("picking by accounts") && !svg.contains("NaN"));
}
