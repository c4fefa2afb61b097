//! What only upstream can tell: whether it answers, its time, and whether it accepts each account's token. It sends one
//! request for each, with the present tokens.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::StreamExt;

use super::accounts::log_in_again;
use super::replace;
use crate::http::{BaseUrl, Reached};
use crate::pool::{
    Account, At, ClockSkew, Failure, FailureKind, HealthStatus, UsageMode, UsageReading, Window, window_name,
};
use crate::protocol::{Check, CheckId};
use crate::sidecar::words::quoted;
use crate::sidecar::{Sidecar, redact};
use crate::upstream::Bearer;

/// How many accounts are asked at the same time.
const AT_ONCE: usize = 4;
/// With a larger difference of the clocks, valid tokens count as expired, or the reverse.
const WRONG: Duration = Duration::from_secs(5 * 60);

impl Sidecar {
    pub(crate) async fn check_upstream(self: &Arc<Self>, checks: &mut Vec<Check>) {
        let http = self.session.http();
        let asked_at = self.registry.now();
        let (upstream, auth_server) = tokio::join!(
            http.reach(&self.options.upstream_url, "wham/usage"),
            http.reach(&self.options.auth_url, "")
        );
        let answered_at = self.registry.now();
        checks.push(reachable(CheckId::Upstream, &self.options.upstream_url, &upstream, "--upstream-url"));
        checks.push(reachable(CheckId::AuthServer, &self.options.auth_url, &auth_server, "--auth-url"));
        let date = [&upstream, &auth_server].into_iter().flatten().find_map(|reached| reached.date);
        if let Some(date) = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok()) {
            checks.push(compare_clocks(At(0) + date, asked_at, answered_at));
        }
        if upstream.is_err() {
            // What is known here is all that can be said about the accounts.
            return;
        }
        let accounts: Vec<Account> = self.registry.decide(|pool, now| {
            let can_be_asked = |account: &&Account| {
                matches!(account.health.standing, HealthStatus::Good) && account.credential.expires_at > now
            };
            pool.accounts().iter().filter(can_be_asked).cloned().collect()
        });
        let asked: Vec<Vec<Check>> = futures_util::stream::iter(accounts)
            .map(|account| async move {
                let bearer = Bearer {
                    token: &account.credential.access,
                    workspace_id: account.identity.workspace_id.as_deref(),
                };
                let answer = self.completions.upstream().usage(&bearer, false).await;
                let found = self.judge(&account, answer);
                found.into_iter().map(|check| check.of(&account.id)).collect()
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        for check in asked.into_iter().flatten() {
            replace(checks, check);
        }
    }

    fn judge(&self, account: &Account, answer: Result<UsageReading, Failure>) -> Vec<Check> {
        let mode = self.registry.footer_preferences().usage_mode;
        let label = &account.label;
        let failure = match answer {
            Ok(reading) => {
                return vec![
                    Check::pass(
                        CheckId::AccountToken,
                        format!("upstream accepts the access token of {label}"),
                    ),
                    Check::pass(CheckId::AccountUsage, format!("{label}: {}", in_words(&reading, mode))),
                ];
            }
            Err(failure) => failure,
        };
        let (why, name) = self.registry.decide(|pool, _| {
            let why = redact::redact(pool, &failure.message).into_owned();
            (why, pool.unambiguous_selector(account).to_owned())
        });
        let name = name.as_str();
        vec![match failure.kind {
            FailureKind::Unauthorized => Check::fail(
                CheckId::AccountToken,
                format!("upstream refuses the access token of {label}: {why}"),
                format!(
                    "multicodex refresh {} --force; if that does not help, {}",
                    quoted(name),
                    log_in_again(name)
                ),
            ),
            FailureKind::Deactivated => Check::fail(
                CheckId::AccountLogin,
                format!("upstream says that {label} is deactivated: {why}"),
                "see what happened to it at chatgpt.com; then log it in again, or remove it",
            ),
            _ => Check::warn(
                CheckId::AccountUsage,
                format!("the usage of {label} could not be read: {why}"),
                "completions do not depend on it; run verify --online again later",
            ),
        }]
    }
}

fn reachable(id: CheckId, base: &BaseUrl, reached: &Result<Reached, String>, flag: &str) -> Check {
    let url = base.as_str();
    match reached {
        Err(why) => Check::fail(
            id,
            format!("{url} cannot be reached: {why}"),
            format!("look at the network, the proxy variables (HTTPS_PROXY, NO_PROXY) and {flag}"),
        ),
        Ok(Reached { challenged: true, .. }) => Check::warn(
            id,
            format!("{url} answers with a page that asks for a browser"),
            "open chatgpt.com in a browser from this network, or use another network",
        ),
        Ok(Reached { status, .. }) if *status >= 500 => Check::warn(
            id,
            format!("{url} answers with status {status}"),
            "it is a problem of upstream: see status.openai.com, and try again later",
        ),
        Ok(_) => Check::pass(id, format!("{url} answers")),
    }
}

fn compare_clocks(date: At, asked_at: At, answered_at: At) -> Check {
    let skew = ClockSkew::between(date, asked_at, answered_at);
    if !skew.matters() {
        return Check::pass(CheckId::Clock, "this clock agrees with upstream's");
    }
    let message = format!("this clock is {} s {} upstream's", skew.off.as_secs(), skew.direction());
    let hint = "set the clock, e.g. timedatectl set-ntp true";
    if skew.off > WRONG {
        Check::fail(CheckId::Clock, message, hint)
    } else {
        Check::warn(CheckId::Clock, message, hint)
    }
}

fn in_words(reading: &UsageReading, mode: UsageMode) -> String {
    if reading.windows.is_empty() {
        return "upstream reports no usage".to_owned();
    }
    let window = |window: &Window| {
        let name = window_name(window.window_minutes);
        format!("{name}: {:.0}% {}", mode.percent(window.used_percent), mode.name())
    };
    reading.windows.iter().map(window).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::CheckStatus;

    #[test]
    fn a_clock_may_be_off_by_a_minute() {
        const NOON: At = At(1_800_000_000_000);
        fn check(off_s: i64, status: CheckStatus, says: &str) {
            let found = compare_clocks(At(NOON.0 - off_s * 1000), NOON, NOON + Duration::from_secs(2));
            assert_eq!(found.status, status, "{off_s}: {}", found.message);
            assert!(found.message.contains(says), "{off_s}: {}", found.message);
        }
        check(0, CheckStatus::Pass, "agrees");
        check(61, CheckStatus::Pass, "agrees");
        check(-62, CheckStatus::Pass, "agrees");
        check(62, CheckStatus::Warn, "61 s ahead of");
        check(-63, CheckStatus::Warn, "61 s behind");
        check(301, CheckStatus::Warn, "300 s ahead of");
        check(302, CheckStatus::Fail, "301 s ahead of");
        check(-7202, CheckStatus::Fail, "7200 s behind");
    }
}
