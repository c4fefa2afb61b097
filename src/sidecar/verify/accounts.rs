//! The accounts as they are known here: logins, tokens, usage, and other owners of their refresh tokens.

use std::collections::HashMap;
use std::time::Duration;

use crate::auth;
use crate::pool::EXPIRING;
use crate::pool::{Account, At, HealthStatus, RefreshLedger, State, TokenHash};
use crate::protocol::{Check, CheckId};
use crate::sidecar::Sidecar;
use crate::sidecar::words::quoted;
use crate::store::read_foreign_login;

/// An answer that takes longer will not come.
const UNDER_WAY: Duration = Duration::from_secs(60);

impl Sidecar {
    /// Blocks.
    pub(crate) fn check_accounts(&self) -> Vec<Check> {
        let (accounts, names, now) = self.registry.decide(|pool, now| {
            let accounts: Vec<Account> = pool.accounts().to_vec();
            let name = |account: &Account| pool.unambiguous_selector(account).to_owned();
            let names: Vec<String> = accounts.iter().map(name).collect();
            (accounts, names, now)
        });
        // The checks of the files report a journal that cannot be read.
        let ledger = self.refresher.journal().look().unwrap_or_default();
        let mut checks = Vec::new();
        match accounts.len() {
            // Unknown for a file that cannot be read.
            0 if self.registry.accounts_file().load().is_err() => {}
            0 => {
                checks.push(Check::warn(CheckId::Accounts, "there are no accounts yet", "multicodex login"));
            }
            count => {
                let ready = accounts.iter().filter(|account| account.state(now) == State::Ready).count();
                checks.push(if ready > 0 {
                    Check::pass(CheckId::Accounts, format!("{ready} of {count} ready"))
                } else {
                    let reason = self.reason();
                    Check::warn(CheckId::Accounts, reason.message(), reason.hint())
                });
            }
        }
        checks.extend(self.check_sharing(&accounts));
        checks.push(match ledger.paused_until.filter(|until| *until > now) {
            None => Check::pass(CheckId::Redeeming, "tokens can be refreshed"),
            Some(until) => Check::warn(
                CheckId::Redeeming,
                format!("upstream revoked several logins, so none is refreshed until {until}"),
                "look for another program that renews the same logins, and end it",
            ),
        });
        for (account, name) in accounts.iter().zip(&names) {
            checks.push(login(account, name));
            checks.push(token(account, name, &ledger, now));
            checks.push(usage(account, now));
        }
        checks
    }

    fn check_sharing(&self, accounts: &[Account]) -> Vec<Check> {
        let mut owners: HashMap<TokenHash, &Account> = HashMap::new();
        let mut checks = Vec::new();
        let mut shared = |account: &Account, with: &str| {
            checks.push(
                Check::warn(
                    CheckId::SharedCredentials,
                    format!("{with} holds the refresh token of {}, too", account.label),
                    format!(
                        "the first to renew signs the other out: {}",
                        log_in_again(
                            &self.registry.decide(|pool, _| pool.unambiguous_selector(account).to_owned())
                        )
                    ),
                )
                .of(&account.id),
            );
        };
        for account in accounts {
            let hash = auth::token_hash(&account.credential.refresh);
            match owners.get(&hash) {
                Some(other) => shared(account, &other.label),
                None => {
                    owners.insert(hash, account);
                }
            }
        }
        if let Ok(Ok(login)) = read_foreign_login(&self.options.paths.codex_auth_file)
            && let Some(account) = owners.get(&auth::token_hash(&login.refresh))
        {
            shared(account, "the Codex CLI");
        }
        if let Ok(Some(login)) = self.check_pi_login()
            && let Some(account) = owners.get(&auth::token_hash(&login.refresh))
            && !account.linked
        {
            shared(account, "pi");
        }
        if checks.is_empty() {
            checks.push(Check::pass(
                CheckId::SharedCredentials,
                "no other program holds the same refresh tokens",
            ));
        }
        checks
    }
}

/// `name` selects the account.
pub(crate) fn log_in_again(name: &str) -> String {
    format!("/multicodex reauth {}, or multicodex login", quoted(name))
}

fn login(account: &Account, name: &str) -> Check {
    let check = match &account.health.standing {
        HealthStatus::NeedsLogin(why) => Check::fail(
            CheckId::AccountLogin,
            format!("{} needs login: {}", account.label, why.message),
            log_in_again(name),
        ),
        HealthStatus::Deactivated(why) => Check::fail(
            CheckId::AccountLogin,
            format!("{} is deactivated: {}", account.label, why.message),
            "see what happened to it at chatgpt.com; then log it in again, or remove it",
        ),
        HealthStatus::Good if account.disabled => {
            Check::pass(CheckId::AccountLogin, format!("{} was disabled by you", account.label))
        }
        HealthStatus::Good => Check::pass(CheckId::AccountLogin, format!("{} is logged in", account.label)),
    };
    check.of(&account.id)
}

fn token(account: &Account, name: &str, ledger: &RefreshLedger, now: At) -> Check {
    let label = &account.label;
    let expires_at = account.credential.expires_at;
    let sent = ledger.unknown_since(&auth::token_hash(&account.credential.refresh));
    let check = if let Some(since) = sent.filter(|since| now.since(*since) > UNDER_WAY) {
        Check::warn(
            CheckId::AccountToken,
            format!("the refresh token of {label} was sent at {since} and no answer arrived"),
            format!("multicodex refresh {} --force tries it once more", quoted(name)),
        )
    } else if !matches!(account.health.standing, HealthStatus::Good) {
        Check::pass(CheckId::AccountToken, format!("the token of {label} cannot be used before that"))
    } else if expires_at <= now {
        Check::warn(
            CheckId::AccountToken,
            format!("the access token of {label} expired at {expires_at}"),
            format!("its next use renews it; to do so now: multicodex refresh {}", quoted(name)),
        )
    } else if expires_at <= now + EXPIRING {
        Check::pass(CheckId::AccountToken, format!("{label} has an access token that is about to be renewed"))
    } else {
        Check::pass(CheckId::AccountToken, format!("{label} has an access token until {expires_at}"))
    };
    check.of(&account.id)
}

fn usage(account: &Account, now: At) -> Check {
    let label = &account.label;
    let message = match (&account.health.usage, account.cooldown_until(now)) {
        (_, Some(until)) => format!("{label} is at its limit until {until}"),
        (Some(usage), None) => format!("the usage of {label} was read at {}", usage.fetched_at),
        (None, None) => format!("the usage of {label} is not known yet"),
    };
    Check::pass(CheckId::AccountUsage, message).of(&account.id)
}
