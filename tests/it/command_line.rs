//! `multicodex accounts`, `refresh` and `token`, as a person runs them.

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::Value;

use crate::stage::{Stage, email, expired};

async fn run(stage: &Stage, arguments: &[&str]) -> (i32, String, String) {
    let output = stage
        .command(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .output()
        .await
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn accounts_are_listed_for_people_and_for_programs() {
    let stage = Stage::with([SimAccount::named("ada"), expired("bob")]).await;
    let (code, table, _) = run(&stage, &["accounts"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(lines[0], ["ACCOUNT", "PLAN", "STATE", "TOKEN", "5H", "7D", "NOTE"]);
    assert_eq!(lines[1][..6], ["ada@example.com", "plus", "ready", "valid", "?", "?"]);
    assert_eq!(lines[2][..6], ["bob@example.com", "plus", "ready", "expired", "?", "?"]);
    assert_eq!(table.matches("active").count(), 1, "{table}");
    let (code, json, _) = run(&stage, &["accounts", "--json"]).await;
    let list: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &list["accounts"][1]["label"]), (0, &Value::from(email("bob"))));
}

#[tokio::test]
async fn refresh_renews_and_says_what_it_could_not() {
    let stage = Stage::with([expired("ada"), expired("bob")]).await;
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    stage.sim.add_rule(Rule::always(behaviour).of("bob").on(Route::Token));
    let (code, told, _) = run(&stage, &["refresh"]).await;
    assert_eq!(code, 1, "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[1].contains("valid") && lines[1].contains("12%"), "{told}");
    assert!(lines[2].contains("needs login"), "{told}");
    assert!(lines[3].starts_with("bob@example.com: ") && lines[3].contains("invalid_grant"), "{told}");
    let (code, json, _) = run(&stage, &["refresh", &email("ada"), "--json", "--force"]).await;
    let answer: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, answer["results"].as_array().map(Vec::len)), (0, Some(1)), "{json}");
    assert_eq!((stage.sim.redeems("ada"), stage.sim.redeems("bob"), stage.sim.reused()), (2, 1, 0));
}

#[tokio::test]
async fn token_prints_a_token_and_nothing_else() {
    let stage = Stage::with([expired("ada")]).await;
    let (code, told, errors) = run(&stage, &["token", &email("ada")]).await;
    let stored = stage.read_accounts()["accounts"][0]["accessToken"].as_str().expect("text").to_owned();
    assert_eq!((code, told.trim_end(), errors.as_str()), (0, stored.as_str(), ""));
    let (code, told, _) = run(&stage, &["token"]).await;
    assert_eq!((code, told.trim_end()), (0, stored.as_str()));
    let (code, told, errors) = run(&stage, &["token", "nobody"]).await;
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("nobody"), "{errors}");
}

#[tokio::test]
async fn a_switch_that_means_nothing_is_refused() {
    let stage = Stage::with([]).await;
    for arguments in [&["token", "--json"][..], &["accounts", "--force"], &["accounts", "ada"]] {
        let (code, told, errors) = run(&stage, arguments).await;
        assert_eq!((code, told.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.starts_with("multicodex: "), "{errors}");
    }
    assert_eq!(run(&stage, &["accounts"]).await.1, "there are no accounts yet\n");
}
