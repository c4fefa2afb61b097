//! The pool: accounts and every decision about them, as plain data and plain functions.
//!
//! In reading order: the vocabulary (`time`, `identity`, `account`, `usage`, `cooldown`, `health`, `failure`,
//! `settings`), the accounts as a whole (`roster`, `select`, `sync`, `merge`, `import`, `sign_in`, `marks`, `affinity`,
//! `reading`, `reset`), which account is used (`eligibility`, `glance`, `ranking`, `reason`) and the line that shows it
//! (`footer`), what becomes of one completion (`verdict`, `rotation`, `hold_back`) and what is remembered of it
//! (`history`), whether a refresh token may be sent (`ledger`), and whose usage is asked for when (`usage_asks`).
//!
//! Absences that tests hold: no I/O, no clock (`now` is a parameter), no randomness, no serde, no tokio, no wire types.

mod account;
mod affinity;
mod clock_skew;
mod cooldown;
mod eligibility;
mod failure;
mod footer;
mod glance;
mod health;
mod history;
mod hold_back;
mod identity;
mod import;
mod ledger;
mod marks;
mod merge;
#[cfg(any(test, fuzzing))]
#[expect(clippy::expect_used, reason = "tests")]
mod model;
mod prospect;
mod ranking;
mod reading;
mod reason;
mod reset;
mod roster;
mod rotation;
mod select;
mod settings;
mod sign_in;
mod sync;
#[cfg(any(test, fuzzing))]
mod testing;
mod time;
mod usage;
mod usage_asks;
mod verdict;

pub use account::{Account, Credential, State};
pub use affinity::{Affinity, Seat};
pub use clock_skew::ClockSkew;
pub use cooldown::{Backoff, Certainty, Cooldown};
pub use eligibility::WhyNotEligible;
pub use failure::{Failure, FailureKind, Source};
pub use footer::{
    Footer, FooterChange, FooterOrder, FooterPrefs, ResetWindow, Role, Segment, Severity, UsageMode,
};
pub use health::{Health, Mark, ModelExclusion, Standing};
pub use history::{
    DayReport, History, HistoryQuestion, HistoryReport, Tally, TokenCount, TriedOnce, TryOutcome,
};
pub use hold_back::{Held, HoldBack};
pub use identity::{AccountId, Identity};
pub use import::{Merged, SeenLogins, WhyNotImported, made_up_label, merge_login};
pub use ledger::{
    Fate, RedeemLedger, RedeemOutcome, Refusal, Rest, TokenHash, TokenRecord, Urge, WhyNotRedeemed,
};
pub use marks::Marks;
#[cfg(any(test, fuzzing))]
pub use model::rotation;
pub use prospect::Prospect;
pub use ranking::{Demand, Ranked};
pub use reading::UsageEffect;
pub use reason::Reason;
pub use reset::{ResetReport, ResetScope};
pub use roster::{LabelError, Pool};
pub use rotation::{AfterFailure, AfterOutput, Ending, EndingKind, Next, Walk};
pub use select::SelectError;
pub use settings::{AffinityMode, PRIORITIES, RESERVES, RotationChange, RotationSettings, Strategy};
pub use sign_in::{NotPlaced, Place, Purpose, place};
pub use sync::SyncReport;
pub use time::{At, Day};
pub use usage::{
    AdditionalLimit, Credits, FIVE_HOURS, Known, STALE_AFTER, Seen, SpendControl, Usage, UsageReading,
    UsageSource, WEEK, Window, window_name,
};
pub use usage_asks::{Ask, NextAsk, Tempo, UsageAsks, UsageTrouble};
