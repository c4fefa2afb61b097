//! The recorded sessions of `schema/examples`, by method. `rpc::examples` replays them against the real binary.

use std::fs;

use serde_json::Value;

use super::root;

/// A request and its answer.
#[derive(Debug)]
pub struct Exchange {
    pub request: Value,
    pub answer: Value,
}

#[derive(Debug)]
pub struct Examples {
    exchanges: Vec<Exchange>,
    notifications: Vec<Value>,
}

impl Examples {
    /// Returns a request with a result and one with an error, if there are such.
    pub fn of_method(&self, name: &str) -> Vec<&Exchange> {
        let of_this = || self.exchanges.iter().filter(|exchange| exchange.request["method"] == name);
        let succeeded = of_this().find(|exchange| exchange.answer.get("error").is_none());
        let failed = of_this().find(|exchange| exchange.answer.get("error").is_some());
        succeeded.into_iter().chain(failed).collect()
    }

    /// Returns one notification of each `type` in its `result`, or just one.
    pub fn of_notification(&self, name: &str) -> Vec<&Value> {
        let mut shown: Vec<&Value> = Vec::new();
        for message in self.notifications.iter().filter(|message| message["method"] == name) {
            let kind = &message["params"]["result"]["type"];
            if !shown.iter().any(|other| other["params"]["result"]["type"] == *kind) {
                shown.push(message);
            }
        }
        shown
    }
}

/// Reads all sessions, sorted by the names of their files.
pub fn read() -> Examples {
    let dir = root().join("schema/examples");
    let entries = fs::read_dir(&dir).expect("schema/examples").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.collect();
    files.sort();
    let mut examples = Examples { exchanges: Vec::new(), notifications: Vec::new() };
    for file in files {
        let text = fs::read_to_string(&file).expect("an example");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
        let mut waiting: Vec<Value> = Vec::new();
        for mut line in lines {
            if let Some(request) = line.get_mut("send") {
                waiting.push(request.take());
                continue;
            }
            let message = line["receive"].take();
            if message.get("id").is_none() {
                examples.notifications.push(message);
                continue;
            }
            let index = waiting.iter().position(|request| request["id"] == message["id"]).expect("a request");
            examples.exchanges.push(Exchange { request: waiting.remove(index), answer: message });
        }
    }
    examples
}
