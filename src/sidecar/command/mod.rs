//! `command` and `command/suggest`: the `/multicodex` commands as text. [`line`] parses a line without a sidecar; here
//! it is executed by the functions of the protocol's methods.

mod family;
mod line;
mod nearest;
mod settings;
mod suggest;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use self::line::{CONFIRM, Line, ParseError};
use crate::pool::At;
use crate::protocol::{
    Account, AccountParams, AccountState, CheckStatus, CommandAnswer, CommandLevel, CommandParams, ErrorKind,
    FooterChange, HistoryParams, LoginParams, LoginStarted, NoParams, ReauthParams, RefreshParams,
    ResetCreditAnswer, ResetCreditParams, ResetParams, RotationChange, RotationParams, RpcError,
    StatusParams, Suggestions, VerifyParams,
};
use crate::render::{self, TextStyle, clean};
use crate::sidecar::methods::{
    accounts, footer, history, login, paths, refresh, reset, reset_credit, rotation, status,
};
use crate::sidecar::{Sidecar, verify, view};

pub use line::{footer_change, rotation_change};

/// Why a line could not be executed.
enum Refused {
    ParseError(ParseError),
    Error(RpcError),
}

impl From<RpcError> for Refused {
    fn from(error: RpcError) -> Self {
        Refused::Error(error)
    }
}

/// A mistake in the line is an ordinary answer.
pub(crate) async fn command(sidecar: Arc<Sidecar>, params: CommandParams) -> Result<CommandAnswer, RpcError> {
    let done = match line::read(&params.line) {
        Ok(line) => run(&sidecar, line).await,
        Err(mistake) => Err(Refused::ParseError(mistake)),
    };
    Ok(done.unwrap_or_else(|refused| match refused {
        Refused::ParseError(mistake) => said(CommandLevel::Error, [mistake.message, mistake.hint]),
        Refused::Error(error) => {
            let hint = error.data.hint.clone();
            said(CommandLevel::Error, std::iter::once(error.message).chain(hint))
        }
    }))
}

pub(crate) async fn suggest(sidecar: Arc<Sidecar>, params: CommandParams) -> Result<Suggestions, RpcError> {
    let accounts = sidecar.listed();
    Ok(Suggestions { items: suggest::suggest(&params.line, &accounts) })
}

async fn run(sidecar: &Arc<Sidecar>, line: Line) -> Result<CommandAnswer, Refused> {
    let style = &sidecar.style();
    Ok(match line {
        Line::Help(None) => said(CommandLevel::Info, family::help()),
        Line::Help(Some(word)) => said(CommandLevel::Info, family::help_on(word)),
        Line::Accounts => {
            let accounts = sidecar.listed();
            shown(CommandLevel::Info, &render::accounts(&accounts, sidecar.registry.now().millis(), style))
        }
        Line::Use(account) => {
            let used = accounts::use_account(sidecar.clone(), AccountParams { account }).await?.account;
            let others_answer = sidecar.registry.decide(|pool, now| pool.active(now).is_some());
            used_now(&used, others_answer, sidecar.registry.now())
        }
        Line::Show(account) => sidecar.show(account).await?,
        Line::Refresh(account) => {
            let params = RefreshParams { account, force: None };
            let answer = refresh::refresh(sidecar.clone(), params).await?;
            let all: Vec<Account> = answer.results.iter().map(|result| result.account.clone()).collect();
            let mut text = render::accounts(&all, sidecar.registry.now().millis(), style);
            let mut level = CommandLevel::Info;
            for result in &answer.results {
                if let Some(error) = &result.error {
                    level = CommandLevel::Warning;
                    text.push_str(&format!("{}: {}\n", clean(&result.account.label), error.message));
                }
            }
            shown(level, &text)
        }
        Line::Login(label) => {
            let params = LoginParams { label, ..LoginParams::default() };
            begun(None, login::login(sidecar.clone(), params).await?)
        }
        Line::Reauth(account) => {
            let params = ReauthParams { account, ..ReauthParams::default() };
            let started = login::reauth(sidecar.clone(), params).await?;
            let is_renewed = |account: &Account| Some(&account.id) == started.account.as_ref();
            let renewed = sidecar.listed().into_iter().find(is_renewed).map(|account| account.label);
            begun(renewed, started)
        }
        Line::Footer(change) => {
            let prefs = if change == FooterChange::default() {
                footer::show(sidecar, NoParams {})?
            } else {
                footer::set(sidecar.clone(), change).await?
            };
            let status = status::show(sidecar, StatusParams::default())?;
            said(CommandLevel::Info, setting_lines(&prefs)?.into_iter().chain([status.text]))
        }
        Line::Rotation(change) => {
            let shown_now = if change == RotationChange::default() {
                rotation::show(sidecar, RotationParams::default())?
            } else {
                rotation::set(sidecar.clone(), change).await?
            };
            let mut lines = setting_lines(&shown_now.settings)?;
            lines.extend(render::rotation(&shown_now, style).lines().map(str::to_owned));
            said(CommandLevel::Info, lines)
        }
        Line::Verify { online } => {
            let params = VerifyParams { online: Some(online) };
            let answer = verify::verify(sidecar.clone(), params).await?;
            let level = match answer.status {
                CheckStatus::Pass => CommandLevel::Info,
                CheckStatus::Warn => CommandLevel::Warning,
                CheckStatus::Fail => CommandLevel::Error,
            };
            shown(level, &render::verify(&answer, style))
        }
        Line::Path => said(CommandLevel::Info, sidecar.path_lines()),
        Line::Reset(scope) => {
            let done = reset::reset(sidecar.clone(), ResetParams { scope }).await?;
            let pin = if done.unpinned { "the pin was cleared" } else { "no account was pinned" };
            let cooldowns = match done.cooldowns_cleared {
                0 => "no account was cooling".to_owned(),
                1 => "1 account is tried again".to_owned(),
                count => format!("{count} accounts are tried again"),
            };
            said(CommandLevel::Info, line::of_scope(scope, pin.to_owned(), cooldowns))
        }
        Line::ResetCredit { account, confirmed } => {
            let params = ResetCreditParams { account, credit_id: None, dry_run: Some(!confirmed) };
            let answer = reset_credit::reset_credit(sidecar.clone(), params).await?;
            reset_told(&answer)
        }
        Line::History(limit) => {
            let params = HistoryParams { limit: Some(limit), ..HistoryParams::default() };
            let answer = history::history(sidecar.clone(), params).await?;
            let accounts = sidecar.listed();
            shown(
                CommandLevel::Info,
                &render::history(&answer, &accounts, sidecar.registry.now().millis(), style),
            )
        }
        Line::Stats => {
            let params = HistoryParams { limit: Some(0), ..HistoryParams::default() };
            let answer = history::history(sidecar.clone(), params).await?;
            let accounts = sidecar.listed();
            shown(
                CommandLevel::Info,
                &render::stats(&answer, &accounts, sidecar.registry.now().millis(), style),
            )
        }
    })
}

impl Sidecar {
    fn style(&self) -> TextStyle {
        TextStyle::plain(view::footer(&self.registry.footer_preferences()).usage_mode)
    }

    fn listed(&self) -> Vec<Account> {
        self.usage.attended();
        self.registry.decide(|pool, now| view::accounts(pool, now).accounts)
    }

    /// Shows the account in use and why the others are not; or everything about one account.
    async fn show(self: &Arc<Self>, account: Option<String>) -> Result<CommandAnswer, RpcError> {
        let now = self.registry.now();
        if let Some(selector) = account {
            let account = self.account_view(&self.find(&selector)?)?;
            return Ok(shown(CommandLevel::Info, &render::account(&account, now.millis(), &self.style())));
        }
        let accounts = self.listed();
        let active = accounts.iter().find(|account| account.active);
        let level = if active.is_some() { CommandLevel::Info } else { CommandLevel::Warning };
        let ready = accounts.iter().filter(|account| account.state == AccountState::Ready).count();
        let used = active.map_or_else(|| "none".to_owned(), |account| account.label.clone());
        let head = format!("active: {used}; {ready} of {} ready\n", accounts.len());
        Ok(shown(level, &(head + &render::accounts(&accounts, now.millis(), &self.style()))))
    }

    fn path_lines(&self) -> Vec<String> {
        let paths = paths::of(&self.options.paths);
        let mut lines = vec![
            format!("accounts: {}", paths.accounts_file),
            format!("settings: {}", paths.settings_file),
            format!("pi's login: {}", paths.auth_file),
            format!("state: {}", paths.state_dir),
            format!("Codex CLI's login: {}", paths.codex_auth_file),
        ];
        lines.extend(paths.log_file.map(|file| format!("log: {file}")));
        lines
    }
}

/// Returns `name: value` of each setting, in the form in which it can be typed.
///
/// # Errors
///
/// Settings that are not a JSON object.
pub fn setting_lines(settings: &impl Serialize) -> Result<Vec<String>, RpcError> {
    let value = serde_json::to_value(settings)
        .map_err(|error| RpcError::new(ErrorKind::Internal, error.to_string()))?;
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        other => other.to_string(),
    };
    let members = value.as_object().into_iter().flatten();
    Ok(members.map(|(name, value)| format!("{name}: {}", shown(value))).collect())
}

/// A pin does not end a cooldown.
fn used_now(used: &Account, others_answer: bool, now: At) -> CommandAnswer {
    let left = used.cooldown_until.map_or(0, |until| until - now.millis());
    if used.state != AccountState::Cooling || left <= 0 {
        return said(CommandLevel::Info, [format!("now using {}", used.label)]);
    }
    let back = render::duration(left);
    let lines = [
        format!("{} is pinned, but back in {back} only", used.label),
        format!("until then {} account answers", if others_answer { "another" } else { "no" }),
    ];
    said(CommandLevel::Warning, lines)
}

/// Shows what is known, or the outcome. A credit that was spent without a visible reset is a warning.
fn reset_told(answer: &ResetCreditAnswer) -> CommandAnswer {
    let is_good = answer.dry_run || answer.verified == Some(true);
    let mut lines = vec![answer.account.label.clone()];
    lines.extend(answer.notes.iter().cloned());
    if answer.dry_run && answer.credit.is_some() {
        lines.push(format!("nothing was redeemed; add \"{CONFIRM}\" to redeem it"));
    }
    said(if is_good { CommandLevel::Info } else { CommandLevel::Warning }, lines)
}

fn begun(renewed: Option<String>, started: LoginStarted) -> CommandAnswer {
    let mut lines = Vec::from_iter(renewed.map(|label| format!("logging {label} in again")));
    lines.extend(["open this address in a browser:".to_owned(), started.url]);
    lines.extend(started.user_code.map(|code| format!("and type this code there: {code}")));
    lines.push(format!("login {} goes on until it is done, for ten minutes", started.login_id));
    said(CommandLevel::Info, lines)
}

fn said(level: CommandLevel, lines: impl IntoIterator<Item = String>) -> CommandAnswer {
    // Labels come from files and from servers.
    let lines = lines.into_iter().filter(|line| !line.is_empty());
    CommandAnswer { level, lines: lines.map(|line| clean(&line).into_owned()).collect() }
}

fn shown(level: CommandLevel, text: &str) -> CommandAnswer {
    said(level, text.lines().map(str::to_owned))
}
