//! A client that continues a conversation, turn by turn.

use multicodex::protocol::{Collected, CompleteCollect, CompleteParams, Transport};
use multicodex::sim::{LoggedRequest, Route, SimHandle};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::env::{Refused, Sidecar};

/// One session. Its `body` is sent in the next turn.
pub struct Chat {
    pub session: Option<String>,
    pub transport: Option<Transport>,
    pub account: Option<String>,
    pub body: Value,
    pub idle_timeout_ms: Option<u64>,
    turns: usize,
}

impl Chat {
    pub fn new(session: &str) -> Chat {
        let body = json!({
            "model": "gpt-6.1-sol",
            "tools": [{ "type": "function", "name": "read", "parameters": { "type": "object" } }],
            "input": [message("user", "input_text", "Question 1")],
        });
        Chat {
            session: Some(session.to_owned()),
            transport: Some(Transport::Auto),
            account: None,
            body,
            idle_timeout_ms: None,
            turns: 0,
        }
    }

    pub fn params(&self) -> CompleteParams {
        CompleteParams {
            allow_reserve: None,
            request: to_raw_value(&self.body).expect("JSON"),
            session_id: self.session.clone(),
            account: self.account.clone(),
            headers: None,
            deadline_ms: Some(60_000),
            idle_timeout_ms: self.idle_timeout_ms,
            transport: self.transport,
        }
    }

    /// Asks, and adds the answer and the next question to the conversation.
    pub async fn turn(&mut self, sidecar: &Sidecar) -> Result<Collected, Refused> {
        let collected =
            sidecar.client.request::<CompleteCollect>(&self.params()).await.map_err(Refused::from)?;
        self.answered(&collected);
        Ok(collected)
    }

    pub fn answered(&mut self, collected: &Collected) {
        self.turns += 1;
        let response: Value = serde_json::from_str(collected.response.get()).expect("JSON");
        let items = response["output"].as_array().expect("items").clone();
        self.input().extend(items.into_iter().map(as_a_client_keeps_it));
        let question = format!("Question {}", self.turns + 1);
        self.input().push(message("user", "input_text", &question));
    }

    pub fn input(&mut self) -> &mut Vec<Value> {
        self.body["input"].as_array_mut().expect("items")
    }
}

/// Clients drop what upstream does not need.
fn as_a_client_keeps_it(mut item: Value) -> Value {
    let members = item.as_object_mut().expect("an item");
    members.remove("id");
    members.remove("status");
    for part in members.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        part.as_object_mut().expect("a part").remove("logprobs");
    }
    item
}

pub fn message(role: &str, kind: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] })
}

/// Returns the frames and bodies that the simulator received, in their order.
pub fn turns(sim: &SimHandle) -> Vec<LoggedRequest> {
    sim.log().into_iter().filter(|logged| logged.route == Some(Route::Responses)).collect()
}

/// Returns how each turn came: the socket's number and whether it was continued, or nothing over HTTP.
pub fn ways(sim: &SimHandle) -> Vec<Option<(u64, bool)>> {
    turns(sim).iter().map(|turn| turn.frame.map(|frame| (frame.socket, frame.continued))).collect()
}
