//! `login` and `reauth`: the same login as a client's, for a person at a terminal. The address and the code are shown,
//! a browser is opened, and a typed line is submitted as a pasted address.

use std::process::ExitCode;

use tokio::sync::mpsc;

use crate::cli::args::LoginArgs;
use crate::cli::one_shot::{Needs, OneShot, one_shot};
use crate::cli::options::ServeOptions;
use crate::cli::print::{print, print_error};
use crate::cli::progress::Waiting;
use crate::protocol::{
    Account, Accounts, AccountsParams, Login, LoginFlow, LoginIdParams, LoginParams, LoginStarted,
    LoginSubmit, LoginSubmitParams, LoginWait, Reauth, ReauthParams,
};
use crate::render::clean;

/// Authorization codes are at least twice as long.
const SHORTEST_CODE: usize = 16;
const NO_CODE: &str = "this is neither an address nor a code; paste the whole address at which the browser ends, or press \
    Ctrl-C to end the login";

/// A login can run beside a damaged accounts file until it must store its result.
const LOGIN: Needs = Needs { accounts: false, ..Needs::ACCOUNTS };

pub(in crate::cli) fn login(
    options: ServeOptions,
    label: Option<String>,
    login: LoginArgs,
) -> Result<ExitCode, String> {
    one_shot(options, LOGIN, async |sidecar| {
        let params = LoginParams { label, flow: Some(flow(login)), open: Some(!login.no_open) };
        let started = sidecar.call::<Login>(&params).await?;
        run(sidecar, started).await
    })
}

pub(in crate::cli) fn reauth(
    options: ServeOptions,
    account: Option<String>,
    login: LoginArgs,
) -> Result<ExitCode, String> {
    one_shot(options, Needs::ACCOUNTS, async |sidecar| {
        let params = ReauthParams { account, flow: Some(flow(login)), open: Some(!login.no_open) };
        let started = sidecar.call::<Reauth>(&params).await?;
        let accounts = sidecar.call::<Accounts>(&AccountsParams::default()).await?.accounts;
        if let Some(renewed) = accounts.iter().find(|account| Some(&account.id) == started.account.as_ref()) {
            print(&format!("{}\n", clean(&format!("Logging {} in again.", renewed.label))))?;
        }
        run(sidecar, started).await
    })
}

fn flow(login: LoginArgs) -> LoginFlow {
    if login.device { LoginFlow::Device } else { LoginFlow::Browser }
}

async fn run(sidecar: &OneShot, started: LoginStarted) -> Result<ExitCode, String> {
    show(&started)?;
    let account = finish(sidecar, started).await?;
    let plan = account.plan.map(|plan| format!(" ({plan})")).unwrap_or_default();
    print(&format!("{}\n", clean(&format!("Logged in: {}{plan}", account.label))))?;
    Ok(ExitCode::SUCCESS)
}

fn show(started: &LoginStarted) -> Result<(), String> {
    let what = match started.opened {
        Some(true) => "A browser was opened at this address:",
        _ => "Open this address in a browser:",
    };
    let next = match &started.user_code {
        Some(code) => format!("and type this code there: {}", clean(code)),
        None => {
            "On another machine, or when the page cannot be shown: paste the address at which the browser ends."
                .to_owned()
        }
    };
    print(&format!("{what}\n\n  {}\n\n{next}\n\n", started.url))
}

/// Waits for the login, and submits each line that is typed meanwhile.
async fn finish(sidecar: &OneShot, started: LoginStarted) -> Result<Account, String> {
    let (lines, mut typed) = mpsc::channel(1);
    if started.flow == LoginFlow::Browser {
        std::thread::spawn(move || read_lines(&lines));
    }
    // Only the device flow has no input, so a progress line does not break typed text.
    let _waiting = (started.flow == LoginFlow::Device).then(|| Waiting::text("waiting for the login"));
    let waited = LoginIdParams { login_id: started.login_id.clone() };
    let wait = sidecar.call::<LoginWait>(&waited);
    tokio::pin!(wait);
    loop {
        tokio::select! {
            biased;
            ended = &mut wait => return Ok(ended?.account),
            Some(input) = typed.recv() => {
                if is_no_code(&input) {
                    print_error(NO_CODE);
                    continue;
                }
                let submit = LoginSubmitParams { login_id: started.login_id.clone(), input };
                tokio::select! {
                    biased;
                    ended = &mut wait => return Ok(ended?.account),
                    // A wrong paste is shown, and the login goes on.
                    Err(error) = sidecar.call::<LoginSubmit>(&submit) => print_error(&String::from(error)),
                }
            }
        }
    }
}

/// Returns whether a typed line is an answer like `y` or `ok`: too short for a code, and not part of an address. A
/// wrong code ends a login, so such a line is not submitted.
fn is_no_code(line: &str) -> bool {
    let word = line.trim();
    word.len() < SHORTEST_CODE && !word.contains(['=', '#'])
}

/// Runs on a thread of its own, which ends with the process, because a read of a terminal cannot be cancelled.
fn read_lines(lines: &mpsc::Sender<String>) {
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        if !line.trim().is_empty() && lines.blocking_send(line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_not_taken_for_codes() {
        for line in ["y", " yes ", "ok", "done", "q", "help me", "1", "(y/n)"] {
            assert!(is_no_code(line), "{line}");
        }
        for line in ["ac_aaaaaaaaaaaaaaaaaaaaaaaa", "code=ac_1", "ac_1#st", "?code=1&state=2"] {
            assert!(!is_no_code(line), "{line}");
        }
    }
}
