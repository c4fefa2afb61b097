//! The texts for a person before and after a credit is redeemed.

use crate::pool::{At, RedeemAnswer, RedeemOutcome, ResetCredit, UsageMode, Window, window_name};
use crate::render::duration;
use crate::sidecar::reset_credits::Redeemed;

/// What users of the backend have reported (schema/upstream.md, usage).
const KNOWN: &str =
    "known from other users: the weekly reset date may move later, and limits may go on for a while";

/// `is_open`: an earlier decision has no outcome yet.
pub(super) fn before(
    available: usize,
    credit: Option<&ResetCredit>,
    windows: &[Window],
    is_open: bool,
    now: At,
) -> Vec<String> {
    let mut lines = Vec::new();
    match credit {
        None => lines.push("no reset credit can be redeemed".to_owned()),
        Some(credit) => {
            let one_of = match available {
                1 => "the only reset credit".to_owned(),
                many => format!("1 of {many} reset credits"),
            };
            lines.push(match credit.expires_at {
                Some(at) => format!("{one_of} would be spent; it expires in {}", left(at, now)),
                None => format!("{one_of} would be spent; it does not expire"),
            });
        }
    }
    lines.extend(windows.iter().map(|window| in_words(window, now)));
    if credit.is_some() {
        if !windows.iter().any(|window| window.is_exhausted(now)) {
            lines.push("no window is used up, so a reset gains less than it could".to_owned());
        }
        lines.push(KNOWN.to_owned());
    }
    if is_open {
        lines.push("the outcome of an earlier request is unknown; that one is repeated first".to_owned());
    }
    lines
}

pub(super) fn after(done: &Redeemed, resumed: bool, windows: &[Window], now: At) -> Vec<String> {
    let told = match (done.outcome, done.helped) {
        (RedeemOutcome::Answered(RedeemAnswer::NothingToReset), _) => "nothing to reset: no credit was spent",
        (RedeemOutcome::Answered(RedeemAnswer::NoCredit), _) => "the credit is gone: nothing was reset",
        (RedeemOutcome::Refused, _) => "upstream refused: no credit was spent",
        (RedeemOutcome::Abandoned, _) => {
            "the earlier request did nothing and is too old to repeat: no credit was spent"
        }
        (RedeemOutcome::Answered(_), Some(true)) => "a credit was spent, and usage shows the reset",
        (RedeemOutcome::Answered(_), Some(false)) => "a credit was spent, but usage does not show a reset",
        (RedeemOutcome::Answered(_), None) => "a credit was spent; usage could not be read since",
    };
    let mut lines = vec![told.to_owned()];
    if resumed {
        lines.push("this was an earlier request, finished now; no second credit was spent".to_owned());
    }
    lines.extend(windows.iter().map(|window| in_words(window, now)));
    lines
}

fn in_words(window: &Window, now: At) -> String {
    let used = UsageMode::Used.percent(window.used_at(now));
    let name = window_name(window.window_minutes);
    match window.next_reset(now) {
        Some(at) => format!("{name}: {used:.0} % used, resets in {}", left(at, now)),
        None => format!("{name}: {used:.0} % used"),
    }
}

fn left(at: At, now: At) -> String {
    duration(at.millis().saturating_sub(now.millis()).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::WEEK;

    const NOW: At = At(1_800_000_000_000);
    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_is_known_is_told_before_a_credit_is_spent() {
        let credit = ResetCredit { id: "c".into(), expires_at: Some(At(NOW.0 + 50 * HOUR)), status: None };
        let week = |used| Window {
            window_minutes: WEEK,
            used_percent: used,
            resets_at: Some(At(NOW.0 + 30 * HOUR)),
        };
        assert_eq!(
            before(2, Some(&credit), &[week(100.0)], false, NOW),
            [
                "1 of 2 reset credits would be spent; it expires in 2d2h",
                "7d: 100 % used, resets in 1d6h",
                KNOWN
            ]
        );
        assert_eq!(
            before(1, Some(&ResetCredit { expires_at: None, ..credit }), &[week(40.2)], true, NOW),
            [
                "the only reset credit would be spent; it does not expire",
                "7d: 40 % used, resets in 1d6h",
                "no window is used up, so a reset gains less than it could",
                KNOWN,
                "the outcome of an earlier request is unknown; that one is repeated first",
            ]
        );
        assert_eq!(before(0, None, &[], false, NOW), ["no reset credit can be redeemed"]);
    }
}
