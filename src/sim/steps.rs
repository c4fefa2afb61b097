//! Converts a plan into steps: the events, and the fault at its place.

use serde_json::Value;

use super::answer::date_resets;
use super::behaviour::Break;
use super::events::{Asked, events, is_preamble, spelled, unsuccessful};
use super::stream_plan::{After, FaultKind, StreamFault, StreamPlan};
use crate::pool::At;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The data of one event.
    Event(String),
    PauseMs(u64),
    CommentsEachMs(u64),
    Break(Break),
    Close(u16),
}

/// The steps of the whole stream. `first` goes before everything else, and is not counted.
pub(super) fn steps(plan: &StreamPlan, asked: &Asked, first: Option<String>, now: At) -> Vec<Step> {
    let mut events = events(&plan.spoken, asked);
    let mut steps: Vec<Step> = first.into_iter().map(Step::Event).collect();
    let Some(fault) = &plan.fault else {
        steps.extend(events.into_iter().map(Step::Event));
        return steps;
    };
    let place = place(fault.after, &events);
    let rest = events.split_off(place);
    steps.extend(events.into_iter().map(Step::Event));
    let (fault, goes_on) = played(fault, asked, place, now);
    steps.extend(fault);
    if goes_on {
        steps.extend(rest.into_iter().map(Step::Event));
    }
    steps
}

/// Returns how many events come before the fault.
fn place(after: After, events: &[String]) -> usize {
    let outputs = || events.iter().enumerate().filter(|(_, event)| !is_preamble(event)).map(|(at, _)| at);
    match after {
        After::Headers => 0,
        After::Preamble | After::Output(0) => outputs().next().unwrap_or(events.len()),
        After::Output(count) => outputs().nth(count - 1).map_or(events.len(), |at| at + 1),
        After::Terminal => events.len(),
    }
}

/// Returns the steps of the fault, and whether the stream goes on after them.
fn played(fault: &StreamFault, asked: &Asked, sequence: usize, now: At) -> (Vec<Step>, bool) {
    let dated = |value: &Value| {
        let mut value = value.clone();
        date_resets(&mut value, now);
        value
    };
    let event = |value: Value| Step::Event(spelled(value));
    let failed = |error: &Value, at| event(unsuccessful(asked, "failed", at, "error", dated(error)));
    match &fault.what {
        FaultKind::Break(how) => (vec![Step::Break(*how)], false),
        FaultKind::Close(code) => (vec![Step::Close(*code)], false),
        FaultKind::End => (vec![], false),
        FaultKind::Failed(error) => (vec![failed(error, sequence)], false),
        FaultKind::Event(whole) => (vec![event(dated(whole))], false),
        FaultKind::ErrorThenFailed(error) => {
            let first =
                serde_json::json!({ "type": "error", "sequence_number": sequence, "error": dated(error) });
            (vec![event(first), failed(error, sequence + 1)], false)
        }
        FaultKind::Incomplete(reason) => {
            let why = serde_json::json!({ "reason": reason });
            (vec![event(unsuccessful(asked, "incomplete", sequence, "incomplete_details", why))], false)
        }
        FaultKind::Insert(data) => (vec![Step::Event(data.clone())], true),
        FaultKind::PauseMs(milliseconds) => (vec![Step::PauseMs(*milliseconds)], true),
        FaultKind::OnlyCommentsEachMs(milliseconds) => (vec![Step::CommentsEachMs(*milliseconds)], false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::events::kind;
    use super::*;

    fn check(after: After, what: FaultKind, expected: &[&str]) {
        let plan = StreamPlan::deltas(2, 1).with_fault(after, what);
        let steps = steps(&plan, &Asked::default(), None, At(1_800_000_000_000));
        let told: Vec<String> = steps
            .iter()
            .map(|step| match step {
                Step::Event(data) => {
                    kind(data).unwrap_or_else(|| data.clone()).trim_start_matches("response.").to_owned()
                }
                Step::Break(how) => format!("{how:?}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn the_fault_is_at_its_place() {
        let rest = ["output_text.done", "content_part.done", "output_item.done", "completed"];
        check(After::Headers, FaultKind::Break(Break::Cut), &["Cut"]);
        check(After::Preamble, FaultKind::Break(Break::Hang), &["created", "in_progress", "Hang"]);
        check(After::Preamble, FaultKind::Failed(json!({})), &["created", "in_progress", "failed"]);
        check(
            After::Output(1),
            FaultKind::ErrorThenFailed(json!({})),
            &["created", "in_progress", "output_item.added", "error", "failed"],
        );
        let up_to_deltas =
            ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta"];
        check(
            After::Output(3),
            FaultKind::Incomplete("max_output_tokens".to_owned()),
            &[&up_to_deltas[..], &["incomplete"]].concat(),
        );
        check(
            After::Output(3),
            FaultKind::Insert("nonsense".to_owned()),
            &[&up_to_deltas[..], &["nonsense", "output_text.delta"], &rest].concat(),
        );
        let whole = [&up_to_deltas[..], &["output_text.delta"], &rest].concat();
        check(After::Terminal, FaultKind::Insert("late".to_owned()), &[&whole[..], &["late"]].concat());
        check(After::Output(99), FaultKind::End, &whole);
    }

    #[test]
    fn a_failure_in_the_stream_quotes_when_it_resets() {
        let error = json!({ "code": "usage_limit_reached", "resets_in_seconds": 60 });
        let plan = StreamPlan::default().with_fault(After::Headers, FaultKind::Failed(error));
        let steps = steps(&plan, &Asked::default(), Some("first".to_owned()), At(1_800_000_000_000));
        let [Step::Event(first), Step::Event(failed)] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!(first, "first");
        assert!(failed.contains(r#""resets_at":1800000060"#), "{failed}");
    }
}
