//! Luna Reserve answers when every account is out, and only when it is allowed.

use multicodex::protocol::{History, HistoryParams, ShowStatus, StatusParams};
use multicodex::sim::{Route, SimAccount, SimReserve, SimUsage};
use serde_json::{Value, json};

use super::when_dry::set;
use super::{complete, dry};
use crate::env::{Sidecar, TestEnv};

fn with_reserve(name: &str, used_percent: f64) -> SimAccount {
    let reserve = Some(SimReserve { used_percent, banner: true });
    SimAccount { usage: SimUsage { reserve, ..dry(&[]) }, ..SimAccount::named(name) }
}

fn luna(more: Value) -> Value {
    let mut params = json!({"request": {"model": "gpt-5.6-luna", "input": []}});
    params.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    params
}

/// The models of the requests that were answered with a stream.
fn answered(env: &TestEnv) -> Vec<String> {
    let log = env.sim().log();
    let served = log.iter().filter(|it| it.route == Some(Route::Responses) && it.status == Some(200));
    served
        .map(|logged| {
            let body: Value = serde_json::from_str(&logged.body).expect("JSON");
            body["model"].as_str().expect("a model").to_owned()
        })
        .collect()
}

async fn ends_with(sidecar: &Sidecar, params: Value, expected: &str) -> Vec<Value> {
    let told = complete(sidecar, params.clone()).await;
    assert_eq!(told.last().expect("an end")["type"], expected, "{params} {told:#?}");
    told
}

#[tokio::test]
async fn a_weaker_model_answers_only_as_the_setting_and_the_completion_say() {
    for (setting, allowed) in [
        ("never", [false, false, true, true]),
        ("luna", [false, true, true, true]),
        ("any", [true, true, true, true]),
    ] {
        let env = TestEnv::new([with_reserve("ada", 10.0)]);
        set(&env, json!({"reserve": setting}));
        let sidecar = env.sidecar().await;
        let asked =
            [json!({}), luna(json!({})), json!({"allowReserve": true}), luna(json!({"allowReserve": true}))];
        for (params, allowed) in asked.into_iter().zip(allowed) {
            let before = answered(&env).len();
            let told = ends_with(&sidecar, params, if allowed { "done" } else { "error" }).await;
            let accepted = told.iter().find(|notice| notice["type"] == "accepted");
            assert_eq!(
                accepted.map(|notice| notice["reserve"] == true),
                allowed.then_some(true),
                "{setting}"
            );
            assert_eq!(
                answered(&env)[before..],
                if allowed { vec!["gpt-reserve".to_owned()] } else { vec![] }
            );
        }
        let history = sidecar.client.request::<History>(&HistoryParams::default()).await.expect("history");
        let on_reserve = history.attempts.iter().filter(|attempt| attempt.reserve).count();
        assert_eq!(on_reserve, answered(&env).len(), "{setting}");
        // What the completion says outweighs the setting.
        ends_with(&sidecar, luna(json!({"allowReserve": false})), "error").await;
        ends_with(&sidecar, json!({"allowReserve": false}), "error").await;
        sidecar.end().await;
    }
}

#[tokio::test]
async fn the_reserve_is_not_asked_while_an_account_serves() {
    let env = TestEnv::new([with_reserve("ada", 10.0), SimAccount::named("bob")]);
    set(&env, json!({"reserve": "any"}));
    let sidecar = env.sidecar().await;
    let told = ends_with(&sidecar, json!({}), "done").await;
    assert!(told.iter().all(|notice| notice.get("reserve").is_none()), "{told:#?}");
    assert_eq!(answered(&env), ["gpt-6.1-sol"]);
    sidecar.end().await;
}

#[tokio::test]
async fn a_reserve_that_is_used_up_cools_alone_and_the_next_one_answers() {
    let env = TestEnv::new([with_reserve("ada", 99.9), with_reserve("bob", 99.95)]);
    set(&env, json!({"reserve": "any"}));
    let sidecar = env.sidecar().await;
    // Each answer uses half a percent, so that each reserve answers once.
    for account in ["ada", "bob"] {
        let told = ends_with(&sidecar, json!({}), "done").await;
        assert_eq!(told.last().expect("an end")["account"], sidecar.account(account).await.id);
    }
    let told = ends_with(&sidecar, json!({}), "error").await;
    let error = &told.last().expect("an end")["error"];
    assert_eq!(error["kind"], "no_available_account");
    assert!(error["plan"].as_array().expect("a plan").iter().all(|step| step["step"] == "wait"), "{error}");
    assert_eq!(answered(&env), ["gpt-reserve", "gpt-reserve"]);
    sidecar.end().await;
}

#[tokio::test]
async fn what_is_left_is_told_in_the_error_in_rotation_and_in_the_footer() {
    let mut ada = with_reserve("ada", 10.0);
    ada.usage.reset_credits = dry(&["credit"]).reset_credits;
    let env = TestEnv::new([ada]);
    let sidecar = env.sidecar().await;
    ends_with(&sidecar, json!({}), "error").await;
    sidecar.refresh(Some("ada"), false).await;
    let told = ends_with(&sidecar, json!({}), "error").await;
    let error = &told.last().expect("an end")["error"];
    let steps = |plan: &Value| -> Vec<(String, bool)> {
        let plan = plan.as_array().expect("a plan").iter();
        plan.map(|step| (step["step"].as_str().expect("a step").to_owned(), step["allowed"] == true))
            .collect()
    };
    let expected = ["reserve", "resetCredit", "wait"].map(|step| (step.to_owned(), false));
    assert_eq!(steps(&error["plan"]), expected);
    assert!(error["plan"][1]["expiresAt"].is_i64() && error["plan"][2]["until"].is_i64());
    let hint = error["hint"].as_str().expect("a hint");
    assert!(hint.contains("ada@example.com: Luna Reserve could answer, with gpt-5.6-luna"), "{hint}");
    assert!(hint.contains("ada@example.com: a reset credit, which expires in"), "{hint}");
    let params = serde_json::from_value(json!({"model": "gpt-6.1-sol"})).expect("params");
    let rotation =
        sidecar.client.request::<multicodex::protocol::ShowRotation>(&params).await.expect("rotation");
    assert_eq!(steps(&json!(rotation.plan)), expected);
    let status = sidecar.client.request::<ShowStatus>(&StatusParams::default()).await.expect("status");
    assert!(status.text.contains("all accounts out"), "{}", status.text);
    assert!(status.text.ends_with("· reserve left · reset credit left"), "{}", status.text);
    sidecar.end().await;
}
