//! Usage windows as readings: every number carries when and from where it was learned, and a missing one is unknown.

use super::At;

/// One rate-limit window. Identified by its length, never by the slot it came in (upstream.md 2.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// 300 = "5h", 10080 = "7d"; other lengths exist (weekly-only free plans, monthly ones).
    pub window_minutes: u32,
    /// 0–100 and above.
    pub used_percent: f64,
    pub resets_at: Option<At>,
}

/// A limit of its own beside the main one, e.g. `codex_bengalfox`.
#[derive(Clone, Debug, PartialEq)]
pub struct AdditionalLimit {
    pub limit_id: String,
    pub name: Option<String>,
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Credits {
    pub has_credits: bool,
    pub unlimited: bool,
    pub balance: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageSource {
    UsageEndpoint,
    ResponseHeaders,
    StreamEvent,
}

/// What one upstream answer said about usage. Absent parts were not in the answer and leave what is known alone.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageReading {
    /// Windows of the main limit (`codex`), shortest first.
    pub windows: Vec<Window>,
    pub limits: Vec<AdditionalLimit>,
    pub credits: Option<Credits>,
    pub plan: Option<String>,
    pub source: UsageSource,
    /// When the request that carried it was sent; a reading may not end a cooldown that is younger than that.
    pub requested_at: At,
    pub fetched_at: At,
}

/// What is known about one account's usage, the latest reading of each part.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    pub windows: Vec<Window>,
    pub limits: Vec<AdditionalLimit>,
    pub credits: Option<Credits>,
    pub source: UsageSource,
    pub fetched_at: At,
}

/// Readings older than this are shown as stale and asked for again.
pub const STALE_AFTER: std::time::Duration = std::time::Duration::from_secs(5 * 60);
