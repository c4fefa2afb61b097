//! The faults, with clients that read, stall and cancel.

use std::thread;

use serde_json::json;

use super::fault_harness::{Client, FaultHarness};
use super::matrix::{Case, connection_cases, hangs, row_cases, stream_cases};

/// Long enough for a busy machine to answer a case that does not hang.
const IDLE_MS: u64 = 1500;

#[test]
fn every_fault_in_every_phase_ends_as_the_contract_says() {
    let cases = [row_cases(), connection_cases(), stream_cases(16, 2)].concat();
    let (hanging, prompt): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(hangs);
    play_all(&prompt, Client::Reads);
    play_each(&hanging, Client::Reads);
}

#[test]
fn a_client_that_stalls_sees_the_same() {
    // The kernel decides how much of the unread data a reset leaves.
    let cases = stream_cases(4096, 50).into_iter().filter(|case| !case.name.starts_with("reset"));
    let (hanging, prompt): (Vec<Case>, Vec<Case>) = cases.partition(hangs);
    play_all(&prompt, Client::Stalls);
    play_each(&hanging, Client::Stalls);
}

#[test]
fn a_client_that_cancels_gets_one_terminal_and_costs_no_account_anything() {
    let cases = [connection_cases(), stream_cases(16, 2)].concat();
    let mut harness = harness(&cases);
    for (at, case) in cases.iter().enumerate() {
        let seen = harness.play(&name(at), &case.fault, json!({}), Client::Cancels);
        let cancelled = ["cancelled | ready | 1+0", "cancelled | ready | 0+0"].contains(&seen.as_str());
        // The end may have come first, except for a case that hangs before it.
        let endless = hangs(case) && !case.expected.starts_with("done");
        let too_late = !endless && (seen == case.expected || seen.contains("cancelled"));
        assert!(cancelled || too_late, "{}: {seen}, or {}", case.name, case.expected);
    }
    harness.end();
}

/// One after the other, with one sidecar.
fn play_all(cases: &[Case], client: Client) {
    let mut harness = harness(cases);
    let seen: Vec<(String, String)> = cases
        .iter()
        .enumerate()
        .map(|(at, case)| (case.name.clone(), harness.play(&name(at), &case.fault, json!({}), client)))
        .collect();
    compare(cases, &seen);
    harness.end();
}

/// All at the same time, each with its own sidecar, because each takes as long as a timeout.
fn play_each(cases: &[Case], client: Client) {
    let seen = thread::scope(|scope| {
        let play = |case: &Case| {
            let mut harness = FaultHarness::of(["ada"]);
            let seen = harness.play("ada", &case.fault, json!({"idleTimeoutMs": IDLE_MS}), client);
            harness.end();
            (case.name.clone(), seen)
        };
        let running: Vec<_> = cases.iter().map(|case| scope.spawn(move || play(case))).collect();
        running.into_iter().map(|case| case.join().expect("no panic")).collect::<Vec<_>>()
    });
    compare(cases, &seen);
}

fn compare(cases: &[Case], seen: &[(String, String)]) {
    let expected: Vec<(String, String)> =
        cases.iter().map(|case| (case.name.clone(), case.expected.to_owned())).collect();
    let differ: Vec<_> = seen.iter().zip(&expected).filter(|(seen, expected)| seen != expected).collect();
    assert!(differ.is_empty(), "(seen, expected): {differ:#?}");
}

fn harness(cases: &[Case]) -> FaultHarness {
    let names: Vec<String> = (0..cases.len()).map(name).collect();
    FaultHarness::of(names.iter().map(String::as_str))
}

fn name(at: usize) -> String {
    format!("case{at}")
}
