//! The pool: accounts and every decision about them, as plain data and plain functions.
//!
//! In reading order: the vocabulary (`time`, `identity`, `account`, `usage`, `settings`), an account's health
//! (`health`), all accounts together (`roster`), their tokens (`tokens`: what is merged, and whether a refresh token
//! may be sent), which account is used (`selection`) and the line that shows it (`footer`), the failover of one
//! completion (`failover`) and its record (`history`), and when usage is read (`poll_schedule`).
//!
//! Tests check the absences: no I/O, no clock (`now` is a parameter), no randomness, no tokio, no wire types.

mod account;
mod clock_skew;
pub(crate) mod failover;
mod footer;
pub(crate) mod health;
mod history;
mod identity;
#[cfg(any(test, fuzzing))]
#[expect(clippy::expect_used, reason = "tests")]
mod model;
mod outweighs;
pub(crate) mod poll_schedule;
pub(crate) mod quota;
mod reasoning_dropped;
mod roster;
mod saved;
pub(crate) mod selection;
mod setting_spec;
mod settings;
#[cfg(any(test, fuzzing))]
pub(crate) mod testing;
mod time;
pub(crate) mod tokens;
mod transport;
mod usage;

pub use account::{Account, Credential, EXPIRING, State};
pub use clock_skew::ClockSkew;
pub use failover::failure::{
    DispensableParameter, Failure, FailureKind, Source, Speaker, is_workspace_limit,
};
pub use failover::preamble_buffer::{PreambleBuffer, PreambleState};
pub use failover::state_machine::Failover;
pub use failover::step::{AfterFailure, AfterOutput, Ending, EndingKind, Next};
pub use footer::{Footer, FooterOrder, FooterPrefs, ResetWindow, Role, Segment, Severity, UsageMode};
pub use health::cooldown::{Backoff, Certainty, Cooldown};
pub use health::file_flags::FileFlags;
pub use health::reset::{ResetReport, ResetScope};
pub use health::status::{Health, HealthEvidence, HealthStatus, ModelExclusion};
pub use health::usage_reading::UsageEffect;
pub use history::{
    AttemptRecord, AttemptResult, DayReport, History, HistoryQuestion, HistoryReport, Tally, TokenCount,
};
pub use identity::{AccountId, Identity, Likeness};
#[cfg(any(test, fuzzing))]
pub use model::rotation;
pub use poll_schedule::{NextPoll, PollLog, PollRecord, PollSchedule, UsageTrouble};
pub use quota::plan::{FRESH, PlanRules, PlanStep, Resettable, Step};
pub use quota::reserve::{RESERVE_LIMIT, RESERVE_MODEL, RESERVE_ORDINARY_MODEL, Reserve};
pub use quota::reset_credit::{RedeemAnswer, ResetCredit, ResetCreditList, first_to_expire};
pub use quota::reset_ledger::{
    DecidedBy, RedeemOutcome, Redemption, ResetLedger, Resumption, WhyNotAutomatic,
};
pub use reasoning_dropped::ReasoningDropped;
pub use roster::{LabelError, Pool};
pub use selection::affinity::{Affinity, SessionBinding};
pub use selection::availability::Availability;
pub use selection::eligibility::WhyNotEligible;
pub use selection::ranking::{Demand, Ranked};
pub use selection::reason::Reason;
pub use selection::select::SelectError;
pub use setting_spec::{
    FOOTER_SETTINGS, ROTATION_SETTINGS, SettingChange, SettingKind, SettingSpec, SettingValue,
};
pub use settings::{AffinityMode, ReserveUse, ResetCreditUse, RotationSettings, Strategy};
pub use time::{At, Day};
pub use tokens::import::{Merged, SeenLogins, WhyNotImported, made_up_label, merge_login};
pub use tokens::known::{KnownAccount, keep_ids};
pub use tokens::ledger::{
    RefreshLedger, RefreshMode, RefreshOutcome, RefreshTokenStatus, Refusal, Rest, TokenHash, TokenRecord,
    WhyNotRefreshed,
};
pub use tokens::sign_in::{NotPlaced, Placement, Purpose, place};
pub use tokens::sync::SyncReport;
pub use transport::{SentRequest, Transport, TransportUsed};
pub use usage::{
    AdditionalLimit, Credits, FIVE_HOURS, Known, SPEND_CAP, STALE_AFTER, Seen, SpendControl, Usage,
    UsageReading, UsageSource, WEEK, Window, window_name,
};
