//! The wire types: every type that a client sees, and nothing else. This module names neither `pool` nor `secret`, so that
//! a token cannot reach a client by accident; `sidecar::view` converts.
//!
//! These types are the source of `schema/` (see [`openrpc`]). Times are integer milliseconds since the Unix epoch,
//! absent optional members are left out on output, and `null` means absent on input.

mod account;
mod command;
mod complete;
mod credentials;
mod error;
mod gateway;
mod handshake;
mod history;
mod import;
mod lenient;
mod login;
mod manage;
mod method;
mod notification;
pub mod openrpc;
mod reset_credit;
mod rotation;
mod status;
mod transport;
mod verify;

pub use account::{
    Account, AccountState, AdditionalLimit, Credits, Reason, ReasonScope, Reserve, ResetCredit, ResetCredits,
    Seen, SpendControl, Token, TokenState, Usage, UsageSource, Window,
};
pub use command::{
    Command, CommandAnswer, CommandLevel, CommandParams, CommandSuggest, Suggestion, Suggestions,
};
pub use complete::{
    AccountStanding, CancelComplete, Collected, Complete, CompleteCancel, CompleteCollect, CompleteParams,
    Failed, Notice, Outcome, Phase, ReasoningDropped, RotatedReason, SubscriptionId, Timing,
};
pub use credentials::{
    AccountsToken, Refresh, RefreshAnswer, RefreshError, RefreshParams, RefreshProgress, Refreshed,
    TokenAnswer, TokenParams,
};
pub use error::{ErrorData, ErrorKind, RpcError};
pub use gateway::{GatewayStart, GatewayStartParams, GatewayStarted, GatewayStop, GatewayStopped};
pub use handshake::{
    Capabilities, ClientInfo, CompleteCapability, Initialize, InitializeParams, InitializeResult,
    LoginCapability, PROTOCOL_VERSION, Paths, ServerInfo, ShowPaths,
};
pub use history::{
    AccountTally, Attempt, AttemptOutcome, DayTally, History, HistoryAnswer, HistoryParams, Tally, TokenCount,
};
pub use import::{AccountsImport, ImportAnswer, ImportParams, ImportSource};
pub use login::{
    Login, LoginCancel, LoginCancelled, LoginCompleted, LoginFailure, LoginFlow, LoginIdParams, LoginParams,
    LoginStarted, LoginSubmit, LoginSubmitParams, LoginWait, Reauth, ReauthParams,
};
pub use manage::{
    AccountAnswer, AccountList, AccountParams, Accounts, AccountsDisable, AccountsEnable, AccountsLabel,
    AccountsParams, AccountsRemove, AccountsUse, LabelParams, Removed, Reset, ResetParams, ResetResult,
    ResetScope,
};
pub use method::{Method, NoParams, RpcDiscover};
pub use notification::{AccountsChanged, ChangeReason, Notification, Warning, WarningKind};
pub use reset_credit::{AccountsResetCredit, ResetCreditAnswer, ResetCreditOutcome, ResetCreditParams};
pub use rotation::{
    AccountPriority, Affinity, PlanStep, PlanStepKind, RankedAccount, ReserveUse, ResetCreditUse, Rotation,
    RotationChange, RotationParams, RotationSettings, SetRotation, ShowRotation, Strategy,
};
pub use status::{
    Footer, FooterChange, FooterOrder, ResetWindow, SetFooter, Severity, ShowFooter, ShowStatus, Status,
    StatusChanged, StatusParams, StatusRole, StatusSegment, UsageMode,
};
pub use transport::{NotContinued, Transport, TransportUsed};
pub use verify::{Check, CheckId, CheckStatus, Verify, VerifyAnswer, VerifyParams};
