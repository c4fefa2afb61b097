//! Reads upstream's answers about reset credits: the list, and the outcome of a redemption (schema/upstream.md, usage).
//! The list was never recorded, so every form that public clients read is read.

use jiff::Timestamp;
use serde_json::Value;

use super::lenient::{Lenient, at_from_unix};
use super::usage_reading::Asked;
use crate::pool::{At, RedeemAnswer, ResetCredit, ResetCreditList};

/// Reads the body of `GET /wham/rate-limit-reset-credits`: a list, or an object with a list. An entry without an id
/// cannot be redeemed and is left out. `None` when it is neither.
pub(super) fn from_list_body(body: &[u8], asked: Asked) -> Option<ResetCreditList> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let credits = match &body {
        Value::Array(credits) => credits.as_slice(),
        Value::Object(members) => match members.get("credits") {
            Some(Value::Array(credits)) => credits.as_slice(),
            None | Some(Value::Null) => &[],
            Some(_) => return None,
        },
        _ => return None,
    };
    let credits: Vec<ResetCredit> = credits.iter().filter_map(credit).collect();
    let now = asked.answered_at;
    let free = credits.iter().filter(|credit| credit.is_available(now)).count();
    let counted = body.number("available_count").filter(|count| *count >= 0.0).map(|count| count as u32);
    Some(ResetCreditList {
        available: counted.unwrap_or_else(|| u32::try_from(free).unwrap_or(u32::MAX)),
        credits,
        requested_at: asked.requested_at,
        fetched_at: now,
    })
}

/// Reads the body of `POST /wham/rate-limit-reset-credits/consume`. `None` when it has no known code: the outcome is
/// unknown then.
pub(super) fn from_redeem_body(body: &[u8]) -> Option<RedeemAnswer> {
    let body: Value = serde_json::from_slice(body).ok()?;
    RedeemAnswer::from_name(body.text("code")?)
}

fn credit(entry: &Value) -> Option<ResetCredit> {
    let expires_at = entry.get("expires_at").or_else(|| entry.get("expiresAt"));
    Some(ResetCredit {
        id: entry.text("id")?.to_owned(),
        expires_at: expires_at.and_then(time),
        status: entry.text("status").map(str::to_owned),
    })
}

/// ISO 8601, or seconds since the epoch, as a number or in a string.
fn time(value: &Value) -> Option<At> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.trim().parse::<Timestamp>() {
            Ok(timestamp) => return Some(At(timestamp.as_millisecond())),
            Err(_) => text.trim().parse().ok(),
        },
        _ => None,
    };
    seconds.filter(|seconds: &f64| seconds.is_finite()).and_then(at_from_unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked { requested_at: At(1_799_999_999_000), answered_at: At(1_800_000_000_000) };

    fn credit(id: &str, expires_at: Option<i64>, status: Option<&str>) -> ResetCredit {
        ResetCredit { id: id.into(), expires_at: expires_at.map(At), status: status.map(str::to_owned) }
    }

    #[test]
    fn the_list_is_read_in_every_form() {
        let check = |body: &str, expected: Option<(u32, Vec<ResetCredit>)>| {
            let told = from_list_body(body.as_bytes(), ASKED).map(|list| (list.available, list.credits));
            assert_eq!(told, expected, "{body}");
        };
        let july = Some(1_785_528_223_000);
        check(
            r#"{"available_count":1,"credits":[
                {"id":"c1","status":"available","expires_at":"2026-07-31T20:03:43Z","granted_at":"2026-07-01T20:03:43Z"},
                {"id":"c2","status":"redeemed","expires_at":1785528223},
                {"id":"c3","expires_at":"1785528223"},{"id":"c4","expires_at":"2026-07-31T20:03:43+00:00"},
                {"id":"c5","expires_at":"soon"},{"status":"available"},7]}"#,
            Some((
                1,
                vec![
                    credit("c1", july, Some("available")),
                    credit("c2", july, Some("redeemed")),
                    credit("c3", july, None),
                    credit("c4", july, None),
                    credit("c5", None, None),
                ],
            )),
        );
        check(
            r#"[{"id":"c1"},{"id":"c2","expires_at":1}]"#,
            Some((1, vec![credit("c1", None, None), credit("c2", Some(1000), None)])),
        );
        check(r#"{"available_count":2}"#, Some((2, vec![])));
        check(r#"{"credits":null}"#, Some((0, vec![])));
        check(r#"{"credits":{}}"#, None);
        check("<html>", None);
        check("7", None);
    }

    #[test]
    fn an_answer_without_a_known_code_says_nothing() {
        let check = |body: &str, expected| assert_eq!(from_redeem_body(body.as_bytes()), expected, "{body}");
        check(r#"{"code":"reset","windows_reset":2}"#, Some(RedeemAnswer::Reset));
        check(r#"{"code":"nothing_to_reset","windows_reset":0}"#, Some(RedeemAnswer::NothingToReset));
        check(r#"{"code":"no_credit"}"#, Some(RedeemAnswer::NoCredit));
        check(r#"{"code":"already_redeemed"}"#, Some(RedeemAnswer::AlreadyRedeemed));
        check(r#"{"code":"something_new"}"#, None);
        check("{}", None);
        check("", None);
    }
}
