//! One sidecar, an account for each case, and one more that answers: the result of a case, as a line of words.

use multicodex::sim::{Behaviour, Rule, SimAccount};
use serde_json::{Value, json};

use super::resources::Resources;
use crate::env::RawClient;
use crate::env::TestEnv;

/// Answers every request, and is preferred to all accounts that are not pinned.
pub const HELPER: &str = "helper";

pub struct FaultHarness {
    pub env: TestEnv,
    pub peer: RawClient,
    before: Resources,
}

/// What the client does while a completion runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Reads,
    /// Reads nothing until upstream has nothing more to do.
    Stalls,
    Cancels,
}

impl FaultHarness {
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> FaultHarness {
        let env = TestEnv::new(names.into_iter().chain([HELPER]).map(SimAccount::named));
        let mut peer = env.raw_client();
        let helper = json!([{"account": format!("{HELPER}@example.com"), "priority": 100}]);
        peer.call("rotation/set", json!({"strategy": "priority", "priority": helper})).expect("settings");
        let mut harness = FaultHarness { before: Resources::of(peer.pid()), env, peer };
        // What is created once is created now, and is not a leak.
        assert_eq!(harness.play(HELPER, &Behaviour::Normal, json!({}), Client::Reads), "done | ready | 1+1");
        harness.before = Resources::of(harness.peer.pid());
        harness
    }

    /// The account's first completion request meets the fault; later ones too, so that only the helper can answer.
    pub fn play(&mut self, account: &str, fault: &Behaviour, more: Value, client: Client) -> String {
        let label = format!("{account}@example.com");
        self.peer.call("accounts/use", json!({"account": label})).expect("pinned");
        if *fault != Behaviour::Normal {
            self.env.sim().add_rule(Rule::always(fault.clone()).of(account));
        }
        let helped = self.env.sim().posts(HELPER);
        let mut params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
        params.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let terminal = self.complete(&params, client);
        self.peer.call("reset", json!({"scope": "manual"})).expect("unpinned");
        let (posts, helped) = (self.env.sim().posts(account), self.env.sim().posts(HELPER) - helped);
        format!("{terminal} | {} | {posts}+{helped}", self.state_of(&label))
    }

    fn complete(&mut self, params: &Value, client: Client) -> String {
        self.peer.stall(client == Client::Stalls);
        let id = self.peer.request("complete", params.clone());
        if client == Client::Stalls {
            std::thread::sleep(std::time::Duration::from_millis(30));
            self.peer.stall(false);
        }
        let subscription = self.peer.expect_response(id).expect("a subscription");
        let cancel = (client == Client::Cancels)
            .then(|| self.peer.request("complete/cancel", json!({"subscription": subscription})));
        let (mut seen, mut moved) = ("", String::new());
        let terminal = loop {
            let mut notice = self.peer.expect_notification("complete");
            assert_eq!(notice["subscription"], subscription);
            let result = notice["result"].take();
            match result["type"].as_str().expect("a type") {
                "rotated" if seen.is_empty() => moved = format!("moved {} ", word(&result["reason"]["kind"])),
                "accepted" if seen.is_empty() => seen = "accepted",
                "event" if !seen.is_empty() => seen = "event",
                "done" if seen == "event" => {
                    break match word(&result["outcome"]) {
                        "completed" => "done".to_owned(),
                        outcome => format!("done {outcome}"),
                    };
                }
                "error" => {
                    let error = &result["error"];
                    break format!("{} {}", word(&error["phase"]), word(&error["kind"]));
                }
                "cancelled" => break "cancelled".to_owned(),
                other => panic!("{other} after {seen:?}: {result}"),
            }
        };
        if let Some(cancel) = cancel {
            let cancelled = self.peer.expect_response(cancel).expect("true or false");
            assert!(cancelled == true || terminal != "cancelled", "{terminal}");
        }
        format!("{moved}{terminal}")
    }

    fn state_of(&mut self, label: &str) -> String {
        let list = self.peer.call("accounts", json!({})).expect("a list");
        let accounts = list["accounts"].as_array().expect("a list");
        let account = accounts.iter().find(|account| account["label"] == label).expect("the account");
        let rests = if account["backoffUntil"].is_number() { " rests" } else { "" };
        format!("{}{rests}", word(&account["state"]))
    }

    /// Nothing is left of all the cases: no request upstream, no descriptor, no thread, no file, little memory.
    pub fn end(mut self) {
        self.env.sim_is_at_rest();
        self.before.have_come_back(self.peer.pid());
        self.peer.call("shutdown", json!({})).expect("null");
        drop(self.peer);
        let mut left: Vec<String> = self.env.files();
        left.retain(|name| name.contains(".tmp") || name.starts_with(".multicodex"));
        assert!(left.is_empty(), "{left:?}");
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no word: {value}"))
}
