//! The footer: `status`, `status/changed`, and how it is to look, `footer` and `footer/set`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ErrorKind, Method, NoParams, Notification};

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct StatusParams {
    /// Of this session, instead of the one that a completion was made for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// One line about the account in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Id of the account that the next completion would use; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Separators included, so that `text` is their texts joined by spaces.
    pub segments: Vec<StatusSegment>,
    pub text: String,
    /// What the countdowns count from.
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
    /// `(↺2h13m)`, of the window before it, or when the first account is back.
    Reset,
    Separator,
    /// What is in the way of the next completion.
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
    /// Whose countdown is shown; the percentages of both always are.
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

/// What is absent stays as it is.
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
        "The footer: account, usage and countdowns, as text and as segments to colour.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = StatusParams;
    type Result = Status;
}

/// `status/changed`
#[derive(Debug)]
pub struct StatusChanged;

impl Notification for StatusChanged {
    const NAME: &'static str = "status/changed";
    const SUMMARY: &'static str = "The footer reads differently than before.";
    type Params = Status;
}

/// `footer`
#[derive(Debug)]
pub struct ShowFooter;

impl Method for ShowFooter {
    const NAME: &'static str = "footer";
    const SUMMARY: &'static str = "How the footer is to look.";
    const ERRORS: &'static [ErrorKind] = &[];
    type Params = NoParams;
    type Result = Footer;
}

/// `footer/set`
#[derive(Debug)]
pub struct SetFooter;

impl Method for SetFooter {
    const NAME: &'static str = "footer/set";
    const SUMMARY: &'static str = "Changes how the footer looks, saved at once in settings.json.";
    const ERRORS: &'static [ErrorKind] = &[ErrorKind::Storage];
    type Params = FooterChange;
    type Result = Footer;
}
