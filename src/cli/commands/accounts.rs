//! `accounts`, `show`, `use`, `disable`, `enable`, `label` and `remove`.

use std::io::{IsTerminal, stdin};
use std::process::ExitCode;

use crate::cli::one_shot::{Needs, OneShot, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::print::print_error;
use crate::clock;
use crate::protocol::AccountAnswer;
use crate::protocol::{
    Account, AccountParams, Accounts, AccountsDisable, AccountsEnable, AccountsLabel, AccountsParams,
    AccountsRemove, AccountsUse, Command, CommandLevel, CommandParams, LabelParams, Method, Reset,
    ResetParams, ResetScope,
};
use crate::render::{self, clean};
use crate::sidecar::quoted;

pub(in crate::cli) fn list(options: ServeOptions, json: bool) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let list = sidecar.call::<Accounts>(&AccountsParams::default()).await?;
        if json {
            print_json(&list).await?;
        } else {
            print(render::accounts(&list.accounts, clock::now().millis(), &sidecar.text_style().await?))
                .await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(in crate::cli) fn show(options: ServeOptions, account: Option<String>) -> Result<ExitCode, String> {
    let account = account.map(|account| format!(" {}", quoted(&account))).unwrap_or_default();
    line(options, Needs::ACCOUNTS, format!("show{account}"))
}

pub(in crate::cli) fn pin(
    options: ServeOptions,
    account: Option<String>,
    clear: bool,
) -> Result<ExitCode, String> {
    let Some(account) = account else {
        return if clear { unpin(options) } else { list(options, false) };
    };
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let used = sidecar.call::<AccountsUse>(&AccountParams { account }).await?.account;
        say(format!("{} is used until it meets a limit", used.label)).await
    })
}

fn unpin(options: ServeOptions) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let reset = sidecar.call::<Reset>(&ResetParams { scope: ResetScope::Manual }).await?;
        let text = if reset.unpinned { "no account is pinned any more" } else { "no account was pinned" };
        say(text.to_owned()).await
    })
}

pub(in crate::cli) fn disable(options: ServeOptions, account: String) -> Result<ExitCode, String> {
    change::<AccountsDisable>(options, AccountParams { account }, |account| {
        format!("{} is out of rotation", account.label)
    })
}

pub(in crate::cli) fn enable(options: ServeOptions, account: String) -> Result<ExitCode, String> {
    change::<AccountsEnable>(options, AccountParams { account }, |account| {
        format!("{} is in rotation", account.label)
    })
}

pub(in crate::cli) fn label(
    options: ServeOptions,
    account: String,
    label: String,
) -> Result<ExitCode, String> {
    change::<AccountsLabel>(options, LabelParams { account, label }, |account| {
        format!("the account is called {}", account.label)
    })
}

fn change<M>(
    options: ServeOptions,
    params: M::Params,
    text: impl Fn(&Account) -> String,
) -> Result<ExitCode, String>
where
    M: Method<Result = AccountAnswer>,
    M::Params: serde::Serialize,
{
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let changed = sidecar.call::<M>(&params).await?.account;
        say(text(&changed)).await
    })
}

/// Returns exit code 1 when the person does not confirm, or cannot be asked and did not give `--yes`.
pub(in crate::cli) fn remove(options: ServeOptions, account: String, yes: bool) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        if !yes && !is_confirmed(sidecar, &account).await? {
            return Ok(ExitCode::FAILURE);
        }
        let removed = sidecar.call::<AccountsRemove>(&AccountParams { account }).await?.removed;
        say(format!("{} was removed", removed.label)).await
    })
}

async fn is_confirmed(sidecar: &OneShot, account: &str) -> Result<bool, String> {
    if !stdin().is_terminal() {
        return Err(
            "remove asks for confirmation, and stdin is not a terminal; --yes removes without asking"
                .to_owned(),
        );
    }
    // The account is resolved first, so that the question names it and a wrong name needs no answer.
    let shown = sidecar.call::<Command>(&CommandParams { line: format!("show {}", quoted(account)) }).await?;
    if shown.level == CommandLevel::Error {
        return Err(shown.lines.join("; "));
    }
    print_error(&shown.lines.join("\n"));
    print_error("Remove this account and its tokens? [y/N]");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        stdin().read_line(&mut line).map(|_| line)
    });
    let answer =
        answer.await.map_err(|error| error.to_string())?.map_err(|error| format!("stdin: {error}"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Runs a line of the `/multicodex` family and prints its answer.
pub(in crate::cli) fn line(options: ServeOptions, needs: Needs, line: String) -> Result<ExitCode, String> {
    one_shot(options, needs, async |sidecar| {
        let answer = sidecar.call::<Command>(&CommandParams { line }).await?;
        match answer.level {
            CommandLevel::Error => Err(answer.lines.join("; ")),
            CommandLevel::Info | CommandLevel::Warning => {
                print(answer.lines.iter().map(|line| format!("{line}\n")).collect()).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

async fn say(text: String) -> Result<ExitCode, String> {
    print(format!("{}\n", clean(&text))).await?;
    Ok(ExitCode::SUCCESS)
}
