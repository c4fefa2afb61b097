//! SIGKILL at random moments around a redemption: a decision never spends two credits, and none is lost.

use std::time::Duration;

use multicodex::protocol::{AccountsResetCredit, ResetCreditParams};
use multicodex::sim::{Behaviour, Route, Rule};

use super::{dry, dry_account, is_finished, journal};
use crate::env::{TestEnv, email, eventually};

/// At least this many rounds, or `MULTICODEX_KILLS=100` for the long version, and more until enough kills hit.
fn rounds() -> usize {
    std::env::var("MULTICODEX_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(12)
}

#[expect(clippy::print_stdout, reason = "the figures are for the note of a long run")]
#[tokio::test]
async fn a_kill_at_any_moment_spends_no_second_credit_and_loses_none() {
    let env = TestEnv::new([dry_account("ada", &[])]);
    // So that a kill can come between the request and its answer.
    env.sim().add_rule(Rule::always(Behaviour::Normal).on(Route::RedeemResetCredit).delayed(6));
    let params = ResetCreditParams { account: email("ada"), ..ResetCreditParams::default() };
    let least = rounds();
    let (mut round, mut cut_off, mut undecided, mut span) = (0, 0, 0, Duration::from_millis(80));
    while round < least || cut_off < least / 6 {
        assert!(round < 20 * least, "the kills mean nothing: {cut_off} of {round} cut a decision off");
        round += 1;
        let credits = ["a", "b", "c"].map(|name| format!("credit-{round}-{name}"));
        env.sim().set_usage("ada", dry(&credits.each_ref().map(String::as_str)));
        let before = (env.sim().redeemed("ada").len(), journal(&env).len());

        let sidecar = env.sidecar().await;
        let moment = span.mul_f64(f64::from(random()) / f64::from(u32::MAX));
        let redeeming = sidecar.client.request::<AccountsResetCredit>(&params);
        let in_time = tokio::time::timeout(moment, redeeming).await.is_ok();
        // So that about half of the kills come while it is in progress.
        span = span.mul_f64(if in_time { 0.7 } else { 1.5 });
        drop(sidecar);
        env.sim_is_at_rest();
        let left = journal(&env);
        assert!(left.len() <= before.1 + 1, "round {round}: one demand is one decision");
        cut_off += usize::from(left.iter().any(|decision| decision.get("outcome").is_none()));
        undecided += usize::from(left.len() == before.1);

        // The next process finishes it, and makes no decision of its own.
        let sidecar = env.sidecar().await;
        eventually("every decision is finished", async || journal(&env).iter().all(is_finished)).await;
        sidecar.end().await;
        let decisions = journal(&env);
        assert_eq!(decisions.len(), left.len(), "round {round}");
        let redeemed = env.sim().redeemed("ada");
        let spent = redeemed.len() - before.0;
        assert_eq!(spent, decisions.len() - before.1, "round {round}: {decisions:#?} {redeemed:?}");
        for (decision, (request, credit)) in decisions.iter().zip(&redeemed) {
            assert_eq!(
                (decision["requestId"].as_str(), decision["creditId"].as_str()),
                (Some(request.as_str()), Some(credit.as_str()))
            );
            assert_eq!(decision["helped"], true, "round {round}");
        }
    }
    println!("{round} kills: {undecided} before a decision, {cut_off} between a decision and its outcome");
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("randomness");
    u32::from_le_bytes(bytes)
}
