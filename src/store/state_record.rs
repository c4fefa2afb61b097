//! How the state is spelled in `state.json`. Tolerant in: an unknown member is passed over, an unknown word costs the
//! part that bears it and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{Chosen, SavedAccount, SavedState};
use crate::pool::{
    AccountId, AdditionalLimit, Affinity, At, Backoff, Certainty, Cooldown, Credits, FailureKind, Health,
    Mark, ModelExclusion, Source, Standing, Usage, UsageSource, Window,
};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StateRecord {
    accounts: BTreeMap<String, AccountRecord>,
    pinned: Option<String>,
    pinned_at: i64,
    sessions: BTreeMap<String, SeatRecord>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AccountRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    disabled: bool,
    disabled_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_login: Option<MarkRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deactivated: Option<MarkRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reinstated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<CooldownRecord>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limit_cooldowns: BTreeMap<String, CooldownRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<BackoffRecord>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    model_exclusions: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SeatRecord {
    account: String,
    at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct MarkRecord {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    message: String,
    since: i64,
    source: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CooldownRecord {
    until: i64,
    certainty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quoted_reset: Option<i64>,
    why: MarkRecord,
}

#[derive(Debug, Serialize, Deserialize)]
struct BackoffRecord {
    until: i64,
    failures: u32,
    why: MarkRecord,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageRecord {
    windows: Vec<WindowRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limits: Vec<LimitRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credits: Option<CreditsRecord>,
    source: String,
    fetched_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WindowRecord {
    minutes: u32,
    used_percent: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resets_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitRecord {
    limit_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    windows: Vec<WindowRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreditsRecord {
    has_credits: bool,
    unlimited: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    balance: Option<String>,
}

impl From<&SavedState> for StateRecord {
    fn from(state: &SavedState) -> Self {
        StateRecord {
            accounts: state.accounts.iter().map(|(id, account)| (id.to_string(), account.into())).collect(),
            pinned: state.pinned.value.as_ref().map(ToString::to_string),
            pinned_at: state.pinned.at.millis(),
            sessions: state
                .affinity
                .iter()
                .map(|(session, seat)| {
                    (
                        session.to_owned(),
                        SeatRecord { account: seat.account.to_string(), at: seat.used_at.millis() },
                    )
                })
                .collect(),
        }
    }
}

impl From<StateRecord> for SavedState {
    fn from(record: StateRecord) -> Self {
        let mut affinity = Affinity::default();
        for (session, seat) in record.sessions {
            affinity.set(&session, AccountId::new(seat.account), At(seat.at));
        }
        SavedState {
            accounts: record
                .accounts
                .into_iter()
                .map(|(id, account)| (AccountId::new(id), account.into()))
                .collect(),
            pinned: Chosen { value: record.pinned.map(AccountId::new), at: At(record.pinned_at) },
            affinity,
        }
    }
}

impl From<&SavedAccount> for AccountRecord {
    fn from(account: &SavedAccount) -> Self {
        let health = &account.health;
        let (needs_login, deactivated) = match &health.standing {
            Standing::Good => (None, None),
            Standing::NeedsLogin(mark) => (Some(mark.into()), None),
            Standing::Deactivated(mark) => (None, Some(mark.into())),
        };
        AccountRecord {
            plan: account.plan.clone(),
            disabled: account.disabled.value,
            disabled_at: account.disabled.at.millis(),
            needs_login,
            deactivated,
            reinstated_at: health.reinstated_at.map(At::millis),
            cooldown: health.cooldown.as_ref().map(Into::into),
            limit_cooldowns: health
                .limit_cooldowns
                .iter()
                .map(|(id, cooldown)| (id.clone(), cooldown.into()))
                .collect(),
            backoff: health.backoff.as_ref().map(|backoff| BackoffRecord {
                until: backoff.until.millis(),
                failures: backoff.failures,
                why: (&backoff.why).into(),
            }),
            model_exclusions: health
                .model_exclusions
                .iter()
                .map(|exclusion| (exclusion.model.clone(), exclusion.until.millis()))
                .collect(),
            usage: health.usage.as_ref().map(Into::into),
            last_used_at: health.last_used_at.map(At::millis),
            withdrawn_at: health.withdrawn_at.map(At::millis),
        }
    }
}

impl From<AccountRecord> for SavedAccount {
    fn from(record: AccountRecord) -> Self {
        let standing = match (
            record.deactivated.and_then(MarkRecord::read),
            record.needs_login.and_then(MarkRecord::read),
        ) {
            (Some(mark), _) => Standing::Deactivated(mark),
            (None, Some(mark)) => Standing::NeedsLogin(mark),
            (None, None) => Standing::Good,
        };
        SavedAccount {
            plan: record.plan,
            disabled: Chosen { value: record.disabled, at: At(record.disabled_at) },
            health: Health {
                standing,
                reinstated_at: record.reinstated_at.map(At),
                cooldown: record.cooldown.and_then(CooldownRecord::read),
                limit_cooldowns: record
                    .limit_cooldowns
                    .into_iter()
                    .filter_map(|(id, cooldown)| Some((id, cooldown.read()?)))
                    .collect(),
                backoff: record.backoff.and_then(|backoff| {
                    Some(Backoff {
                        until: At(backoff.until),
                        failures: backoff.failures,
                        why: backoff.why.read()?,
                    })
                }),
                model_exclusions: record
                    .model_exclusions
                    .into_iter()
                    .map(|(model, until)| ModelExclusion { model, until: At(until) })
                    .collect(),
                usage: record.usage.and_then(UsageRecord::read),
                last_used_at: record.last_used_at.map(At),
                withdrawn_at: record.withdrawn_at.map(At),
            },
        }
    }
}

impl From<&Mark> for MarkRecord {
    fn from(mark: &Mark) -> Self {
        MarkRecord {
            kind: mark.kind.name().to_owned(),
            code: mark.code.clone(),
            message: mark.message.clone(),
            since: mark.since.millis(),
            source: mark.source.name().to_owned(),
        }
    }
}

impl MarkRecord {
    fn read(self) -> Option<Mark> {
        Some(Mark {
            kind: FailureKind::from_name(&self.kind)?,
            code: self.code,
            message: self.message,
            since: At(self.since),
            source: Source::from_name(&self.source)?,
        })
    }
}

impl From<&Cooldown> for CooldownRecord {
    fn from(cooldown: &Cooldown) -> Self {
        CooldownRecord {
            until: cooldown.until.millis(),
            certainty: match cooldown.certainty {
                Certainty::Directive => "directive",
                Certainty::Prediction => "prediction",
                Certainty::Guess => "guess",
            }
            .to_owned(),
            quoted_reset: cooldown.quoted_reset.map(At::millis),
            why: (&cooldown.why).into(),
        }
    }
}

impl CooldownRecord {
    fn read(self) -> Option<Cooldown> {
        Some(Cooldown {
            until: At(self.until),
            certainty: match self.certainty.as_str() {
                "directive" => Certainty::Directive,
                "prediction" => Certainty::Prediction,
                "guess" => Certainty::Guess,
                _ => return None,
            },
            quoted_reset: self.quoted_reset.map(At),
            why: self.why.read()?,
        })
    }
}

impl From<&Usage> for UsageRecord {
    fn from(usage: &Usage) -> Self {
        UsageRecord {
            windows: usage.windows.iter().map(Into::into).collect(),
            limits: usage
                .limits
                .iter()
                .map(|limit| LimitRecord {
                    limit_id: limit.limit_id.clone(),
                    name: limit.name.clone(),
                    windows: limit.windows.iter().map(Into::into).collect(),
                })
                .collect(),
            credits: usage.credits.as_ref().map(|credits| CreditsRecord {
                has_credits: credits.has_credits,
                unlimited: credits.unlimited,
                balance: credits.balance.clone(),
            }),
            source: match usage.source {
                UsageSource::UsageEndpoint => "usage_endpoint",
                UsageSource::ResponseHeaders => "response_headers",
                UsageSource::StreamEvent => "stream_event",
            }
            .to_owned(),
            fetched_at: usage.fetched_at.millis(),
        }
    }
}

impl UsageRecord {
    fn read(self) -> Option<Usage> {
        Some(Usage {
            windows: self.windows.into_iter().map(Into::into).collect(),
            limits: self
                .limits
                .into_iter()
                .map(|limit| AdditionalLimit {
                    limit_id: limit.limit_id,
                    name: limit.name,
                    windows: limit.windows.into_iter().map(Into::into).collect(),
                })
                .collect(),
            credits: self.credits.map(|credits| Credits {
                has_credits: credits.has_credits,
                unlimited: credits.unlimited,
                balance: credits.balance,
            }),
            source: match self.source.as_str() {
                "usage_endpoint" => UsageSource::UsageEndpoint,
                "response_headers" => UsageSource::ResponseHeaders,
                "stream_event" => UsageSource::StreamEvent,
                _ => return None,
            },
            fetched_at: At(self.fetched_at),
        })
    }
}

impl From<&Window> for WindowRecord {
    fn from(window: &Window) -> Self {
        WindowRecord {
            minutes: window.window_minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at.map(At::millis),
        }
    }
}

impl From<WindowRecord> for Window {
    fn from(record: WindowRecord) -> Self {
        Window {
            window_minutes: record.minutes,
            used_percent: record.used_percent,
            resets_at: record.resets_at.map(At),
        }
    }
}
