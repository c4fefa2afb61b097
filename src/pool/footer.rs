//! The footer: one line about the account in use, computed once for all clients. It knows roles and severities, but no
//! colour and no terminal.

use crate::pool::time::Countdown;
use crate::pool::usage::window_name;
use crate::pool::{
    Account, AccountId, At, Availability, Demand, FIVE_HOURS, PlanRules, Pool, Step, WEEK, Window,
};

const BRAND: &str = "Codex";
const SEPARATOR: &str = "·";
const DAY: u32 = 24 * 60;

/// How the footer looks. The defaults are the extension's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FooterPrefs {
    pub usage_mode: UsageMode,
    pub reset_window: ResetWindow,
    pub show_account: bool,
    pub show_reset: bool,
    pub order: FooterOrder,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum UsageMode {
    Left,
    Used,
}

/// Which countdowns are shown.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum ResetWindow {
    #[strum(serialize = "5h")]
    FiveHours,
    #[strum(serialize = "7d")]
    SevenDays,
    Both,
}

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::VariantArray,
    strum::VariantNames,
)]
#[strum(serialize_all = "kebab-case")]
pub enum FooterOrder {
    AccountFirst,
    UsageFirst,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// The account that the next completion would use.
    pub account: Option<AccountId>,
    /// Separators included.
    pub segments: Vec<Segment>,
    /// Until when the text stays the same if nothing happens.
    pub good_until: Option<At>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    pub role: Role,
    pub severity: Option<Severity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Brand,
    Account,
    Window,
    /// The countdown of the window before it, or until the first account is available.
    Reset,
    Separator,
    /// Why no account can be used.
    Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Success,
    Notice,
    Warning,
    Error,
    Unknown,
}

impl UsageMode {
    /// Returns the percentage that is shown when `used` percent are used. It is rounded before it is inverted, so that
    /// both modes, and every place that shows it, agree.
    pub fn percent(self, used: f64) -> f64 {
        let used = used.clamp(0.0, 100.0).round();
        match self {
            UsageMode::Left => 100.0 - used,
            UsageMode::Used => used,
        }
    }

    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl ResetWindow {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl FooterOrder {
    /// The name that users write.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Default for FooterPrefs {
    fn default() -> Self {
        FooterPrefs {
            usage_mode: UsageMode::Left,
            reset_window: ResetWindow::SevenDays,
            show_account: true,
            show_reset: true,
            order: FooterOrder::AccountFirst,
        }
    }
}

impl Footer {
    /// Shows the account that the next completion would use: of this session, or without a session.
    pub fn of(pool: &Pool, prefs: &FooterPrefs, session: Option<&str>, now: At) -> Self {
        let demand = Demand { session: session.map(str::to_owned), ..Demand::default() };
        let account = pool.best(&demand, &[], now).and_then(|id| pool.get(&id));
        let mut line = Line::new(prefs, now);
        match account {
            Some(account) => line.show(account),
            None => {
                line.excuse(pool);
                line.offer(pool, &demand);
            }
        }
        let comes_back = |account: &Account| {
            [account.cooldown_until(now), account.backoff_until(now)].into_iter().flatten().min()
        };
        let changes = pool.accounts().iter().filter_map(comes_back).min();
        Footer {
            account: account.map(|account| account.id.clone()),
            segments: line.segments,
            good_until: line.good_until.into_iter().chain(changes).min(),
        }
    }

    /// Returns the segments' texts, joined by spaces.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.segments.iter().map(|segment| segment.text.as_str()).collect();
        texts.join(" ")
    }

    /// Returns whether a reader would see no difference.
    pub fn reads_like(&self, other: &Footer) -> bool {
        self.account == other.account && self.segments == other.segments
    }
}

/// A footer that is being built.
struct Line<'a> {
    prefs: &'a FooterPrefs,
    now: At,
    segments: Vec<Segment>,
    good_until: Option<At>,
}

impl<'a> Line<'a> {
    fn new(prefs: &'a FooterPrefs, now: At) -> Self {
        let mut line = Line { prefs, now, segments: Vec::new(), good_until: None };
        line.push(BRAND, Role::Brand, None);
        line
    }

    fn show(&mut self, account: &Account) {
        let show_account = |line: &mut Self| {
            if line.prefs.show_account {
                line.begin(&account.label, Role::Account, None);
            }
        };
        if self.prefs.order == FooterOrder::AccountFirst {
            show_account(self);
        }
        let windows = account.health.usage.as_ref().map_or(&[][..], |usage| &usage.windows);
        for minutes in [FIVE_HOURS, WEEK] {
            self.window(minutes, windows.iter().find(|window| window.window_minutes == minutes));
        }
        for window in windows.iter().filter(|window| ![FIVE_HOURS, WEEK].contains(&window.window_minutes)) {
            self.window(window.window_minutes, Some(window));
        }
        if self.prefs.order == FooterOrder::UsageFirst {
            show_account(self);
        }
    }

    /// Returns why there is no account to show.
    fn excuse(&mut self, pool: &Pool) {
        let (notice, back_at) = match pool.prospect(self.now) {
            Availability::NoAccounts => {
                return self.begin("no accounts", Role::Notice, Some(Severity::Warning));
            }
            Availability::BackAt(at) => ("all accounts out", Some(at)),
            Availability::Login => ("login needed", None),
            Availability::Nothing => ("no account in use", None),
        };
        self.begin(notice, Role::Notice, Some(Severity::Error));
        if self.prefs.show_reset {
            self.reset(back_at);
        }
    }

    /// What is left when no account can serve.
    fn offer(&mut self, pool: &Pool, demand: &Demand) {
        for step in pool.plan(demand, PlanRules::default(), self.now) {
            let notice = match step.step {
                Step::Reserve => "reserve left",
                Step::ResetCredit { .. } => "reset credit left",
                Step::Wait { .. } => continue,
            };
            self.begin(notice, Role::Notice, Some(Severity::Warning));
        }
    }

    fn window(&mut self, minutes: u32, window: Option<&Window>) {
        let name = window_name(minutes);
        let Some(window) = window else {
            return self.begin(&format!("{name}:--"), Role::Window, Some(Severity::Unknown));
        };
        let used = window.used_at(self.now);
        let mode = self.prefs.usage_mode;
        let text = format!("{name}:{:.0}% {}", mode.percent(used), mode.name());
        self.begin(&text, Role::Window, Some(severity(UsageMode::Left.percent(used))));
        let is_shown = match self.prefs.reset_window {
            ResetWindow::FiveHours => minutes <= DAY,
            ResetWindow::SevenDays => minutes > DAY,
            ResetWindow::Both => true,
        };
        let resets_at = window.next_reset(self.now);
        if self.prefs.show_reset && is_shown {
            self.reset(resets_at);
        } else {
            // The percentage changes then.
            self.good_until = self.good_until.into_iter().chain(resets_at).min();
        }
    }

    fn reset(&mut self, at: Option<At>) {
        let Some(at) = at else { return };
        let countdown = Countdown { to: at, now: self.now };
        self.push(&format!("(↺{countdown})"), Role::Reset, None);
        self.good_until = self.good_until.into_iter().chain([countdown.good_until()]).min();
    }

    fn begin(&mut self, text: &str, role: Role, severity: Option<Severity>) {
        self.push(SEPARATOR, Role::Separator, None);
        self.push(text, role, severity);
    }

    fn push(&mut self, text: &str, role: Role, severity: Option<Severity>) {
        self.segments.push(Segment { text: text.to_owned(), role, severity });
    }
}

fn severity(left_percent: f64) -> Severity {
    match left_percent {
        left if left <= 10.0 => Severity::Error,
        left if left <= 25.0 => Severity::Warning,
        left if left <= 50.0 => Severity::Notice,
        _ => Severity::Success,
    }
}

#[cfg(test)]
mod tests;
