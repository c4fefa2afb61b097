//! `multicodex demo`: shows the main task to people. The simulated backend runs in this process, the real sidecar is a
//! child over pipes, and the messages are printed with explanations.

use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;
use tokio::process::Command;

use super::notice::{Notice, text_of};
use super::print::print;
use super::runtime::on_a_runtime;
use super::terminal::shows_colours;
use crate::client::Client;
use crate::pool::UsageMode;
use crate::protocol::{
    Account, AccountState, Accounts, AccountsParams, ClientInfo, CompleteParams, Initialize,
    InitializeParams, RotationChange, SetRotation, Strategy,
};
use crate::sim::{Behaviour, Sim, SimAccount, SimConfig, write_accounts};

/// Runs the demonstration. Fails when a step does not have the expected result.
pub fn demo() -> Result<ExitCode, String> {
    on_a_runtime(async { story().await.map_err(|error| format!("demo: {error}")) })
        .map(|()| ExitCode::SUCCESS)
}

type Fault = Box<dyn std::error::Error>;

async fn story() -> Result<(), Fault> {
    let paint = Paint { colour: shows_colours() };
    let sim = Sim::start(SimConfig::default()).await?;
    let handle = sim.handle();
    let mut accounts = Vec::new();
    for (name, used, days_left) in [("ada", 97.0, 1), ("bob", 41.0, 3), ("cleo", 12.0, 6)] {
        let mut account = SimAccount::named(name).with_weekly_usage(used);
        for window in account.usage.windows.iter_mut().filter(|window| window.minutes == 7 * 24 * 60) {
            window.resets_in_seconds = days_left * 24 * 60 * 60;
        }
        accounts.push(handle.add_account(account));
    }
    handle.set_behaviour("ada", Behaviour::usage_limit());
    let dir = tempfile::tempdir()?;
    write_accounts(dir.path(), &accounts)?;

    paint.say("1. The sidecar starts over pipes, on a codex-accounts.json with three accounts.")?;
    let client = Client::spawn(sidecar(&sim, dir.path())?)?;
    let hello = client
        .request::<Initialize>(&InitializeParams {
            client: Some(ClientInfo { name: Some("demo".to_owned()), version: None }),
            ..InitializeParams::default()
        })
        .await?;
    // The account whose week ends first answers first, so that the one at its limit is asked.
    let by_reset = RotationChange { strategy: Some(Strategy::ResetFirst), ..RotationChange::default() };
    client.request::<SetRotation>(&by_reset).await?;
    paint.aside(&format!(
        "{} {} speaks protocol {}",
        hello.server.name, hello.server.version, hello.protocol_version
    ))?;
    paint
        .table(&client.request::<Accounts>(&AccountsParams { refresh_usage: Some(true) }).await?.accounts)?;

    paint.say("2. A completion is asked for. The first account is about to meet its weekly limit.")?;
    let moved = complete(&client, &paint).await?;

    paint.say("3. The accounts afterwards.")?;
    paint.table(&client.request::<Accounts>(&AccountsParams::default()).await?.accounts)?;
    paint.say("4. What upstream saw.")?;
    for (name, posts) in ["ada", "bob", "cleo"].map(|name| (name, handle.posts(name))) {
        paint.aside(&format!("{name}: {posts} completion request{}", plural(posts == 1)))?;
    }
    client.end(Duration::from_secs(5)).await?;
    if !moved || handle.posts("ada") != 1 {
        return Err("the completion was not moved to the next account".into());
    }
    paint.say("Done: one request met the limit, the next account answered, and the failure did not show.")?;
    Ok(())
}

fn sidecar(sim: &Sim, dir: &std::path::Path) -> Result<Command, Fault> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("serve")
        .arg("--agent-dir")
        .arg(dir)
        .arg("--state-dir")
        .arg(dir.join("state"))
        .arg("--upstream-url")
        .arg(sim.upstream_url())
        .arg("--auth-url")
        .arg(sim.auth_url());
    Ok(command)
}

/// Streams one completion to the terminal. Returns whether it was moved to another account.
async fn complete(client: &Client, paint: &Paint) -> Result<bool, Fault> {
    let labels: std::collections::HashMap<String, String> = client
        .request::<Accounts>(&AccountsParams::default())
        .await?
        .accounts
        .into_iter()
        .map(|account| (account.id, account.label))
        .collect();
    let label = |id: &str| labels.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let request = r#"{"model":"gpt-6.1-sol","instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"What is a sidecar?"}]}]}"#;
    let mut notices = client
        .complete(&CompleteParams {
            request: RawValue::from_string(request.to_owned())?,
            session_id: Some("demo".to_owned()),
            account: None,
            headers: None,
            deadline_ms: None,
            idle_timeout_ms: None,
            transport: None,
            allow_reserve: None,
        })
        .await?;
    let mut moved = false;
    while let Some(notice) = notices.next().await {
        let notice = notice?;
        match serde_json::from_str(notice.get())? {
            Notice::Rotated { from, to, reason } => {
                moved |= to.is_some();
                let to = to.map_or_else(|| "no one".to_owned(), |to| label(&to));
                paint.notice(&format!(
                    "rotated: {} → {to} ({}: {})",
                    label(&from),
                    reason.kind,
                    reason.message
                ))?;
            }
            Notice::Accepted { label } => paint.notice(&format!("accepted: {label} answers"))?,
            Notice::Event { event } => paint.text(text_of(&event).unwrap_or_default())?,
            Notice::Done { attempts, timing, .. } => {
                paint.text("\n")?;
                paint.notice(&format!(
                    "done: {attempts} account{} asked, {} ms",
                    plural(attempts == 1),
                    timing.total_ms
                ))?;
                return Ok(moved);
            }
            Notice::Error { error } => return Err(error.message.into()),
            Notice::Cancelled => return Err("cancelled".into()),
        }
    }
    Err("the sidecar ended before the completion did".into())
}

/// Prints plain text, in colour on a terminal.
struct Paint {
    colour: bool,
}

impl Paint {
    fn say(&self, line: &str) -> Result<(), String> {
        print(&format!("\n{}\n", self.styled(Style::new().bold(), line)))
    }

    fn aside(&self, line: &str) -> Result<(), String> {
        print(&format!("   {}\n", self.styled(Style::new().dimmed(), line)))
    }

    fn notice(&self, line: &str) -> Result<(), String> {
        print(&format!("   {}\n", self.styled(AnsiColor::Yellow.on_default(), line)))
    }

    fn text(&self, text: &str) -> Result<(), String> {
        print(&self.styled(AnsiColor::Cyan.on_default(), text))
    }

    fn table(&self, accounts: &[Account]) -> Result<(), String> {
        let mut table = format!(
            "   {:<18} {:<6} {:<12} {:>7} {:>7}  next\n",
            "account", "plan", "state", "5h left", "7d left"
        );
        for account in accounts {
            let (state, style) = match account.state {
                AccountState::Ready => ("ready", AnsiColor::Green.on_default()),
                AccountState::Cooling => ("cooling", AnsiColor::Yellow.on_default()),
                AccountState::NeedsLogin => ("needs login", AnsiColor::Red.on_default()),
                AccountState::Deactivated => ("deactivated", AnsiColor::Red.on_default()),
                AccountState::Disabled => ("disabled", Style::new().dimmed()),
            };
            table.push_str(&format!(
                "   {:<18} {:<6} {} {:>7} {:>7}  {}\n",
                account.label,
                account.plan.as_deref().unwrap_or("?"),
                self.styled(style, &format!("{state:<12}")),
                left(account, "5h"),
                left(account, "7d"),
                if account.active { "←" } else { "" },
            ));
        }
        print(&table)
    }

    fn styled(&self, style: Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn plural(is_one: bool) -> &'static str {
    if is_one { "" } else { "s" }
}

fn left(account: &Account, window: &str) -> String {
    let windows = account.usage.iter().flat_map(|usage| &usage.windows);
    match windows.into_iter().find(|seen| seen.name == window) {
        Some(seen) => format!("{:.0}%", UsageMode::Left.percent(seen.used_percent)),
        None => "?".to_owned(),
    }
}
