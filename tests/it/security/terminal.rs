//! People see texts of upstream and of tokens, and terminals obey control sequences in them.

use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use serde_json::json;

use crate::env::TestEnv;
use crate::env::{Framing, RawClient};

const CLEAR: &str = "\u{1b}[2J\u{7}\u{9b}31m";

#[test]
fn nothing_that_a_terminal_would_obey_is_shown() {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    env.rewrite_accounts(|file| file["accounts"][0]["email"] = format!("ada{CLEAR}").into());
    let body = json!({"error": {"message": format!("no{CLEAR}\r\nreally"), "code": "unknown_trouble"}});
    let refused = Behaviour::Answer(Answer::json(403, body));
    env.sim().add_rule(Rule::always(refused.clone()).on(Route::Responses));
    env.sim().add_rule(Rule::always(refused).on(Route::Usage));

    for asked in [&["accounts"][..], &["refresh"], &["token", "nobody\u{1b}[2J"]] {
        let output = env.command(asked).output().expect("it runs");
        let shown = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert!(shown.contains("ada") || asked.len() > 1, "{shown}");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{asked:?}: {shown:?}");
    }

    let mut serve = env.command(&["serve"]);
    serve.args(["--log", "trace"]);
    let mut peer = RawClient::spawn(serve, Framing::Lines);
    let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
    let error = peer.call("complete/collect", params).expect_err("refused");
    let message = error["message"].as_str().expect("a message");
    assert!(!message.contains(char::is_control), "{message:?}");
    let log = peer.stderr();
    assert!(log.contains("unknown_trouble"), "the log was read");
    assert!(!log.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{log:?}");
}
