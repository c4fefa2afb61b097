//! `reset-credit`.

use std::process::ExitCode;

use crate::cli::one_shot::{Needs, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::progress::Waiting;
use crate::protocol::{AccountsResetCredit, ResetCreditParams};
use crate::render::clean;

/// Returns exit code 1 without a reset: nothing was redeemed, or usage does not show the reset.
pub(in crate::cli) fn reset_credit(
    options: ServeOptions,
    account: String,
    credit_id: Option<String>,
    dry_run: bool,
    json: bool,
) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let params = ResetCreditParams { account, credit_id, dry_run: Some(dry_run) };
        let answer = {
            let _waiting = Waiting::text(if dry_run { "asking upstream" } else { "redeeming" });
            sidecar.call::<AccountsResetCredit>(&params).await?
        };
        if json {
            print_json(&answer).await?;
        } else {
            let lines = std::iter::once(&answer.account.label).chain(&answer.notes);
            print(lines.map(|line| format!("{}\n", clean(line))).collect()).await?;
        }
        let is_good = if dry_run { answer.credit.is_some() } else { answer.verified == Some(true) };
        Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}
