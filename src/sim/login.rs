//! Logging in: the authorize page, its codes, and the device flow (schema/upstream.md, login). It refuses what upstream
//! refuses: another client, a redirect that is not on loopback, a verifier that does not match.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use super::answer::Answer;
use super::received::Received;
use super::server::Shared;
use super::state::State;
use super::tokens::Owner;

const CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// Logins that were begun and not finished.
#[derive(Debug, Default)]
pub(super) struct Logins {
    codes: HashMap<String, Code>,
    /// By device auth id.
    devices: HashMap<String, Device>,
    issued: u64,
    /// The account that is logged in at the authorize page; with `None` it asks.
    pub(super) visitor: Option<Owner>,
    /// Seconds, sent as a string; 5 when absent.
    pub(super) device_interval: Option<u32>,
}

/// Valid for one exchange.
#[derive(Debug)]
struct Code {
    owner: Owner,
    challenge: String,
    redirect_uri: String,
}

#[derive(Debug)]
struct Device {
    user_code: String,
    granted_by: Option<Owner>,
}

impl Logins {
    /// The account of the code, while it is valid.
    pub(super) fn owner_of_code(&self, code: &str) -> Option<Owner> {
        self.codes.get(code).map(|code| code.owner)
    }

    pub(super) fn owner_of_device(&self, device_auth_id: &str) -> Option<Owner> {
        self.devices.get(device_auth_id)?.granted_by
    }

    /// The account's owner typed the code. Returns false when no login waits for it.
    pub(super) fn grant_device(&mut self, user_code: &str, owner: Owner) -> bool {
        let device = self.devices.values_mut().find(|device| device.user_code == user_code);
        device.map(|device| device.granted_by = Some(owner)).is_some()
    }

    fn code(&mut self, owner: Owner, challenge: String, redirect_uri: String) -> String {
        let code = format!("ac_sim_{}", self.serial());
        self.codes.insert(code.clone(), Code { owner, challenge, redirect_uri });
        code
    }

    fn serial(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }
}

/// Sends the browser back with a code when the account is known (`sim_account` in the query names it, too); otherwise
/// asks, with a link for each account.
pub(super) fn authorize(shared: &Shared, received: &Received) -> Answer {
    let query = |name: &str| received.query(name).unwrap_or_default();
    if query("client_id") != CLIENT_ID || query("response_type") != "code" {
        return refused_page("unknown client or response type");
    }
    let redirect_uri = query("redirect_uri");
    let Some(mut back) = loopback(&redirect_uri) else {
        return refused_page("this redirect_uri is not allowed");
    };
    let (state, challenge) = (query("state"), query("code_challenge"));
    if query("code_challenge_method") != "S256" || challenge.len() != 43 || state.is_empty() {
        return refused_page("a state and an S256 challenge are needed");
    }
    if !query("scope").split(' ').any(|scope| scope == "offline_access") {
        return refused_page("without offline_access there is no refresh token");
    }
    let mut known = shared.state();
    let named = received.query("sim_account").and_then(|name| known.owner_of(&name));
    let Some(owner) = named.or(known.logins.visitor) else {
        return choice(&known, &received.path_and_query, "Log in as");
    };
    let code = known.logins.code(owner, challenge, redirect_uri);
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &state);
    Answer::json(302, json!(null)).header("location", back)
}

/// The account that a code and its verifier belong to.
pub(super) fn redeem_code(state: &mut State, received: &Received) -> Result<Owner, Answer> {
    let member = |name: &str| received.member(name).unwrap_or_default();
    let invalid =
        |why: &str| Answer::json(400, json!({ "error": "invalid_grant", "error_description": why }));
    if member("client_id") != CLIENT_ID {
        return Err(Answer::json(401, json!({ "error": "invalid_client" })));
    }
    // A code is used up even if the rest does not match, as RFC 6749 4.1.2 requires.
    let code = state.logins.codes.remove(&member("code")).ok_or_else(|| invalid("Unknown or used code."))?;
    let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(member("code_verifier")));
    if proof != code.challenge {
        return Err(invalid("The verifier does not fit."));
    }
    if member("redirect_uri") != code.redirect_uri {
        return Err(invalid("The redirect_uri is another."));
    }
    Ok(code.owner)
}

pub(super) fn device_code(shared: &Shared, received: &Received) -> Answer {
    if received.member("client_id").as_deref() != Some(CLIENT_ID) {
        return Answer::json(400, json!({ "error": "invalid_client" }));
    }
    let mut state = shared.state();
    let serial = state.logins.serial();
    let (id, user_code) = (format!("dev_sim_{serial}"), format!("SIMU-{serial:04}"));
    state.logins.devices.insert(id.clone(), Device { user_code: user_code.clone(), granted_by: None });
    let interval = state.logins.device_interval.unwrap_or(5).to_string();
    Answer::json(200, json!({ "device_auth_id": id, "user_code": user_code, "interval": interval }))
}

/// 403 until it is granted.
pub(super) fn device_poll(shared: &Shared, received: &Received) -> Answer {
    let member = |name: &str| received.member(name).unwrap_or_default();
    let mut state = shared.state();
    let id = member("device_auth_id");
    let Some(device) = state.logins.devices.get(&id) else {
        return Answer::json(404, json!({ "detail": "Not Found" }));
    };
    if device.user_code != member("user_code") {
        return Answer::json(404, json!({ "detail": "Not Found" }));
    }
    let Some(owner) = device.granted_by else {
        return Answer::json(
            403,
            json!({ "error": { "code": "deviceauth_authorization_pending", "message": "Pending." } }),
        );
    };
    state.logins.devices.remove(&id);
    let verifier = format!("verifier_sim_{}", state.logins.serial());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let redirect_uri = format!("http://{}/deviceauth/callback", received.header("host").unwrap_or_default());
    let code = state.logins.code(owner, challenge.clone(), redirect_uri);
    Answer::json(
        200,
        json!({ "authorization_code": code, "code_challenge": challenge, "code_verifier": verifier }),
    )
}

/// `?user_code=…&sim_account=…` grants; without an account it asks for one.
pub(super) fn device_page(shared: &Shared, received: &Received) -> Answer {
    let mut state = shared.state();
    let Some(user_code) = received.query("user_code") else {
        return Answer::json(
            200,
            json!("<form><input name=\"user_code\" placeholder=\"SIMU-0001\"><button>Next</button></form>"),
        );
    };
    let named = received.query("sim_account").and_then(|name| state.owner_of(&name));
    let Some(owner) = named.or(state.logins.visitor) else {
        return choice(&state, &received.path_and_query, "Let the device in as");
    };
    match state.logins.grant_device(&user_code, owner) {
        true => Answer::json(200, json!("<p>The device is logged in.</p>")),
        false => refused_page("no login waits for this code"),
    }
}

fn loopback(redirect_uri: &str) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    (url.scheme() == "http" && is_loopback && url.path() == "/auth/callback").then_some(url)
}

fn choice(state: &State, here: &str, question: &str) -> Answer {
    let here = here.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let links: String = state
        .accounts
        .iter()
        .map(|member| {
            let name = &member.account.name;
            format!("<p><a href=\"{here}&amp;sim_account={name}\">{question} {name}</a></p>")
        })
        .collect();
    Answer::json(200, json!(format!("<h1>The simulator</h1>{links}")))
}

fn refused_page(why: &str) -> Answer {
    Answer::json(400, json!(format!("<h1>Refused</h1><p>{why}</p>")))
}
