//! `codex/responses`: an event stream for a request that passed its checks.

use std::sync::PoisonError;

use serde_json::Value;

use super::answer::Answer;
use super::behaviour::Behaviour;
use super::dispatch::Reply;
use super::events::{Asked, spelled};
use super::reasoning::removal;
use super::received::Received;
use super::server::Shared;
use super::sse_body::rendered;
use super::steps::{Step, steps};
use super::stream_plan::StreamPlan;
use super::tokens::Owner;
use super::{quota, wham};
use crate::pool::At;

pub(super) fn respond(
    shared: &Shared,
    owner: Owner,
    received: &Received,
    behaviour: &Behaviour,
    now: At,
) -> Reply {
    match behaviour {
        Behaviour::Stream(plan) if plan.rendered_once => once(shared, owner, received, plan, now),
        Behaviour::Stream(plan) => stream(shared, owner, received, plan, now),
        _ => {
            if let Some(refused) = charge(shared, owner, received, now) {
                return Reply::Whole(refused);
            }
            let plan = StreamPlan { pace: shared.config.pace, ..StreamPlan::default() };
            stream(shared, owner, received, &plan, now)
        }
    }
}

/// Adds the cost of a completion to the account's windows, or refuses.
fn charge(shared: &Shared, owner: Owner, received: &Received, now: At) -> Option<Answer> {
    let mut state = shared.state();
    let member = &mut state.accounts[owner];
    if let Some(charged) = quota::charge_reserve(member, received) {
        return charged.err().map(|refused| *refused);
    }
    if !member.account.usage.exhausted() {
        member.account.usage.charge();
        return None;
    }
    let resets_at = member
        .account
        .usage
        .windows
        .iter()
        .filter(|window| window.used_percent >= 100.0)
        .map(|window| window.resets_at(member.usage_set_at))
        .max()?;
    let Behaviour::Answer(mut answer) = Behaviour::usage_limit_for(resets_at - now.0 / 1000) else {
        return None;
    };
    answer.body["error"]["plan_type"] = member.account.plan.clone().into();
    answer.headers.extend(wham::quota_headers(member, now));
    Some(answer)
}

fn stream(shared: &Shared, owner: Owner, received: &Received, plan: &StreamPlan, now: At) -> Reply {
    let mut asked = asked(shared, owner, received, now);
    let planned = plan.removed.iter().enumerate();
    asked.removed.extend(planned.map(|(nth, reason)| removal(&format!("rs_{nth}").into(), reason)));
    let steps = all_steps(shared, owner, plan, &asked, now);
    let mut state = shared.state();
    let account = state.accounts[owner].account.clone();
    state.produced.remember(&steps, &account, &asked.model);
    drop(state);
    Reply::Stream { headers: headers(shared, owner, plan, &asked, now), plan: plan.clone(), steps }
}

/// The same bytes for every request.
fn once(shared: &Shared, owner: Owner, received: &Received, plan: &StreamPlan, now: At) -> Reply {
    let mut kept = shared.rendered.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = match &*kept {
        Some((of, bytes)) if of == plan => bytes.clone(),
        _ => {
            let asked = asked(shared, owner, received, now);
            let Ok(bytes) = rendered(plan, &all_steps(shared, owner, plan, &asked, now)) else {
                return Reply::Whole(Answer::json(500, Value::Null));
            };
            *kept = Some((plan.clone(), bytes.clone()));
            bytes
        }
    };
    let asked = Asked { id: "once".to_owned(), ..Asked::default() };
    Reply::Rendered { headers: headers(shared, owner, plan, &asked, now), bytes }
}

fn all_steps(shared: &Shared, owner: Owner, plan: &StreamPlan, asked: &Asked, now: At) -> Vec<Step> {
    let state = shared.state();
    let first = plan.limits_event.map(|reached| spelled(wham::limits_event(&state.accounts[owner], reached)));
    drop(state);
    steps(plan, asked, first, now)
}

fn headers(
    shared: &Shared,
    owner: Owner,
    plan: &StreamPlan,
    asked: &Asked,
    now: At,
) -> Vec<(String, String)> {
    let mut headers = vec![
        ("content-type".to_owned(), "text/event-stream; charset=utf-8".to_owned()),
        ("cache-control".to_owned(), "no-cache".to_owned()),
        ("x-request-id".to_owned(), format!("req_{}", asked.id)),
    ];
    if !asked.model.is_empty() {
        headers.push(("openai-model".to_owned(), asked.model.clone()));
    }
    if plan.framing.gzip {
        headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    }
    if plan.quota_headers {
        headers.extend(wham::quota_headers(&shared.state().accounts[owner], now));
    }
    headers.extend(plan.headers.clone());
    headers
}

fn asked(shared: &Shared, owner: Owner, received: &Received, now: At) -> Asked {
    let mut state = shared.state();
    let body = received.json().unwrap_or_default();
    let account = &state.accounts[owner].account;
    let model = body["model"].as_str().unwrap_or_default();
    let removed = state.produced.removed(&body["input"], account, model);
    let last = body["input"].as_array().and_then(|items| items.last());
    let compacts = last.is_some_and(|item| item["type"] == "compaction_trigger");
    Asked {
        id: state.next_response_id(),
        account: state.accounts[owner].account.name.clone(),
        model: model.to_owned(),
        removed,
        compacts,
        question: last_question(&body["input"]).unwrap_or_default(),
        // About four characters per token, as in English.
        input_tokens: received.body.len() / 4,
        at: now.0 / 1000,
    }
}

/// The text of the last user message; `input` may also be a bare string.
fn last_question(input: &Value) -> Option<String> {
    if let Some(text) = input.as_str() {
        return Some(text.to_owned());
    }
    let message = input.as_array()?.iter().rev().find(|item| item["role"] == "user")?;
    match &message["content"] {
        Value::String(text) => Some(text.clone()),
        parts => parts.as_array()?.iter().rev().find_map(|part| part["text"].as_str()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_question_is_the_last_thing_the_user_said() {
        let check =
            |input: Value, expected: Option<&str>| assert_eq!(last_question(&input).as_deref(), expected);
        check(json!("Why?"), Some("Why?"));
        check(
            json!([{ "role": "user", "content": "Why?" }, { "role": "assistant", "content": "So." }]),
            Some("Why?"),
        );
        check(
            json!([{ "role": "user", "content": [{ "type": "input_text", "text": "How?" }] }]),
            Some("How?"),
        );
        check(json!([]), None);
    }
}
