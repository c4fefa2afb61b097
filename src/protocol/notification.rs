//! Notifications of the sidecar, sent after `initialize`: `accounts/changed` and `warning`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One kind of notification: its name, its params, and a sentence for the schema.
pub trait Notification {
    const NAME: &'static str;
    const SUMMARY: &'static str;
    type Params: Serialize + JsonSchema;
}

/// Something changed that `accounts` shows. Several changes in quick succession are one notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountsChanged {
    pub revision: u64,
    /// The reason of the latest change.
    pub reason: ChangeReason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeReason {
    /// An account was added or renewed by a login.
    Login,
    /// The login of another program was merged.
    Import,
    /// An account was removed.
    Removed,
    /// The account in use changed, or the pin.
    Rotation,
    /// A token was refreshed.
    Refresh,
    Usage,
    /// A cooldown or back-off began or ended.
    Cooldown,
    /// Another program changed a shared file.
    External,
    /// A label changed, or an account was disabled or enabled.
    Edited,
    /// An account needs login, or was deactivated.
    Health,
}

/// Something a person should know, with what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    pub kind: WarningKind,
    pub message: String,
    /// Account id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    LoginRequired,
    PinCleared,
    NoAvailableAccount,
    SharedCredential,
    Permissions,
    CorruptEntry,
    CorruptFile,
    SettingsInvalid,
    OutcomeUnknown,
    /// A refresh token that was already used came back, e.g. with an old copy of the file.
    ConsumedCredential,
    /// Upstream revoked several logins, so no token is refreshed for a while.
    RedeemPaused,
    /// This machine's clock and upstream's disagree.
    ClockSkew,
    /// Usage could not be read several times in a row.
    UsageUnavailable,
    /// A reset credit was redeemed unasked, as the settings allow, or one did not help.
    ResetCredit,
}

impl Notification for AccountsChanged {
    const NAME: &'static str = "accounts/changed";
    const SUMMARY: &'static str = "Accounts changed. Read them with `accounts`.";
    type Params = Self;
}

impl Notification for Warning {
    const NAME: &'static str = "warning";
    const SUMMARY: &'static str =
        "Something a person should know. Sent once per cause, until the cause changes.";
    type Params = Self;
}
