//! The JSON of usage in `state.json`. A part with an unknown source is dropped, and only that.

use serde::{Deserialize, Serialize};

use crate::pool::{
    AdditionalLimit, At, Credits, Known, Reserve, ResetCredit, Seen, SpendControl, Usage, UsageSource, Window,
};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SavedUsage {
    windows: Vec<SavedWindow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<String>,
    #[serde(flatten)]
    seen: SavedSeen,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limits: Vec<SavedLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits_listed_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<SavedCredits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spend: Option<SavedSpend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_left: Option<SavedResets>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_credits: Option<SavedResetCredits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserve: Option<SavedReserve>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct SavedSeen {
    source: String,
    fetched_at: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedWindow {
    window_minutes: u32,
    used_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedLimit {
    limit_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    windows: Vec<SavedWindow>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refuses: bool,
    #[serde(flatten)]
    seen: SavedSeen,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedCredits {
    has_credits: bool,
    unlimited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<String>,
    #[serde(flatten)]
    seen: SavedSeen,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedSpend {
    reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
    #[serde(flatten)]
    seen: SavedSeen,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedResets {
    left: u32,
    #[serde(flatten)]
    seen: SavedSeen,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedResetCredits {
    list: Vec<SavedResetCredit>,
    #[serde(flatten)]
    seen: SavedSeen,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedResetCredit {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SavedReserve {
    granted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordinary_model: Option<String>,
    #[serde(flatten)]
    seen: SavedSeen,
}

impl From<&Usage> for SavedUsage {
    fn from(usage: &Usage) -> Self {
        SavedUsage {
            windows: windows_to_wire(&usage.windows),
            reached: usage.reached.clone(),
            seen: usage.seen().into(),
            limits: usage
                .limits
                .iter()
                .map(|Known { value, seen }| SavedLimit {
                    limit_id: value.limit_id.clone(),
                    name: value.name.clone(),
                    windows: windows_to_wire(&value.windows),
                    refuses: value.refuses,
                    seen: (*seen).into(),
                })
                .collect(),
            limits_listed_at: usage.limits_listed_at.map(At::millis),
            credits: usage.credits.as_ref().map(|Known { value, seen }| SavedCredits {
                has_credits: value.has_credits,
                unlimited: value.unlimited,
                balance: value.balance.clone(),
                seen: (*seen).into(),
            }),
            spend: usage.spend.as_ref().map(|Known { value, seen }| SavedSpend {
                reached: value.reached,
                limit: value.limit.clone(),
                used: value.used.clone(),
                used_percent: value.used_percent.filter(|used| used.is_finite()),
                resets_at: value.resets_at.map(At::millis),
                seen: (*seen).into(),
            }),
            resets_left: usage
                .resets_left
                .as_ref()
                .map(|Known { value, seen }| SavedResets { left: *value, seen: (*seen).into() }),
            reset_credits: usage.reset_credits.as_ref().map(|Known { value, seen }| SavedResetCredits {
                list: value.iter().map(SavedResetCredit::from).collect(),
                seen: (*seen).into(),
            }),
            reserve: usage.reserve.as_ref().map(|Known { value, seen }| SavedReserve {
                granted: value.granted,
                ordinary_model: value.ordinary_model.clone(),
                seen: (*seen).into(),
            }),
        }
    }
}

impl SavedUsage {
    pub(crate) fn usage(self) -> Option<Usage> {
        let Seen { at: fetched_at, source } = self.seen.seen()?;
        let limit = |saved: SavedLimit| {
            saved.seen.known(AdditionalLimit {
                limit_id: saved.limit_id,
                name: saved.name,
                windows: windows_from_wire(saved.windows),
                refuses: saved.refuses,
            })
        };
        Some(Usage {
            windows: windows_from_wire(self.windows),
            reached: self.reached,
            source,
            fetched_at,
            limits: self.limits.into_iter().filter_map(limit).collect(),
            limits_listed_at: self.limits_listed_at.map(At),
            credits: self.credits.and_then(|saved| {
                let (has_credits, unlimited, balance) = (saved.has_credits, saved.unlimited, saved.balance);
                saved.seen.known(Credits { has_credits, unlimited, balance })
            }),
            spend: self.spend.and_then(|saved| {
                saved.seen.known(SpendControl {
                    reached: saved.reached,
                    limit: saved.limit,
                    used: saved.used,
                    used_percent: saved.used_percent,
                    resets_at: saved.resets_at.map(At),
                })
            }),
            resets_left: self.resets_left.and_then(|saved| saved.seen.known(saved.left)),
            reset_credits: self
                .reset_credits
                .and_then(|saved| saved.seen.known(saved.list.into_iter().map(ResetCredit::from).collect())),
            reserve: self.reserve.and_then(|saved| {
                let (granted, ordinary_model) = (saved.granted, saved.ordinary_model);
                saved.seen.known(Reserve { granted, ordinary_model })
            }),
        })
    }
}

impl From<&ResetCredit> for SavedResetCredit {
    fn from(credit: &ResetCredit) -> Self {
        SavedResetCredit {
            id: credit.id.clone(),
            expires_at: credit.expires_at.map(At::millis),
            status: credit.status.clone(),
        }
    }
}

impl From<SavedResetCredit> for ResetCredit {
    fn from(saved: SavedResetCredit) -> Self {
        ResetCredit { id: saved.id, expires_at: saved.expires_at.map(At), status: saved.status }
    }
}

impl From<Seen> for SavedSeen {
    fn from(seen: Seen) -> Self {
        SavedSeen { source: source_name(seen.source).to_owned(), fetched_at: seen.at.millis() }
    }
}

impl SavedSeen {
    fn seen(&self) -> Option<Seen> {
        let sources = [UsageSource::UsageEndpoint, UsageSource::ResponseHeaders, UsageSource::StreamEvent];
        let source = sources.into_iter().find(|source| source_name(*source) == self.source)?;
        Some(Seen { at: At(self.fetched_at), source })
    }

    fn known<T>(self, value: T) -> Option<Known<T>> {
        let seen = self.seen()?;
        Some(Known { value, seen })
    }
}

/// JSON cannot express an infinite share, and NaN is not a reading.
fn windows_to_wire(windows: &[Window]) -> Vec<SavedWindow> {
    let finite = windows.iter().filter(|window| window.used_percent.is_finite());
    finite
        .map(|window| SavedWindow {
            window_minutes: window.window_minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at.map(At::millis),
        })
        .collect()
}

fn windows_from_wire(windows: Vec<SavedWindow>) -> Vec<Window> {
    windows
        .into_iter()
        .map(|saved| Window {
            window_minutes: saved.window_minutes,
            used_percent: saved.used_percent,
            resets_at: saved.resets_at.map(At),
        })
        .collect()
}

fn source_name(source: UsageSource) -> &'static str {
    match source {
        UsageSource::UsageEndpoint => "usage_endpoint",
        UsageSource::ResponseHeaders => "response_headers",
        UsageSource::StreamEvent => "stream_event",
    }
}
