//! The figures for people, one line each.

use super::budget::Verdict;
use super::figure::{Figure, Growth};

pub fn head() -> String {
    format!("{:<58} {:>12} {:>12} {:>7}  {}\n", "", "sidecar", "directly", "ratio", "budget")
}

pub fn row(figure: &Figure) -> String {
    let direct = figure.direct.map(|direct| figure.unit.show(direct)).unwrap_or_default();
    let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    let budget = match (figure.budget, figure.verdict) {
        (Some(budget), Some(Verdict::Met)) => format!("{}: met", budget.text(figure.unit)),
        (Some(budget), Some(Verdict::Missed)) => format!("{}: MISSED", budget.text(figure.unit)),
        (Some(budget), _) => format!("{}: no baseline", budget.text(figure.unit)),
        (None, _) => String::new(),
    };
    let line = format!(
        "{:<58} {:>12} {direct:>12} {ratio:>7}  {budget}",
        figure.name,
        figure.unit.show(figure.sidecar)
    );
    format!("{}\n", line.trim_end())
}

pub fn growth(growth: &Growth) -> String {
    let mut text = format!("{} by {}\n", growth.name, growth.along);
    for point in &growth.points {
        let direct = point.direct.map(|direct| growth.unit.show(direct)).unwrap_or_default();
        let line = format!("  {:<56} {:>12} {direct:>12}", point.at, growth.unit.show(point.sidecar));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn foot(figures: &[Figure]) -> String {
    let missed = figures.iter().filter(|figure| figure.verdict == Some(Verdict::Missed)).count();
    let judged = figures.iter().filter(|figure| figure.verdict.is_some()).count();
    format!("{} of {judged} budgets met\n", judged - missed)
}
