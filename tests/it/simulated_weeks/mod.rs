//! Simulated weeks: 5 accounts, 20 sessions, bursts, resets, credits and faults, with every strategy. They measure what
//! the choice costs, and whether anything failed that could have been served.
//!
//! `WEEKS=10 cargo test --test it week -- --nocapture` prints the tables of `schema/strategies.md`.

mod rng;
mod run;
mod sessions;
mod upstream;

use std::fmt::Write;
use strum::VariantArray;

use multicodex::pool::{AccountId, AffinityMode, RotationSettings, Strategy};

use run::{Tally, week};

/// Quotas that only bursts reach, and quotas that are too small for the week's work, in percent.
const QUOTAS: [(&str, i64); 2] = [("Ample", 100), ("Scarce", 70)];

struct Row {
    strategy: Strategy,
    affinity: AffinityMode,
    tally: Tally,
}

fn rows(share: i64, weeks: u64) -> Vec<Row> {
    let policies = Strategy::VARIANTS
        .iter()
        .flat_map(|strategy| AffinityMode::VARIANTS.iter().map(|affinity| (*strategy, *affinity)));
    policies
        .map(|(strategy, affinity)| {
            let priority = [(AccountId::new("acc_a"), 10)].into();
            let settings = RotationSettings { strategy, affinity, priority, ..RotationSettings::default() };
            let mut tally = Tally::default();
            for seed in 1..=weeks {
                tally.add(&week(settings.clone(), share, seed));
            }
            Row { strategy, affinity, tally }
        })
        .collect()
}

/// The average of one week.
fn table(rows: &[Row], weeks: u64) -> String {
    let mut table = String::from(
        "| strategy | affinity | served | failed, nothing left | failed, capacity left | failed, back unforeseen | failed attempts | switches per session | cached context lost | cached tokens lost per switch | reasoning removed | removed per switch | tokens paid |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for Row { strategy, affinity, tally } in rows {
        let weekly = |sum: u64| sum as f64 / weeks as f64;
        let per_switch = |sum: i64| sum as f64 / tally.switches.max(1) as f64;
        writeln!(
            table,
            "| `{}` | `{}` | {:.0} | {:.0} | {} | {:.1} | {:.0} | {:.1} | {:.1} % | {:.0} k | {:.1} % | {:.0} | {:.0} M |",
            strategy.name(),
            affinity.name(),
            weekly(tally.served),
            weekly(tally.nothing_left),
            tally.left_out,
            weekly(tally.unforeseen),
            weekly(tally.failed_attempts),
            weekly(tally.switches) / 20.0,
            tally.cache_lost as f64 * 100.0 / tally.context as f64,
            per_switch(tally.cache_lost),
            tally.reasoning_removed as f64 * 100.0 / tally.reasoning as f64,
            per_switch(tally.reasoning_removed),
            tally.spent as f64 / 1000.0 / weeks as f64,
        )
        .expect("a string has room");
    }
    table
}

#[test]
fn nothing_fails_while_an_account_could_serve() {
    let weeks = std::env::var("WEEKS").map_or(1, |weeks| weeks.parse().expect("a number of weeks"));
    for (quotas, share) in QUOTAS {
        let rows = rows(share, weeks);
        eprintln!("{quotas} quotas, a week on average of {weeks}:\n\n{}", table(&rows, weeks));
        for Row { strategy, affinity, tally } in &rows {
            let policy = format!("{quotas}, {strategy:?}, {affinity:?}: {tally:?}");
            assert_eq!(tally.left_out, 0, "{policy}");
            assert!(tally.served > 10_000 * weeks, "{policy}");
            assert!(tally.failed_attempts > 10 * weeks, "no faults, no limits? {policy}");
        }
        for pair in rows.chunks_exact(2) {
            let [with, without] = pair else { unreachable!("chunks of two") };
            assert!(with.tally.switches < without.tally.switches, "affinity keeps sessions where they are");
            assert!(with.tally.cache_lost < without.tally.cache_lost, "and their prompt caches");
            assert!(
                with.tally.reasoning_removed < without.tally.reasoning_removed,
                "and the reasoning of their models"
            );
        }
    }
}
