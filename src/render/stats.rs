//! Sums by account and by day, each with a sparkline of its last days.

use super::TextStyle;
use super::history::{cached, label_of};
use super::spark::sparkline;
use super::table::{Align, Cell, Column, Cut, Paint, table};
use super::when::amount;
use crate::pool::{At, Day};
use crate::protocol::{Account, HistoryAnswer, Tally};

/// How many days a sparkline shows.
const LAST_DAYS: i64 = 14;

const OF_ACCOUNTS: [Column; 8] = [
    Column { head: "ACCOUNT", align: Align::Left, min_width: 16, cut: Cut::Name, priority: 9 },
    Column::number("TRIED", 8),
    Column::number("OK", 7),
    Column::number("FAILED", 5),
    Column::number("IN", 4),
    Column::number("CACHE", 3),
    Column::number("OUT", 2),
    Column::fixed("LAST 14 DAYS", 6),
];

const OF_DAYS: [Column; 8] = [
    Column::fixed("DAY (UTC)", 9),
    Column::number("TRIED", 8),
    Column::number("OK", 7),
    Column::number("ROTATED", 4),
    Column::number("FAILED", 6),
    Column::number("IN", 3),
    Column::number("CACHE", 2),
    Column::number("OUT", 1),
];

pub fn stats(answer: &HistoryAnswer, accounts: &[Account], now: i64, style: &TextStyle) -> String {
    if answer.accounts.is_empty() {
        return "there are no attempts yet\n".to_owned();
    }
    let today = At(now).day();
    let last_days: Vec<String> = (0..LAST_DAYS).rev().map(|ago| Day(today.0 - ago).to_string()).collect();
    let tried = |account: &str| {
        let on = |day: &String| {
            let day = answer.days.iter().find(|tally| tally.day == *day)?;
            Some(day.accounts.iter().find(|of| of.account == account)?.tally.attempts)
        };
        let numbers: Vec<u64> = last_days.iter().map(|day| on(day).unwrap_or(0)).collect();
        sparkline(&numbers)
    };
    let by_account: Vec<_> = answer
        .accounts
        .iter()
        .map(|of| {
            let [attempts, ok, input, cache, output] = numbers(&of.tally);
            [
                label_of(&of.account, accounts).into(),
                attempts,
                ok,
                failed(of.tally.failed),
                input,
                cache,
                output,
                Cell::from(tried(&of.account)),
            ]
        })
        .collect();
    let by_day: Vec<_> = answer
        .days
        .iter()
        .map(|of| {
            let [attempts, ok, input, cache, output] = numbers(&of.tally);
            let rotated = amount(of.tally.rotated).into();
            [of.day.as_str().into(), attempts, ok, rotated, failed(of.tally.failed), input, cache, output]
        })
        .collect();
    let tables = format!("{}\n{}", table(&OF_ACCOUNTS, &by_account, style), table(&OF_DAYS, &by_day, style));
    let continued = continued(answer).map(|line| format!("\n{line}\n")).unwrap_or_default();
    format!("{tables}{continued}{}", cost_of_switches(answer))
}

/// What WebSockets were good for; `None` when no turn was continued.
fn continued(answer: &HistoryAnswer) -> Option<String> {
    let sum = |of: fn(&Tally) -> u64| answer.accounts.iter().map(|account| of(&account.tally)).sum::<u64>();
    let (attempts, continued) = (sum(|tally| tally.attempts), sum(|tally| tally.continued));
    (continued > 0).then(|| {
        let saved = amount(sum(|tally| tally.saved_bytes));
        format!("{} of {} sent only what was new: {saved} bytes less", amount(continued), amount(attempts))
    })
}

/// What it cost that sessions changed their account; empty when none did and nothing was lost.
fn cost_of_switches(answer: &HistoryAnswer) -> String {
    let sum = |count: fn(&Tally) -> u64| answer.accounts.iter().map(|of| count(&of.tally)).sum::<u64>();
    let switches = sum(|tally| tally.switches);
    let dropped = sum(|tally| tally.reasoning_dropped.map_or(0, |dropped| dropped.total()));
    let moved = match switches {
        0 => "no session changed its account".to_owned(),
        1 => "1 time a session changed its account".to_owned(),
        many => format!("{} times a session changed its account", amount(many)),
    };
    match (switches, dropped) {
        (0, 0) => String::new(),
        (_, 0) => format!("\n{moved}\nno reasoning was dropped\n"),
        (0, _) => format!("\n{moved}\n{} items of reasoning were dropped\n", amount(dropped)),
        _ => format!(
            "\n{moved}\n{} items of reasoning were dropped, {:.1} for each change\n",
            amount(dropped),
            dropped as f64 / switches as f64,
        ),
    }
}

fn numbers(tally: &Tally) -> [Cell; 5] {
    [
        amount(tally.attempts).into(),
        amount(tally.completed).into(),
        amount(tally.tokens.input).into(),
        cached(&tally.tokens).into(),
        amount(tally.tokens.output).into(),
    ]
}

fn failed(count: u64) -> Cell {
    match count {
        0 => "0".into(),
        count => Cell::painted(amount(count), Paint::Bad),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::protocol::AccountTally;

    #[test]
    fn continued_turns_are_summed_up_in_one_line() {
        let of = |attempts, continued, saved_bytes| AccountTally {
            account: "a".to_owned(),
            tally: Tally { attempts, continued, saved_bytes, ..Tally::default() },
        };
        let answer = |accounts| HistoryAnswer { attempts: vec![], accounts, days: vec![] };
        assert_eq!(continued(&answer(vec![of(3, 0, 0)])), None);
        assert_eq!(
            continued(&answer(vec![of(3, 2, 90_000), of(7, 5, 30_000)])).unwrap(),
            "7 of 10 sent only what was new: 120k bytes less"
        );
    }
}
