//! `verify`, `status`, `history`, `stats` and `paths`: reports that change nothing.

use std::process::ExitCode;

use tracing::level_filters::LevelFilter;

use crate::cli::one_shot::{Needs, OneShot, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::progress::Waiting;
use crate::clock;
use crate::protocol::{
    Account, Accounts, AccountsParams, CheckStatus, History, HistoryParams, NoParams, ShowPaths, ShowStatus,
    StatusParams, Verify, VerifyParams,
};
use crate::render::{self, clean};
use crate::sidecar::Start;

/// Neither merges pi's login nor needs a readable accounts file.
const RECORDS: Needs = Needs { start: Start::NotMerging, least: LevelFilter::WARN, accounts: false };

/// Exit code 1 when a check failed.
pub(in crate::cli) fn verify(options: ServeOptions, online: bool, json: bool) -> Result<ExitCode, String> {
    // The report contains what would be a warning.
    let needs = Needs { start: Start::ReadOnly, least: LevelFilter::ERROR, accounts: false };
    one_shot(options, needs, async |sidecar| {
        let answer = {
            let _waiting = online.then(|| Waiting::text("asking upstream"));
            sidecar.call::<Verify>(&VerifyParams { online: Some(online) }).await?
        };
        if json {
            print_json(&answer).await?;
        } else {
            print(render::verify(&answer, &sidecar.text_style().await?)).await?;
        }
        Ok(if answer.status == CheckStatus::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

pub(in crate::cli) fn status(options: ServeOptions, json: bool) -> Result<ExitCode, String> {
    // A prompt calls this often, while sidecars that merge are running.
    one_shot(
        options,
        Needs { start: Start::ReadOnly, least: LevelFilter::ERROR, accounts: true },
        async |sidecar| {
            let status = sidecar.call::<ShowStatus>(&StatusParams::default()).await?;
            if json {
                print_json(&status).await?;
            } else {
                print(format!("{}\n", clean(&status.text))).await?;
            }
            Ok(ExitCode::SUCCESS)
        },
    )
}

pub(in crate::cli) fn history(
    options: ServeOptions,
    account: Option<String>,
    limit: Option<u32>,
    json: bool,
) -> Result<ExitCode, String> {
    one_shot(options, RECORDS, async |sidecar| {
        let answer = sidecar.call::<History>(&HistoryParams { limit, account, days: None }).await?;
        if json {
            print_json(&answer).await?;
        } else {
            let accounts = accounts(sidecar).await?;
            print(render::history(&answer, &accounts, clock::now().millis(), &sidecar.text_style().await?))
                .await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(in crate::cli) fn stats(
    options: ServeOptions,
    account: Option<String>,
    days: Option<u32>,
    json: bool,
) -> Result<ExitCode, String> {
    one_shot(options, RECORDS, async |sidecar| {
        let answer = sidecar.call::<History>(&HistoryParams { limit: Some(0), account, days }).await?;
        if json {
            print_json(&answer).await?;
        } else {
            let accounts = accounts(sidecar).await?;
            print(render::stats(&answer, &accounts, clock::now().millis(), &sidecar.text_style().await?))
                .await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn accounts(sidecar: &OneShot) -> Result<Vec<Account>, String> {
    Ok(sidecar.call::<Accounts>(&AccountsParams::default()).await?.accounts)
}

pub(in crate::cli) fn paths(options: ServeOptions, json: bool) -> Result<ExitCode, String> {
    let needs = Needs { start: Start::ReadOnly, least: LevelFilter::ERROR, accounts: false };
    one_shot(options, needs, async |sidecar| {
        let paths = sidecar.call::<ShowPaths>(&NoParams {}).await?;
        if json {
            print_json(&paths).await?;
        } else {
            let paths = serde_json::to_value(&paths).map_err(|error| error.to_string())?;
            let lines = paths.as_object().into_iter().flatten();
            let lines = lines
                .map(|(name, path)| format!("{name:<14} {}\n", clean(path.as_str().unwrap_or_default())));
            print(lines.collect()).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}
