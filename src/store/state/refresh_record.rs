//! The JSON of the refresh ledger in `redeems.json`. A token with an unknown state counts as consumed, because such a
//! token must never be sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pool::{
    AccountId, At, FailureKind, RefreshLedger, RefreshTokenStatus, Refusal, Rest, TokenHash,
    TokenRecord as Known,
};

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LedgerRecord {
    /// Indexed by hash.
    tokens: BTreeMap<String, TokenRecord>,
    /// Indexed by account id.
    rests: BTreeMap<String, RestRecord>,
    invalidations: Vec<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ended_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_at: Option<i64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TokenRecord {
    account: String,
    at: i64,
    /// `sent`, `sent_again`, `consumed` or `refused`.
    fate: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RestRecord {
    until: i64,
    failures: u32,
    message: String,
}

impl From<&RefreshLedger> for LedgerRecord {
    fn from(ledger: &RefreshLedger) -> Self {
        let rest = |rest: &Rest| RestRecord {
            until: rest.until.millis(),
            failures: rest.failures,
            message: rest.message.clone(),
        };
        LedgerRecord {
            tokens: ledger.tokens.iter().map(|(hash, known)| (hash.0.clone(), known.into())).collect(),
            rests: ledger.rests.iter().map(|(id, held)| (id.to_string(), rest(held))).collect(),
            invalidations: ledger.invalidations.iter().map(|at| at.millis()).collect(),
            paused_until: ledger.paused_until.map(At::millis),
            last_ended_at: ledger.last_ended_at.map(At::millis),
            lost_at: ledger.lost_at.map(At::millis),
        }
    }
}

impl From<LedgerRecord> for RefreshLedger {
    fn from(record: LedgerRecord) -> Self {
        let rest =
            |rest: RestRecord| Rest { until: At(rest.until), failures: rest.failures, message: rest.message };
        RefreshLedger {
            tokens: record.tokens.into_iter().map(|(hash, known)| (TokenHash(hash), known.into())).collect(),
            rests: record.rests.into_iter().map(|(id, held)| (AccountId::new(id), rest(held))).collect(),
            invalidations: record.invalidations.into_iter().map(At).collect(),
            paused_until: record.paused_until.map(At),
            last_ended_at: record.last_ended_at.map(At),
            lost_at: record.lost_at.map(At),
        }
    }
}

impl From<&Known> for TokenRecord {
    fn from(known: &Known) -> Self {
        let (fate, refusal) = match &known.fate {
            RefreshTokenStatus::Sent { again: false } => ("sent", None),
            RefreshTokenStatus::Sent { again: true } => ("sent_again", None),
            RefreshTokenStatus::Consumed => ("consumed", None),
            RefreshTokenStatus::Refused(refusal) => ("refused", Some(refusal)),
        };
        TokenRecord {
            account: known.account.to_string(),
            at: known.at.millis(),
            fate: fate.to_owned(),
            kind: refusal.map(|refusal| refusal.kind.name().to_owned()),
            status: refusal.and_then(|refusal| refusal.status),
            code: refusal.and_then(|refusal| refusal.code.clone()),
        }
    }
}

impl From<TokenRecord> for Known {
    fn from(record: TokenRecord) -> Self {
        let fate = match record.fate.as_str() {
            "sent" => RefreshTokenStatus::Sent { again: false },
            "sent_again" => RefreshTokenStatus::Sent { again: true },
            "refused" => RefreshTokenStatus::Refused(Refusal {
                kind: record
                    .kind
                    .as_deref()
                    .and_then(FailureKind::from_name)
                    .unwrap_or(FailureKind::LoginRequired),
                status: record.status,
                code: record.code,
            }),
            _ => RefreshTokenStatus::Consumed,
        };
        Known { account: AccountId::new(record.account), at: At(record.at), fate }
    }
}
