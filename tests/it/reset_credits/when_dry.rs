//! A reset credit that is redeemed without a person: only by its setting, and one for all sidecars together.

use futures_util::future::join_all;
use multicodex::sim::{SimAccount, SimUsage, SimWindow};
use serde_json::{Value, json};

use super::{complete, dry, dry_account, journal, requests};
use crate::env::TestEnv;

const NAMES: [&str; 5] = ["ada", "bob", "cleo", "dan", "eve"];

pub(crate) fn set(env: &TestEnv, rotation: Value) {
    let settings = json!({"pi-multicodex": {"rotation": rotation}});
    std::fs::write(env.settings_file(), settings.to_string()).expect("written");
}

fn redeemed(env: &TestEnv) -> usize {
    NAMES.iter().map(|name| env.sim().redeemed(name).len()).sum()
}

fn all_dry() -> TestEnv {
    TestEnv::new(NAMES.map(|name| {
        let credit = format!("credit of {name}");
        dry_account(name, &[&credit])
    }))
}

#[tokio::test]
async fn eight_sidecars_with_five_dry_accounts_redeem_one_credit_and_all_are_served() {
    let env = all_dry();
    set(&env, json!({"resetCredits": "when-dry"}));
    let mut sidecars = Vec::new();
    for _ in 0..8 {
        sidecars.push(env.sidecar().await);
    }
    let told = join_all(sidecars.iter().map(|sidecar| complete(sidecar, json!({})))).await;
    assert_eq!(redeemed(&env), 1, "{:?}", requests(&env));
    assert_eq!(journal(&env).len(), 1);
    for notices in &told {
        assert_eq!(notices.last().expect("an end")["type"], "done", "{notices:#?}");
    }
    // Within the hour no second one, though all are out again.
    for name in NAMES {
        env.sim().set_usage(name, dry(&["another"]));
    }
    let again = join_all(sidecars.iter().map(|sidecar| complete(sidecar, json!({})))).await;
    for notices in &again {
        let error = &notices.last().expect("an end")["error"];
        assert_eq!(error["kind"], "no_available_account", "{notices:#?}");
        let step =
            error["plan"].as_array().expect("a plan").iter().find(|step| step["step"] == "resetCredit");
        let step = step.expect("a credit is left");
        assert_eq!(step["allowed"], false);
        let reason = step["reason"].as_str().expect("words");
        assert!(reason.contains("one was redeemed less than an hour ago"), "{reason}");
    }
    assert_eq!(redeemed(&env), 1);
    for sidecar in sidecars {
        sidecar.end().await;
    }
}

#[tokio::test]
async fn no_credit_is_redeemed_unless_the_setting_says_so() {
    let env = all_dry();
    let sidecar = env.sidecar().await;
    let told = complete(&sidecar, json!({})).await;
    let error = &told.last().expect("an end")["error"];
    assert_eq!(error["kind"], "no_available_account");
    assert_eq!((redeemed(&env), requests(&env).len(), journal(&env).len()), (0, 0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_credit_is_not_spent_while_another_account_serves() {
    let env = TestEnv::new([dry_account("ada", &["credit"]), SimAccount::named("bob")]);
    set(&env, json!({"resetCredits": "when-dry"}));
    let sidecar = env.sidecar().await;
    assert_eq!(complete(&sidecar, json!({})).await.last().expect("an end")["type"], "done");
    // Nor for one that was named.
    let told = complete(&sidecar, json!({"account": "ada@example.com"})).await;
    assert_eq!(told.last().expect("an end")["type"], "error");
    assert_eq!((env.sim().redeemed("ada").len(), requests(&env).len()), (0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_credit_is_not_spent_where_the_short_window_is_in_the_way_as_well() {
    let windows = vec![SimWindow::five_hours(100.0), SimWindow::seven_days(100.0)];
    let usage = SimUsage { windows, ..dry(&["credit"]) };
    let env = TestEnv::new([SimAccount { usage, ..SimAccount::named("ada") }]);
    set(&env, json!({"resetCredits": "when-dry"}));
    let sidecar = env.sidecar().await;
    assert_eq!(complete(&sidecar, json!({})).await.last().expect("an end")["type"], "error");
    assert_eq!((env.sim().redeemed("ada").len(), requests(&env).len()), (0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn the_credit_that_expires_first_is_redeemed_and_none_after_one_that_did_not_help() {
    let usage = SimUsage { resets_in_vain: true, ..dry(&["first"]) };
    let mut later = dry(&["later"]);
    later.reset_credits[0].expires_in_seconds = Some(20 * 86_400);
    let env = TestEnv::new([
        SimAccount { usage: later, ..SimAccount::named("ada") },
        SimAccount { usage, ..SimAccount::named("bob") },
    ]);
    set(&env, json!({"resetCredits": "when-dry"}));
    let sidecar = env.sidecar().await;
    assert_eq!(complete(&sidecar, json!({})).await.last().expect("an end")["type"], "error");
    let sent: Vec<String> = requests(&env).into_iter().map(|(_, credit)| credit).collect();
    assert_eq!(sent, ["first"]);
    assert_eq!(journal(&env)[0]["helped"], false);
    // An hour later, by the journal.
    let mut decision = journal(&env)[0].clone();
    let an_hour_ago = multicodex::clock::now().millis() - 61 * 60_000;
    decision["decidedAt"] = json!(an_hour_ago);
    let path = env.guard_dir().join("reset-credits.json");
    std::fs::write(path, json!({"redemptions": [decision]}).to_string()).expect("written");
    let told = complete(&sidecar, json!({})).await;
    let plan = told.last().expect("an end")["error"]["plan"].clone();
    let step = plan.as_array().expect("a plan").iter().find(|step| step["step"] == "resetCredit").cloned();
    let reason = step.expect("a credit is left")["reason"].to_string();
    assert!(reason.contains("the last one did not help"), "{reason}");
    assert_eq!(requests(&env).len(), 1);
    sidecar.end().await;
}
