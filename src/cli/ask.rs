//! `multicodex accounts`, `refresh`, `token`, `import`, `verify`, `history` and `stats`: one method of the protocol,
//! asked in this process, for people without a client at hand.

use std::process::ExitCode;

use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::{Methods, MethodsError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tracing::level_filters::LevelFilter;

use super::interrupted::to_its_end;
use super::logging::{Reader, start_logging};
use super::options::ServeOptions;
use super::print::{self, complain};
use super::runtime::on_a_runtime;
use super::serve::{have_directories, sidecar_options};
use super::terminal::look;
use crate::clock;
use crate::protocol::{
    Account, Accounts, AccountsParams, AccountsToken, CheckStatus, ErrorData, History, HistoryParams, Import,
    ImportAnswer, ImportParams, ImportSource, Method, Refresh, RefreshAnswer, RefreshParams, TokenParams,
    Verify, VerifyParams, Warning, WarningKind,
};
use crate::render::clean;
use crate::render::{self, Look};
use crate::sidecar::{self, Sidecar, Start};

/// What is asked, and how the answer is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Accounts { json: bool },
    Refresh { account: Option<String>, force: bool, json: bool },
    Token { account: Option<String> },
    Import { from: ImportSource, path: Option<String>, json: bool },
    Verify { online: bool, json: bool },
    History { account: Option<String>, limit: Option<u32>, json: bool },
    Stats { account: Option<String>, days: Option<u32>, json: bool },
}

/// Exit code 0, or 1 when an account could not be refreshed, a login not be taken over, a check failed, or the method
/// answered an error; 130 when it was interrupted.
pub fn ask(options: ServeOptions, asked: &Asked) -> Result<ExitCode, String> {
    let least = match asked {
        // Whatever is amiss is in its report.
        Asked::Verify { .. } => LevelFilter::ERROR,
        _ => LevelFilter::WARN,
    };
    start_logging(&options, Reader::Person(least))?;
    rustls::crypto::ring::default_provider().install_default().ok();
    let start = match asked {
        // What `import` answers is what it did, and not what the start has just done.
        Asked::Import { .. } | Asked::History { .. } | Asked::Stats { .. } => Start::NotMerging,
        Asked::Verify { .. } => Start::ReadOnly,
        Asked::Accounts { .. } | Asked::Refresh { .. } | Asked::Token { .. } => Start::Merging,
    };
    if start != Start::ReadOnly {
        have_directories(&options.paths)?;
    }
    on_a_runtime(async {
        let options = sidecar::Options { start, ..sidecar_options(options) };
        let sidecar = Sidecar::start(options);
        let methods = sidecar::methods(sidecar.clone()).map_err(|error| error.to_string())?;
        let telling = async {
            match sidecar.accounts_unreadable() {
                Some(why) if needs_accounts(asked) => Err(why),
                _ => tell(&methods, asked).await,
            }
        };
        Ok(match to_its_end(&sidecar, telling).await {
            Ok(told) => told.unwrap_or_else(|message| {
                complain(&format!("multicodex: {message}"));
                ExitCode::FAILURE
            }),
            Err(interrupted) => interrupted,
        })
    })
}

/// Without them it would be answered as if nobody had logged in yet.
fn needs_accounts(asked: &Asked) -> bool {
    matches!(
        asked,
        Asked::Accounts { .. } | Asked::Refresh { .. } | Asked::Token { .. } | Asked::Import { .. }
    )
}

async fn tell(methods: &Methods, asked: &Asked) -> Result<ExitCode, String> {
    let look = &look();
    let now = clock::now().millis();
    match asked {
        Asked::Accounts { json } => {
            let list = call::<Accounts>(methods, &AccountsParams::default()).await?;
            if *json {
                print_json(&list).await?
            } else {
                print(render::accounts(&list.accounts, now, look)).await?
            }
        }
        Asked::Refresh { account, force, json } => {
            let params = RefreshParams { account: account.clone(), force: Some(*force) };
            let answer = call::<Refresh>(methods, &params).await?;
            if *json {
                print_json(&answer).await?
            } else {
                print_refreshed(&answer, look).await?
            }
            if answer.results.iter().any(|result| !result.ok) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Asked::Token { account } => {
            let params = TokenParams { account: account.clone(), min_valid_ms: None };
            print(format!("{}\n", call::<AccountsToken>(methods, &params).await?.access_token)).await?;
        }
        Asked::Import { from, path, json } => {
            let params = ImportParams { from: Some(*from), path: path.clone() };
            let answer = call::<Import>(methods, &params).await?;
            let list = call::<Accounts>(methods, &AccountsParams::default()).await?;
            if *json {
                print_json(&answer).await?
            } else {
                print_imported(&answer, &list.accounts).await?
            }
            let refused = |warning: &Warning| warning.kind == WarningKind::ConsumedCredential;
            if answer.warning.as_ref().is_some_and(refused) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Asked::Verify { online, json } => {
            let answer = call::<Verify>(methods, &VerifyParams { online: Some(*online) }).await?;
            if *json {
                print_json(&answer).await?
            } else {
                print(render::verify(&answer, look)).await?
            }
            if answer.status == CheckStatus::Fail {
                return Ok(ExitCode::FAILURE);
            }
        }
        Asked::History { account, limit, json } => {
            let params = HistoryParams { limit: *limit, account: account.clone(), days: None };
            let answer = call::<History>(methods, &params).await?;
            if *json {
                print_json(&answer).await?
            } else {
                let list = call::<Accounts>(methods, &AccountsParams::default()).await?;
                print(render::history(&answer, &list.accounts, now, look)).await?
            }
        }
        Asked::Stats { account, days, json } => {
            let params = HistoryParams { limit: Some(0), account: account.clone(), days: *days };
            let answer = call::<History>(methods, &params).await?;
            if *json {
                print_json(&answer).await?
            } else {
                let list = call::<Accounts>(methods, &AccountsParams::default()).await?;
                print(render::stats(&answer, &list.accounts, now, look)).await?
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One method, called in this process; the error is what a person is told.
pub(super) async fn call<M: Method>(methods: &Methods, params: &M::Params) -> Result<M::Result, String>
where
    M::Params: Serialize,
    M::Result: DeserializeOwned,
{
    struct Named(Box<RawValue>);
    impl ToRpcParams for Named {
        fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
            Ok(Some(self.0))
        }
    }
    let params = Named(to_raw_value(params).map_err(|error| error.to_string())?);
    methods.call(M::NAME, params).await.map_err(|error| match error {
        MethodsError::JsonRpc(answer) => {
            let data = answer.data().and_then(|data| serde_json::from_str::<ErrorData>(data.get()).ok());
            match data.and_then(|data| data.hint) {
                Some(hint) => clean(&format!("{}; {hint}", answer.message())).into_owned(),
                None => clean(answer.message()).into_owned(),
            }
        }
        other => other.to_string(),
    })
}

/// Whoever reads may take its time: the command can be interrupted meanwhile.
async fn print(text: String) -> Result<(), String> {
    let printed = tokio::task::spawn_blocking(move || print::print(&text)).await;
    printed.unwrap_or_else(|error| Err(error.to_string()))
}

async fn print_json(answer: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(answer).map_err(|error| error.to_string())?;
    print(format!("{text}\n")).await
}

async fn print_imported(answer: &ImportAnswer, accounts: &[Account]) -> Result<(), String> {
    let mut said = String::new();
    let label = |id: &String| {
        let known = accounts.iter().find(|account| account.id == *id);
        known.map_or_else(|| id.clone(), |account| account.label.clone())
    };
    let became = [("added", &answer.added), ("updated", &answer.updated), ("unchanged", &answer.unchanged)];
    for (what, ids) in became {
        for id in ids {
            said.push_str(&format!("{what}: {}\n", clean(&label(id))));
        }
    }
    match &answer.warning {
        Some(warning) => {
            let hint = warning.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            said.push_str(&clean(&format!("warning: {}{hint}", warning.message)));
            said.push('\n');
        }
        None if became.iter().all(|(_, ids)| ids.is_empty()) => {
            said.push_str("nothing to import: pi holds no login, or its account was removed here\n");
        }
        None => {}
    }
    print(said).await
}

async fn print_refreshed(answer: &RefreshAnswer, look: &Look) -> Result<(), String> {
    let accounts: Vec<_> = answer.results.iter().map(|result| result.account.clone()).collect();
    let mut said = render::accounts(&accounts, clock::now().millis(), look);
    for (result, error) in answer.results.iter().filter_map(|result| Some((result, result.error.as_ref()?))) {
        let hint = error.hint.as_deref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        said.push_str(&clean(&format!("{}: {}{hint}", result.account.label, error.message)));
        said.push('\n');
    }
    print(said).await
}
