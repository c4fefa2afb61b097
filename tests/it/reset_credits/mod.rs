//! Reset credits as a person redeems them, with the real binary: one decision spends one credit, whatever happens to
//! it.

use multicodex::protocol::{
    AccountState, AccountsResetCredit, ResetCreditAnswer, ResetCreditOutcome, ResetCreditParams, Warning,
    WarningKind,
};
use multicodex::sim::{Behaviour, Break, Route, Rule, SimAccount, SimResetCredit, SimUsage, SimWindow};
use serde_json::{Value, json};

use crate::env::{Refused, Sidecar, TestEnv, email, eventually};

mod kills;
mod reserve;
mod when_dry;

/// The week is used up, the five hours are not.
pub(crate) fn dry(credits: &[&str]) -> SimUsage {
    let credit = |(index, id): (usize, &&str)| SimResetCredit {
        id: (*id).to_owned(),
        expires_in_seconds: Some(86_400 * (i64::try_from(index).expect("few") + 1)),
        status: None,
    };
    SimUsage {
        windows: vec![SimWindow::five_hours(12.0), SimWindow::seven_days(100.0)],
        reset_credits: credits.iter().enumerate().map(credit).collect(),
        cost_percent: 0.5,
        ..SimUsage::default()
    }
}

pub(crate) fn dry_account(name: &str, credits: &[&str]) -> SimAccount {
    SimAccount { usage: dry(credits), ..SimAccount::named(name) }
}

/// The decisions in the journal.
pub(crate) fn journal(env: &TestEnv) -> Vec<Value> {
    let Ok(text) = std::fs::read_to_string(env.guard_dir().join("reset-credits.json")) else {
        return Vec::new();
    };
    let journal: Value = serde_json::from_str(&text).expect("the journal parses");
    journal["redemptions"].as_array().expect("a list").clone()
}

pub(crate) fn is_finished(decision: &Value) -> bool {
    match decision["outcome"].as_str() {
        None => false,
        Some("reset" | "already_redeemed") => decision["helped"].is_boolean(),
        Some(_) => true,
    }
}

async fn redeem(sidecar: &Sidecar, name: &str, dry_run: bool) -> Result<ResetCreditAnswer, Refused> {
    let params = ResetCreditParams { account: email(name), credit_id: None, dry_run: Some(dry_run) };
    sidecar.client.request::<AccountsResetCredit>(&params).await.map_err(Refused::from)
}

/// Returns the notices of a completion, without the events.
pub(crate) async fn complete(sidecar: &Sidecar, more: Value) -> Vec<Value> {
    let mut params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
    params.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let params = serde_json::from_value(params).expect("params");
    let mut notices = sidecar.client.complete(&params).await.expect("a subscription");
    let mut told = Vec::new();
    loop {
        let notice = notices.next().await.expect("a notice").expect("it reads");
        let notice: Value = serde_json::from_str(notice.get()).expect("JSON");
        let is_last = ["done", "error", "cancelled"].iter().any(|kind| notice["type"] == *kind);
        if notice["type"] != "event" {
            told.push(notice);
        }
        if is_last {
            return told;
        }
    }
}

fn requests(env: &TestEnv) -> Vec<(String, String)> {
    let log = env.sim().log();
    let sent = log.iter().filter(|logged| logged.route == Some(Route::RedeemResetCredit));
    let member = |body: &Value, name: &str| body[name].as_str().expect("a text").to_owned();
    sent.map(|logged| {
        let body: Value = serde_json::from_str(&logged.body).expect("JSON");
        (member(&body, "redeem_request_id"), member(&body, "credit_id"))
    })
    .collect()
}

#[tokio::test]
async fn a_person_redeems_the_credit_that_expires_first_and_a_reading_shows_the_reset() {
    let env = TestEnv::new([dry_account("ada", &["sooner", "later"])]);
    let sidecar = env.sidecar().await;
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    let sent = requests(&env);
    assert_eq!(sent.iter().map(|(_, credit)| credit.as_str()).collect::<Vec<_>>(), ["sooner"]);
    assert_eq!(answer.request_id.as_ref(), Some(&sent[0].0));
    assert_eq!(answer.outcome, Some(ResetCreditOutcome::Reset));
    assert_eq!((answer.verified, answer.resumed, answer.dry_run), (Some(true), false, false));
    assert_eq!(answer.before.iter().map(|window| window.used_percent).collect::<Vec<_>>(), [12.0, 100.0]);
    let usage = answer.account.usage.expect("it was read");
    assert_eq!(usage.windows.iter().map(|window| window.used_percent).collect::<Vec<_>>(), [0.0, 0.0]);
    let left = usage.reset_credits.expect("they were listed");
    assert_eq!((left.available, left.credits.len(), left.credits[0].id.as_str()), (1, 1, "later"));
    let decisions = journal(&env);
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0]["outcome"], "reset");
    assert_eq!((&decisions[0]["helped"], &decisions[0]["decidedBy"]), (&json!(true), &json!("person")));
    sidecar.end().await;
}

#[tokio::test]
async fn a_dry_run_tells_what_is_known_and_spends_nothing() {
    let env = TestEnv::new([dry_account("ada", &["sooner", "later"])]);
    let sidecar = env.sidecar().await;
    let answer = redeem(&sidecar, "ada", true).await.expect("an answer");
    assert_eq!(answer.credit.map(|credit| credit.id).as_deref(), Some("sooner"));
    assert_eq!((answer.dry_run, answer.outcome, answer.request_id), (true, None, None));
    assert!(
        answer.notes[0].starts_with("1 of 2 reset credits would be spent; it expires in"),
        "{:?}",
        answer.notes
    );
    assert!(
        answer.notes.iter().any(|note| note.starts_with("7d: 100 % used, resets in 6d")),
        "{:?}",
        answer.notes
    );
    assert!(answer.notes.iter().any(|note| note.contains("weekly reset date may move later")));
    assert_eq!((requests(&env).len(), journal(&env).len()), (0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    let env = TestEnv::new([dry_account("ada", &["one", "two"])]);
    env.sim().add_rule(Rule::next(1, Behaviour::Lost(Break::Cut)).on(Route::RedeemResetCredit));
    let sidecar = env.sidecar().await;
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!(answer.outcome, Some(ResetCreditOutcome::AlreadyRedeemed));
    assert_eq!(answer.verified, Some(true));
    let sent = requests(&env);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1], "the same request, to the letter");
    assert_eq!(env.sim().redeemed("ada"), [sent[0].clone()]);
    sidecar.end().await;
}

#[tokio::test]
async fn an_answer_that_stays_away_leaves_the_decision_open_and_the_next_demand_finishes_it() {
    let env = TestEnv::new([dry_account("ada", &["one", "two"])]);
    env.sim().add_rule(Rule::next(1, Behaviour::Lost(Break::Cut)).on(Route::RedeemResetCredit));
    env.sim().add_rule(Rule::next(2, Behaviour::Cut).on(Route::RedeemResetCredit));
    let sidecar = env.sidecar().await;
    let refused = redeem(&sidecar, "ada", false).await.expect_err("no outcome is known");
    assert_eq!(refused.data["cause"], "outcome_unknown");
    assert_eq!(refused.data["retryable"], true);
    assert_eq!(journal(&env)[0].get("outcome"), None);
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!((answer.outcome, answer.resumed), (Some(ResetCreditOutcome::AlreadyRedeemed), true));
    assert_eq!(env.sim().redeemed("ada").len(), 1, "no second credit for a demand that was repeated");
    assert_eq!(journal(&env).len(), 1);
    sidecar.end().await;
}

#[tokio::test]
async fn a_refusal_spends_nothing_and_is_told_as_it_is() {
    let env = TestEnv::new([dry_account("ada", &["one"])]);
    let refusal = Behaviour::row("rate_limit").expect("a row");
    env.sim().add_rule(Rule::next(1, refusal).on(Route::RedeemResetCredit));
    let sidecar = env.sidecar().await;
    let refused = redeem(&sidecar, "ada", false).await.expect_err("it was refused");
    assert_eq!((refused.code, &refused.data["cause"]), (-32015, &json!("rate_limit")));
    assert_eq!(journal(&env)[0]["outcome"], "refused");
    assert_eq!((requests(&env).len(), env.sim().redeemed("ada").len()), (1, 0));
    // A new request is a new decision.
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!(answer.outcome, Some(ResetCreditOutcome::Reset));
    let sent = requests(&env);
    assert_ne!(sent[0].0, sent[1].0);
    sidecar.end().await;
}

#[tokio::test]
async fn without_a_credit_nothing_is_sent() {
    let spent =
        SimResetCredit { id: "spent".into(), expires_in_seconds: None, status: Some("redeemed".into()) };
    let expired = SimResetCredit { id: "expired".into(), expires_in_seconds: Some(-1), status: None };
    let usage = SimUsage { reset_credits: vec![spent, expired], ..dry(&[]) };
    let env = TestEnv::new([SimAccount { usage, ..SimAccount::named("ada") }]);
    let sidecar = env.sidecar().await;
    let refused = redeem(&sidecar, "ada", false).await.expect_err("there is none");
    assert_eq!((refused.code, &refused.data["kind"]), (-32015, &json!("no_reset_credit")));
    assert_eq!(
        redeem(&sidecar, "ada", true).await.expect("an answer").notes[0],
        "no reset credit can be redeemed"
    );
    assert_eq!((requests(&env).len(), journal(&env).len()), (0, 0));
    sidecar.end().await;
}

#[tokio::test]
async fn a_credit_is_not_spent_where_nothing_is_used() {
    let usage = SimUsage { windows: vec![SimWindow::seven_days(0.0)], ..dry(&["one"]) };
    let env = TestEnv::new([SimAccount { usage, ..SimAccount::named("ada") }]);
    let sidecar = env.sidecar().await;
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!((answer.outcome, answer.verified), (Some(ResetCreditOutcome::NothingToReset), None));
    assert_eq!(env.sim().redeemed("ada").len(), 0);
    sidecar.end().await;
}

#[tokio::test]
async fn a_reset_that_no_reading_shows_is_not_believed() {
    let usage = SimUsage { resets_in_vain: true, ..dry(&["one"]) };
    let env = TestEnv::new([SimAccount { usage, ..SimAccount::named("ada") }]);
    let sidecar = env.sidecar().await;
    let mut warnings = sidecar.client.notifications("warning").await.expect("a subscription");
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!((answer.outcome, answer.verified), (Some(ResetCreditOutcome::Reset), Some(false)));
    assert_eq!(journal(&env)[0]["helped"], false);
    let warning: Warning =
        serde_json::from_value(warnings.next().await.expect("one").expect("it reads")).expect("a warning");
    assert_eq!(warning.kind, WarningKind::ResetCredit);
    assert_eq!(
        warning.message,
        "ada@example.com: a reset credit was redeemed, but usage does not show a reset"
    );
    sidecar.end().await;
}

#[tokio::test]
async fn a_cooldown_ends_with_a_reset_that_a_reading_shows() {
    let env = TestEnv::new([dry_account("ada", &["one"])]);
    let sidecar = env.sidecar().await;
    assert_eq!(complete(&sidecar, json!({})).await.last().expect("an end")["type"], "error");
    assert_eq!(sidecar.account("ada").await.state, AccountState::Cooling);
    let answer = redeem(&sidecar, "ada", false).await.expect("an answer");
    assert_eq!(answer.account.state, AccountState::Ready);
    sidecar.end().await;
}

/// The state after a crash between the decision and its answer.
fn cut_off(env: &TestEnv, account: &str, minutes_ago: i64) {
    let decided_at = multicodex::clock::now().millis() - minutes_ago * 60_000;
    let journal = json!({"redemptions": [{
        "requestId": "11111111-2222-4333-8444-555555555555", "account": account, "creditId": "one",
        "decidedBy": "person", "decidedAt": decided_at, "before": [{"minutes": 10080, "usedPercent": 100.0}],
    }]});
    std::fs::create_dir_all(env.guard_dir()).expect("a directory");
    std::fs::write(env.guard_dir().join("reset-credits.json"), journal.to_string()).expect("written");
}

async fn id_of(env: &TestEnv, name: &str) -> String {
    let sidecar = env.sidecar().await;
    let id = sidecar.account(name).await.id;
    sidecar.end().await;
    id
}

#[tokio::test]
async fn a_decision_that_a_crash_cut_off_is_carried_out_at_the_next_start() {
    let env = TestEnv::new([dry_account("ada", &["one", "two"])]);
    let id = id_of(&env, "ada").await;
    cut_off(&env, &id, 1);
    let sidecar = env.sidecar().await;
    eventually("it is finished", async || journal(&env).iter().all(is_finished)).await;
    let expected = ("11111111-2222-4333-8444-555555555555".to_owned(), "one".to_owned());
    assert_eq!((requests(&env), env.sim().redeemed("ada")), (vec![expected.clone()], vec![expected]));
    sidecar.end().await;
}

#[tokio::test]
async fn a_decision_of_long_ago_whose_credit_is_still_there_spends_nothing() {
    let env = TestEnv::new([dry_account("ada", &["one", "two"])]);
    let id = id_of(&env, "ada").await;
    cut_off(&env, &id, 16);
    let sidecar = env.sidecar().await;
    eventually("it is finished", async || journal(&env).iter().all(is_finished)).await;
    assert_eq!(journal(&env)[0]["outcome"], "abandoned");
    assert_eq!((requests(&env).len(), env.sim().redeemed("ada").len()), (0, 0));
    sidecar.end().await;
}
