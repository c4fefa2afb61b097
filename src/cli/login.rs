//! `multicodex login`: the same login as a client's, for a person at a terminal. The address and the code are shown,
//! a browser is opened, and what is typed is taken as a paste.

use std::process::ExitCode;

use jsonrpsee::Methods;
use tokio::sync::mpsc;
use tracing::level_filters::LevelFilter;

use super::ask::call;
use super::interrupted::to_its_end;
use super::logging::{Reader, start_logging};
use super::options::LoginCommand;
use super::print::{complain, print};
use super::runtime::on_a_runtime;
use super::serve::{have_directories, sidecar_options};
use crate::protocol::{
    Account, AccountAnswer, Login, LoginFlow, LoginIdParams, LoginParams, LoginStarted, LoginSubmit,
    LoginSubmitParams, LoginWait,
};
use crate::render::clean;
use crate::sidecar::{self, Sidecar};

/// Exit code 0 when an account was logged in, 1 when the login failed, 130 when it was interrupted.
pub fn login(command: LoginCommand) -> Result<ExitCode, String> {
    start_logging(&command.sidecar, Reader::Person(LevelFilter::WARN))?;
    on_a_runtime(run(command))
}

async fn run(command: LoginCommand) -> Result<ExitCode, String> {
    let LoginCommand { sidecar: options, label, device, open } = command;
    have_directories(&options.paths)?;
    let sidecar = Sidecar::start(sidecar_options(options));
    let methods = sidecar::methods(sidecar.clone()).map_err(|error| error.to_string())?;
    let flow = if device { LoginFlow::Device } else { LoginFlow::Browser };
    let params = LoginParams { label, flow: Some(flow), open: Some(open) };
    let logging_in = async {
        let started = call::<Login>(&methods, &params).await?;
        show(&started)?;
        finish(&methods, started).await
    };
    let ended = match to_its_end(&sidecar, logging_in).await {
        Ok(ended) => ended,
        Err(interrupted) => return Ok(interrupted),
    };
    match ended {
        Ok(account) => {
            let plan = account.plan.map(|plan| format!(" ({plan})")).unwrap_or_default();
            print(&format!("{}\n", clean(&format!("Logged in: {}{plan}", account.label))))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(message) => {
            complain(&format!("multicodex: {message}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn show(started: &LoginStarted) -> Result<(), String> {
    let what = match started.opened {
        Some(true) => "A browser was opened at this address:",
        _ => "Open this address in a browser:",
    };
    let next = match &started.user_code {
        Some(code) => format!("and type this code there: {}", clean(code)),
        None => {
            "On another machine, or when the page cannot be shown: paste the address that the browser ends up at."
                .to_owned()
        }
    };
    print(&format!("{what}\n\n  {}\n\n{next}\n\n", started.url))
}

/// Waits for the login, and hands in each line that is typed meanwhile.
async fn finish(methods: &Methods, started: LoginStarted) -> Result<Account, String> {
    let (lines, mut typed) = mpsc::channel(1);
    if started.flow == LoginFlow::Browser {
        std::thread::spawn(move || read_lines(&lines));
    }
    let waited = LoginIdParams { login_id: started.login_id.clone() };
    let wait = call::<LoginWait>(methods, &waited);
    tokio::pin!(wait);
    loop {
        tokio::select! {
            biased;
            ended = &mut wait => return ended.map(|AccountAnswer { account }| account),
            Some(input) = typed.recv() => {
                let submit = LoginSubmitParams { login_id: started.login_id.clone(), input };
                tokio::select! {
                    biased;
                    ended = &mut wait => return ended.map(|AccountAnswer { account }| account),
                    // A mistake in what was pasted: it is told, and another try awaited.
                    Err(message) = call::<LoginSubmit>(methods, &submit) => complain(&message),
                }
            }
        }
    }
}

/// On a thread of its own, which ends with the process: a read of a terminal cannot be taken back.
fn read_lines(lines: &mpsc::Sender<String>) {
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        if !line.trim().is_empty() && lines.blocking_send(line).is_err() {
            return;
        }
    }
}
