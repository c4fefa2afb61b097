//! `/__sim/`: the admin interface over HTTP, for authors of clients.
//!
//! - `GET log`, `GET rows`, `GET accounts`
//! - `POST account` (members of an account; at least `name`) answers its tokens
//! - `POST visitor` (`{account}`, who is signed in at the authorize and device pages)
//! - `POST behaviour` (a rule), `POST usage` (`{account, usage}`), `POST revoke_access` (`{account}`), `POST reset`

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::account::{SimAccount, SimUsage};
use super::answer::Answer;
use super::handle::SimHandle;
use super::received::Received;
use super::rows::ROWS;
use super::rule::Rule;
use super::server::Shared;
use crate::pool::At;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetUsage {
    account: String,
    usage: SimUsage,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    account: String,
}

pub(super) fn answer(shared: &Arc<Shared>, received: &Received, now: At) -> Answer {
    let done = match (received.method.as_str(), received.path.trim_start_matches("/__sim/")) {
        ("GET", "log") => Ok(json!(shared.state().log)),
        ("GET", "rows") => {
            Ok(ROWS.iter().map(|row| json!({ "name": row.name, "about": row.about })).collect())
        }
        ("GET", "accounts") => {
            Ok(shared.state().accounts.iter().map(|member| json!(member.account)).collect())
        }
        ("POST", what) => change(shared, what, received, now),
        _ => return Answer::json(404, json!({ "detail": "Not Found" })),
    };
    match done {
        Ok(body) => Answer::json(200, body),
        Err(detail) => Answer::json(400, json!({ "detail": detail })),
    }
}

fn change(shared: &Arc<Shared>, what: &str, received: &Received, now: At) -> Result<Value, String> {
    let handle = SimHandle::new(shared.clone());
    match what {
        "account" => {
            let account = SimAccount::from_json(&body(received)?)?;
            return Ok(json!(shared.state().add_account(account, now)));
        }
        "behaviour" => {
            let rule: Rule = body(received)?;
            if let Some(account) = &rule.account {
                known(shared, account)?;
            }
            handle.add_rule(rule);
        }
        "usage" => {
            let SetUsage { account, usage } = body(received)?;
            known(shared, &account)?;
            handle.set_usage(&account, usage);
        }
        "revoke_access" => {
            let Named { account } = body(received)?;
            known(shared, &account)?;
            handle.revoke_access(&account);
        }
        "visitor" => {
            let Named { account } = body(received)?;
            known(shared, &account)?;
            handle.set_visitor(Some(&account));
        }
        "reset" => handle.reset(),
        other => return Err(format!("there is no {other}")),
    }
    Ok(json!({}))
}

fn body<T: serde::de::DeserializeOwned>(received: &Received) -> Result<T, String> {
    serde_json::from_str(&received.body).map_err(|error| error.to_string())
}

fn known(shared: &Shared, name: &str) -> Result<(), String> {
    shared.state().owner_of(name).map(|_| ()).ok_or_else(|| format!("there is no account {name}"))
}
