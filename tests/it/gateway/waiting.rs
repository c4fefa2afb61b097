//! Completions that wait for a reset.

use std::fs;
use std::time::Duration;

use multicodex::sim::{Behaviour, Rule, SimAccount};
use tokio::time::Instant;

use super::running::{Answer, RunningGateway};
use crate::env::TestEnv;

#[tokio::test]
async fn comments_keep_a_client_that_waits_and_the_answer_follows() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let settings = r#"{"pi-multicodex":{"rotation":{"waitForResetMs":600000}}}"#;
    fs::write(env.settings_file(), settings).expect("writable");
    let gateway = RunningGateway::start(&env);
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit_for(17)).of("ada"));
    let began = Instant::now();
    let answer = Answer::of(gateway.stream("Hello").timeout(Duration::from_secs(60))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.starts_with(": "), "a comment came first: {}", answer.text);
    assert!(began.elapsed() >= Duration::from_secs(16), "it has waited");
    let events = answer.events();
    assert!(events[0].contains("response.created") && events.len() > 4, "{events:?}");
    // A short wait has no effect on the answer, because the status was not decided yet.
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit_for(2)).of("ada"));
    let answer = Answer::of(gateway.stream("Hello").timeout(Duration::from_secs(60))).await;
    assert!(answer.status == 200 && !answer.text.starts_with(':'), "{}", answer.text);
    assert!(answer.header("x-request-id").is_some());
}
