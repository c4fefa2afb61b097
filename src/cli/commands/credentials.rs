//! `refresh`, `token` and `import`.

use std::future::ready;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::one_shot::{CallError, Needs, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::progress::Waiting;
use crate::clock;
use crate::protocol::{
    Account, Accounts, AccountsImport, AccountsParams, AccountsToken, ImportAnswer, ImportParams,
    ImportSource, RefreshAnswer, RefreshParams, RefreshProgress, TokenParams, Warning, WarningKind,
};
use crate::render::{self, TextStyle, clean};
use crate::sidecar::{Start, refresh_accounts};

/// Exit code 1 when an account could not be refreshed.
pub(in crate::cli) fn refresh(
    options: ServeOptions,
    account: Option<String>,
    force: bool,
    json: bool,
) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let answer = {
            let progress = Waiting::text("refreshing");
            let params = RefreshParams { account, force: Some(force) };
            refresh_accounts(&sidecar.sidecar, params, |progressed: RefreshProgress| {
                progress.advance(progressed.done, progressed.total);
                ready(())
            })
            .await
            .map_err(CallError::from)?
        };
        if json {
            print_json(&answer).await?;
        } else {
            print_refreshed(&answer, &sidecar.text_style().await?).await?;
        }
        let all_ok = answer.results.iter().all(|result| result.ok);
        Ok(if all_ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(in crate::cli) fn token(options: ServeOptions, account: Option<String>) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let params = TokenParams { account, min_valid_ms: None };
        print(format!("{}\n", sidecar.call::<AccountsToken>(&params).await?.access_token)).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Returns exit code 1 when the login was not imported because its token was already used.
pub(in crate::cli) fn import(
    options: ServeOptions,
    from: ImportSource,
    path: Option<PathBuf>,
    json: bool,
) -> Result<ExitCode, String> {
    let path = path.map(text).transpose()?;
    // The answer is about `import` itself, not about the merge at the start just before.
    one_shot(options, Needs { start: Start::NotMerging, ..Needs::ACCOUNTS }, async |sidecar| {
        let params = ImportParams { from: Some(from), path };
        let answer = {
            let _waiting = Waiting::text("importing");
            sidecar.call::<AccountsImport>(&params).await?
        };
        let list = sidecar.call::<Accounts>(&AccountsParams::default()).await?;
        if json {
            print_json(&answer).await?;
        } else {
            print_imported(&answer, &list.accounts).await?;
        }
        let is_refused = |warning: &Warning| warning.kind == WarningKind::ConsumedCredential;
        let refused = answer.warning.as_ref().is_some_and(is_refused);
        Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    })
}

/// The paths in answers are JSON strings.
fn text(path: PathBuf) -> Result<String, String> {
    path.into_os_string()
        .into_string()
        .map_err(|path| format!("--path: \"{}\" is not UTF-8", path.to_string_lossy()))
}

async fn print_imported(answer: &ImportAnswer, accounts: &[Account]) -> Result<(), String> {
    let mut text = String::new();
    let label = |id: &String| {
        let known = accounts.iter().find(|account| account.id == *id);
        known.map_or_else(|| id.clone(), |account| account.label.clone())
    };
    let became = [("added", &answer.added), ("updated", &answer.updated), ("unchanged", &answer.unchanged)];
    for (what, ids) in became {
        for id in ids {
            text.push_str(&format!("{what}: {}\n", clean(&label(id))));
        }
    }
    match &answer.warning {
        Some(warning) => {
            let hint = warning.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            text.push_str(&clean(&format!("warning: {}{hint}", warning.message)));
            text.push('\n');
        }
        None if became.iter().all(|(_, ids)| ids.is_empty()) => {
            text.push_str("nothing to import: pi holds no login, or its account was removed here\n");
        }
        None => {}
    }
    print(text).await
}

async fn print_refreshed(answer: &RefreshAnswer, style: &TextStyle) -> Result<(), String> {
    let accounts: Vec<_> = answer.results.iter().map(|result| result.account.clone()).collect();
    let mut text = render::accounts(&accounts, clock::now().millis(), style);
    for (result, error) in answer.results.iter().filter_map(|result| Some((result, result.error.as_ref()?))) {
        let hint = error.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        text.push_str(&clean(&format!("{}: {}{hint}", result.account.label, error.message)));
        text.push('\n');
    }
    print(text).await
}
