//! The figures for people, one line each.

use super::budget::Verdict;
use super::figure::{Figure, Growth, Report, Unit};

pub(super) fn head() -> String {
    format!("{:<58} {:>12} {:>12} {:>7}  {}\n", "", "sidecar", "directly", "ratio", "budget")
}

pub(super) fn row(figure: &Figure) -> String {
    let direct = figure.direct.map(|direct| number(direct, figure.unit)).unwrap_or_default();
    let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    let budget = match (figure.budget, figure.verdict) {
        (Some(budget), Some(Verdict::Met)) => format!("{budget}: met"),
        (Some(budget), Some(Verdict::Missed)) => format!("{budget}: MISSED"),
        (Some(budget), _) => format!("{budget}: no baseline"),
        (None, _) => String::new(),
    };
    let line = format!(
        "{:<58} {:>12} {direct:>12} {ratio:>7}  {budget}",
        figure.name,
        number(figure.sidecar, figure.unit)
    );
    format!("{}\n", line.trim_end())
}

pub(super) fn growth(growth: &Growth) -> String {
    let mut text = format!("{} by {}\n", growth.name, growth.along);
    for point in &growth.points {
        let direct = point.direct.map(|direct| number(direct, growth.unit)).unwrap_or_default();
        let line = format!("  {:<56} {:>12} {direct:>12}", point.at, number(point.sidecar, growth.unit));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(super) fn foot(report: &Report) -> String {
    let missed = report.figures.iter().filter(|figure| figure.verdict == Some(Verdict::Missed)).count();
    let judged = report.figures.iter().filter(|figure| figure.verdict.is_some()).count();
    format!("{} of {judged} budgets met\n", judged - missed)
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Microseconds if value >= 10_000.0 => format!("{:.1} ms", value / 1000.0),
        Unit::Microseconds if value >= 100.0 => format!("{value:.0} us"),
        Unit::Microseconds => format!("{value:.1} us"),
        Unit::Nanoseconds if value >= 10_000.0 => format!("{:.1} us", value / 1000.0),
        Unit::Nanoseconds => format!("{value:.0} ns"),
        Unit::PerSecond if value >= 1_000_000.0 => format!("{:.2} M/s", value / 1e6),
        Unit::PerSecond if value >= 10_000.0 => format!("{:.1} k/s", value / 1e3),
        Unit::PerSecond => format!("{value:.0} /s"),
        Unit::MegabytesPerSecond => format!("{value:.0} MB/s"),
        Unit::Mebibytes => format!("{value:.1} MiB"),
    }
}
