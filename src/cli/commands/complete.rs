//! `complete`: the text of the answer on stdout, notices on stderr.
//!
//! Exit codes: 0 completed, 1 failed, 3 incomplete, 4 no account can serve, 5 a login is needed.

use std::io::{IsTerminal, Read, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::cli::args::CompleteArgs;
use crate::cli::notice::{Notice, text_of};
use crate::cli::one_shot::{CallError, Needs, OneShot, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::print::print_error;
use crate::protocol::{Account, Accounts, AccountsParams, CompleteCollect, CompleteParams, Outcome};
use crate::render::clean;
use crate::sidecar::complete_into;

const INCOMPLETE: u8 = 3;
const NO_ACCOUNT: u8 = 4;
const NEEDS_LOGIN: u8 = 5;

/// How many notices may wait while stdout is slow.
const QUEUE: usize = 64;

pub(in crate::cli) fn complete(options: ServeOptions, args: CompleteArgs) -> Result<ExitCode, String> {
    let params = CompleteParams {
        request: request(&args)?,
        session_id: args.session,
        account: args.account,
        headers: None,
        deadline_ms: None,
        idle_timeout_ms: None,
        transport: None,
        allow_reserve: None,
    };
    one_shot(options, Needs::ACCOUNTS, async |sidecar| match (args.json, args.events) {
        (true, _) => collect(sidecar, &params).await,
        (false, true) => print_events(sidecar, params).await,
        (false, false) => stream(sidecar, params).await,
    })
}

/// Returns the body of `--request`, or one with the prompt.
fn request(args: &CompleteArgs) -> Result<Box<RawValue>, String> {
    if let Some(path) = &args.request {
        return serde_json::from_str(&read(path)?).map_err(|error| format!("--request: {error}"));
    }
    let prompt = match args.prompt.as_deref() {
        Some("-") | None => read(&PathBuf::from("-"))?,
        Some(prompt) => prompt.to_owned(),
    };
    if prompt.trim().is_empty() {
        return Err("the prompt is empty".to_owned());
    }
    let body = json!({
        "model": args.model,
        "instructions": "You are a helpful assistant.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}],
    });
    to_raw_value(&body).map_err(|error| error.to_string())
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => stdin().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|content| text = content),
    };
    read.map(|()| text).map_err(|error| format!("{}: {error}", path.display()))
}

async fn collect(sidecar: &OneShot, params: &CompleteParams) -> Result<ExitCode, String> {
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        status: Value,
    }
    match sidecar.call::<CompleteCollect>(params).await {
        Ok(collected) => {
            print_json(&collected).await?;
            let response: Option<Response> = serde_json::from_str(collected.response.get()).ok();
            let is_incomplete = response.is_some_and(|response| response.status == "incomplete");
            Ok(if is_incomplete { ExitCode::from(INCOMPLETE) } else { ExitCode::SUCCESS })
        }
        Err(error) => {
            let code = failure_code(&error.kind);
            print_error(&format!("multicodex: {}", String::from(error)));
            Ok(code)
        }
    }
}

/// Prints every notice as a line of JSON.
async fn print_events(sidecar: &OneShot, params: CompleteParams) -> Result<ExitCode, String> {
    follow(sidecar, params, async |json, notice| {
        print(format!("{json}\n")).await?;
        Ok(exit_code(&notice))
    })
    .await
}

/// Prints the text of the answer as it arrives, and everything else on stderr.
async fn stream(sidecar: &OneShot, params: CompleteParams) -> Result<ExitCode, String> {
    let accounts = sidecar.call::<Accounts>(&AccountsParams::default()).await?.accounts;
    let mut reader = Reader { labels: accounts, answering: String::new(), line_is_open: false };
    follow(sidecar, params, async |_, notice| {
        let code = exit_code(&notice);
        reader.show(notice).await?;
        Ok(code)
    })
    .await
}

/// Runs a completion and passes each notice to `take`. Returns the exit code that `take` returned for the last notice.
async fn follow(
    sidecar: &OneShot,
    params: CompleteParams,
    mut take: impl AsyncFnMut(&str, Notice) -> Result<Option<ExitCode>, String>,
) -> Result<ExitCode, String> {
    let (sender, mut notices) = mpsc::channel(QUEUE);
    let completing = complete_into(&sidecar.sidecar, params, sender);
    // Owns the receiver, so that an error here ends the completion as well.
    let taking = async move {
        let mut code = ExitCode::FAILURE;
        while let Some(json) = notices.recv().await {
            let notice = serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
            if let Some(ended) = take(json.get(), notice).await? {
                code = ended;
            }
        }
        Ok(code)
    };
    let (completed, code) = tokio::join!(completing, taking);
    completed.map_err(CallError::from)?;
    code
}

/// `None` for a notice that is not the last.
fn exit_code(notice: &Notice) -> Option<ExitCode> {
    match notice {
        Notice::Done { outcome: Outcome::Completed, .. } => Some(ExitCode::SUCCESS),
        Notice::Done { outcome: Outcome::Incomplete, .. } => Some(ExitCode::from(INCOMPLETE)),
        Notice::Error { error } => Some(failure_code(&error.kind)),
        Notice::Cancelled => Some(ExitCode::FAILURE),
        Notice::Rotated { .. } | Notice::Accepted { .. } | Notice::Event { .. } => None,
    }
}

fn failure_code(kind: &str) -> ExitCode {
    match kind {
        "no_available_account" | "account_unavailable" | "usage_limit" => ExitCode::from(NO_ACCOUNT),
        "login_required" => ExitCode::from(NEEDS_LOGIN),
        _ => ExitCode::FAILURE,
    }
}

/// Output for a person who reads the answer.
struct Reader {
    labels: Vec<Account>,
    /// The label of the account that answers.
    answering: String,
    /// The text so far does not end with a line break.
    line_is_open: bool,
}

impl Reader {
    async fn show(&mut self, notice: Notice) -> Result<(), String> {
        match notice {
            Notice::Rotated { from, to, reason } => {
                let next = match to {
                    Some(to) => format!("moving to {}", self.label(&to)),
                    None => "no account takes over".to_owned(),
                };
                aside(&format!("{}: {} ({}); {next}", self.label(&from), reason.message, reason.kind));
            }
            Notice::Accepted { label } => self.answering = label,
            Notice::Event { event } => self.show_text(&event).await?,
            Notice::Done { outcome, attempts, timing } => {
                self.end_line().await?;
                let seconds = timing.total_ms as f64 / 1000.0;
                let attempts = match attempts {
                    1 => "1 attempt".to_owned(),
                    count => format!("{count} attempts"),
                };
                let by = &self.answering;
                aside(&match outcome {
                    Outcome::Completed => format!("answered by {by} in {seconds:.1} s, {attempts}"),
                    Outcome::Incomplete => {
                        format!("the answer of {by} is incomplete ({seconds:.1} s, {attempts})")
                    }
                });
            }
            Notice::Error { error } => {
                self.end_line().await?;
                let hint = error.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
                aside(&format!("multicodex: {}{hint}", error.message));
            }
            Notice::Cancelled => self.end_line().await?,
        }
        Ok(())
    }

    async fn show_text(&mut self, event: &Value) -> Result<(), String> {
        match text_of(event) {
            Some(text) if !text.is_empty() => {
                self.line_is_open = !text.ends_with('\n');
                print(for_stdout(text)).await
            }
            _ => Ok(()),
        }
    }

    async fn end_line(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.line_is_open) {
            true => print("\n".to_owned()).await,
            false => Ok(()),
        }
    }

    fn label<'a>(&'a self, id: &'a str) -> &'a str {
        let known = self.labels.iter().find(|account| account.id == id);
        known.map_or(id, |account| &account.label)
    }
}

/// Removes control sequences for a terminal; a pipe gets the answer as it is.
fn for_stdout(text: &str) -> String {
    if !stdout().is_terminal() {
        return text.to_owned();
    }
    text.split_inclusive(['\n', '\t'])
        .map(|part| {
            let end = part.len() - usize::from(part.ends_with(['\n', '\t']));
            format!("{}{}", clean(&part[..end]), &part[end..])
        })
        .collect()
}

fn aside(text: &str) {
    print_error(&clean(text));
}
