//! The footer: `status` and `status/changed`; and its settings, `footer` and `footer/set`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method, NoParams, Notification};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusParams {
    /// The session whose account to show; when absent, the session of the last completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// One line about the account that the next completion would use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Id of the account that the next completion would use; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Separators included: `text` is their texts joined by spaces.
    pub segments: Vec<StatusSegment>,
    pub text: String,
    /// The time that the countdowns are computed for.
    pub updated_at: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusSegment {
    pub text: String,
    pub role: StatusRole,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusRole {
    /// `Codex`
    Brand,
    Account,
    /// `5h:75% left`
    Window,
    /// `(↺2h13m)`: until the window before it resets, or behind a notice until the first account is available.
    Reset,
    Separator,
    /// Why no account can be used.
    Notice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Success,
    /// At most half is left.
    Notice,
    /// At most a quarter is left.
    Warning,
    /// At most a tenth is left.
    Error,
    Unknown,
}

/// How the footer looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Footer {
    pub usage_mode: UsageMode,
    /// Which countdowns are shown. The percentages of both windows are always shown.
    pub reset_window: ResetWindow,
    pub show_account: bool,
    pub show_reset: bool,
    pub order: FooterOrder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UsageMode {
    Left,
    Used,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResetWindow {
    #[serde(rename = "5h")]
    FiveHours,
    #[serde(rename = "7d")]
    SevenDays,
    #[serde(rename = "both")]
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FooterOrder {
    AccountFirst,
    UsageFirst,
}

/// Members that are absent stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FooterChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_mode: Option<UsageMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_window: Option<ResetWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_account: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_reset: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<FooterOrder>,
}

/// `status`
#[derive(Debug)]
pub struct ShowStatus;

impl Method for ShowStatus {
    const NAME: &'static str = "status";
    const SUMMARY: &'static str =
        "The footer: the account, its usage and countdowns, as text and as segments to colour.";
    const DESCRIPTION: &'static str = "\
        How to draw it is in [The footer](protocol.md#the-footer).";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = StatusParams;
    type Result = Status;
}

/// `status/changed`
#[derive(Debug)]
pub struct StatusChanged;

impl Notification for StatusChanged {
    const NAME: &'static str = "status/changed";
    const SUMMARY: &'static str = "The text of the footer changed. Params as `status` answers.";
    type Params = Status;
}

/// `footer`
#[derive(Debug)]
pub struct ShowFooter;

impl Method for ShowFooter {
    const NAME: &'static str = "footer";
    const SUMMARY: &'static str = "Shows how the footer looks.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = NoParams;
    type Result = Footer;
}

/// `footer/set`
#[derive(Debug)]
pub struct SetFooter;

impl Method for SetFooter {
    const NAME: &'static str = "footer/set";
    const SUMMARY: &'static str = "Changes how the footer looks and saves it.";
    const DESCRIPTION: &'static str = "\
        The change is saved under `pi-multicodex` in settings.json, as the pi-multicodex extension does.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = FooterChange;
    type Result = Footer;
}
