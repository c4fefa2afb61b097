//! `complete`: the text of the answer on stdout, what happens on the way on stderr.
//!
//! Exit codes: 0 completed, 1 failed, 3 incomplete, 4 no account can serve, 5 a login is needed.

use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

use crate::cli::args::CompleteArgs;
use crate::cli::one_shot::{Needs, OneShot, one_shot, print, print_json};
use crate::cli::options::ServeOptions;
use crate::cli::print::print_error;
use crate::protocol::{Collect, CompleteParams, Failed, Outcome, Timing};
use crate::render::clean;
use crate::sidecar::complete_into;

const INCOMPLETE: u8 = 3;
const NO_ACCOUNT: u8 = 4;
const NEEDS_LOGIN: u8 = 5;

/// Notices that may wait while stdout is slow.
const QUEUE: usize = 64;

pub(in crate::cli) fn complete(options: ServeOptions, args: CompleteArgs) -> Result<ExitCode, String> {
    let params = CompleteParams {
        request: request(&args)?,
        session_id: args.session,
        account: args.account,
        headers: None,
        deadline_ms: None,
        idle_timeout_ms: None,
    };
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        if args.json {
            print_json(&sidecar.call::<Collect>(&params).await?).await?;
            return Ok(ExitCode::SUCCESS);
        }
        stream(sidecar, params, args.events).await
    })
}

/// The body from `--request`, or one that asks the prompt.
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

/// The members of a notice that a person is shown.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Notice {
    Rotated { from: String, to: Option<String>, reason: Reason },
    Accepted { label: String },
    Event { event: Event },
    Done { outcome: Outcome, attempts: u32, timing: Timing },
    Error { error: Box<Failed> },
    Cancelled,
}

#[derive(Deserialize)]
struct Reason {
    kind: String,
    message: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    delta: serde_json::Value,
}

async fn stream(sidecar: &OneShot, params: CompleteParams, events: bool) -> Result<ExitCode, String> {
    let (sender, mut notices) = mpsc::channel(QUEUE);
    let completing = complete_into(&sidecar.sidecar, params, sender);
    let showing = async {
        let (mut code, mut answering) = (ExitCode::FAILURE, String::new());
        while let Some(json) = notices.recv().await {
            if events {
                print(format!("{json}\n")).await?;
            }
            let notice: Notice = serde_json::from_str(json.get()).map_err(|error| error.to_string())?;
            if let Some(ended) = show(notice, events, &mut answering).await? {
                code = ended;
            }
        }
        Ok(code)
    };
    let (completed, code) = tokio::join!(completing, showing);
    completed.map_err(|refused| refused.message)?;
    code
}

/// Shows one notice. Returns the exit code with the terminal one.
async fn show(notice: Notice, quiet: bool, answering: &mut String) -> Result<Option<ExitCode>, String> {
    let aside = |text: String| {
        if !quiet {
            print_error(&clean(&text));
        }
    };
    Ok(match notice {
        Notice::Rotated { from, to, reason } => {
            let next =
                to.map_or_else(|| "no other account follows".to_owned(), |to| format!("moving to {to}"));
            aside(format!("{from}: {} ({}); {next}", reason.message, reason.kind));
            None
        }
        Notice::Accepted { label } => {
            *answering = label;
            None
        }
        Notice::Event { event } => {
            if let (false, "response.output_text.delta", Some(text)) =
                (quiet, event.kind.as_str(), event.delta.as_str())
            {
                print(text.to_owned()).await?;
            }
            None
        }
        Notice::Done { outcome, attempts, timing } => {
            if !quiet {
                print("\n".to_owned()).await?;
            }
            let seconds = timing.total_ms as f64 / 1000.0;
            let tries = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            Some(match outcome {
                Outcome::Completed => {
                    aside(format!("answered by {answering} in {seconds:.1} s, {tries}"));
                    ExitCode::SUCCESS
                }
                Outcome::Incomplete => {
                    aside(format!("the answer of {answering} is incomplete ({seconds:.1} s, {tries})"));
                    ExitCode::from(INCOMPLETE)
                }
            })
        }
        Notice::Error { error } => {
            let hint = error.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
            aside(format!("multicodex: {}{hint}", error.message));
            Some(match error.kind.as_str() {
                "no_available_account" | "account_unavailable" => ExitCode::from(NO_ACCOUNT),
                "login_required" => ExitCode::from(NEEDS_LOGIN),
                _ => ExitCode::FAILURE,
            })
        }
        Notice::Cancelled => Some(ExitCode::FAILURE),
    })
}
