//! The device flow (schema/upstream.md, device login). Its names and statuses differ from RFC 8628: the code is granted
//! on another device, and this module polls until then. The server makes the PKCE pair.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{Grant, LoginError};
use crate::auth::token_endpoint::{CLIENT_ID, error_code};
use crate::http::{BaseUrl, HttpClient, explain};
use crate::secret::Secret;

const USERCODE_PATH: &str = "api/accounts/deviceauth/usercode";
const POLL_PATH: &str = "api/accounts/deviceauth/token";
const PAGE_PATH: &str = "codex/device";
const REDIRECT_PATH: &str = "deviceauth/callback";

const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// Added when the server asks for it (RFC 8628 section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);

/// A login that waits until its code is typed on another device.
#[derive(Debug)]
pub struct DeviceLogin {
    http: HttpClient,
    auth_base: BaseUrl,
    device_auth_id: Secret,
    user_code: String,
    interval: Duration,
    expires_in: Option<Duration>,
}

#[derive(Deserialize)]
struct UserCode {
    device_auth_id: SecretText,
    #[serde(alias = "usercode")]
    user_code: String,
    #[serde(default)]
    interval: Value,
    #[serde(default)]
    expires_in: Value,
}

/// A string of an answer that is a secret as soon as it is parsed.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(Secret);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        SecretText(Secret::new(text))
    }
}

#[derive(Deserialize)]
struct Granted {
    authorization_code: SecretText,
    code_verifier: SecretText,
}

/// The answer to one poll.
enum Polled {
    Granted(Granted),
    Pending,
    SlowDown,
}

impl DeviceLogin {
    /// Requests a code.
    pub async fn begin(http: &HttpClient, auth_base: &BaseUrl) -> Result<Self, LoginError> {
        let (status, body) = post(http, auth_base, USERCODE_PATH, &json!({ "client_id": CLIENT_ID })).await?;
        match status {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND => return Err(LoginError::NoDeviceLogins),
            status => return Err(refused(status, &body, None)),
        }
        let answer: UserCode = serde_json::from_slice(&body)
            .map_err(|_| LoginError::server("the answer holds no device code"))?;
        Ok(DeviceLogin {
            http: http.clone(),
            auth_base: auth_base.clone(),
            device_auth_id: answer.device_auth_id.0,
            user_code: answer.user_code,
            interval: seconds(&answer.interval)
                .unwrap_or(DEFAULT_INTERVAL)
                .clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            expires_in: seconds(&answer.expires_in),
        })
    }

    /// Returns the address at which the code is typed.
    pub fn url(&self) -> String {
        self.auth_base.join(PAGE_PATH).into()
    }

    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// How long the server keeps the code, if it says so.
    pub fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// Polls at once and then at every interval, until the code is granted or refused. The caller limits the time.
    pub async fn grant(mut self) -> Result<Grant, LoginError> {
        loop {
            match self.poll().await? {
                Polled::Granted(granted) => {
                    return Ok(Grant {
                        code: granted.authorization_code.0,
                        verifier: granted.code_verifier.0,
                        redirect_uri: self.redirect_uri(),
                    });
                }
                Polled::Pending => {}
                Polled::SlowDown => self.interval = (self.interval + SLOWER_BY).min(LONGEST_INTERVAL),
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    async fn poll(&self) -> Result<Polled, LoginError> {
        let question = json!({ "device_auth_id": self.device_auth_id.expose(), "user_code": self.user_code });
        match post(&self.http, &self.auth_base, POLL_PATH, &question).await {
            Ok((status, body)) => polled(status, &body, &self.device_auth_id),
            // Polling again loses nothing, so a lost network does not end the login.
            Err(error) => {
                tracing::info!(%error, "a device login could not be polled; it will be polled again");
                Ok(Polled::Pending)
            }
        }
    }

    fn redirect_uri(&self) -> Url {
        self.auth_base.join(REDIRECT_PATH)
    }
}

/// 403 and 404 mean "not yet" unless the body is clear. After other errors of the server it polls again.
fn polled(status: StatusCode, body: &[u8], sent: &Secret) -> Result<Polled, LoginError> {
    if status.is_success() {
        return serde_json::from_slice(body)
            .map(Polled::Granted)
            .map_err(|_| LoginError::server("the answer holds no code to exchange"));
    }
    match error_code(body).as_deref() {
        Some("slow_down") => return Ok(Polled::SlowDown),
        Some("deviceauth_authorization_pending" | "authorization_pending") => return Ok(Polled::Pending),
        Some("expired_token") => return Err(LoginError::Expired),
        Some(code @ "access_denied") => return Err(LoginError::Denied(code.to_owned())),
        _ => {}
    }
    match status {
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(Polled::Pending),
        StatusCode::TOO_MANY_REQUESTS => Ok(Polled::SlowDown),
        status if status.is_server_error() => Ok(Polled::Pending),
        status => Err(refused(status, body, Some(sent))),
    }
}

/// A server that repeats what it received must not get it into messages as a code.
fn refused(status: StatusCode, body: &[u8], sent: Option<&Secret>) -> LoginError {
    let repeats = |code: &String| {
        sent.map(|sent| sent.expose().to_ascii_lowercase())
            .is_some_and(|sent| code.contains(&sent) || sent.contains(code.as_str()))
    };
    let message = match error_code(body).filter(|code| !repeats(code)) {
        Some(code) => format!("{code} (HTTP {})", status.as_u16()),
        None => format!("HTTP {}", status.as_u16()),
    };
    LoginError::Server { status: Some(status.as_u16()), message }
}

async fn post(
    http: &HttpClient,
    auth_base: &BaseUrl,
    path: &str,
    body: &Value,
) -> Result<(StatusCode, zeroize::Zeroizing<Vec<u8>>), LoginError> {
    let client = http.get(auth_base).map_err(|error| LoginError::server(error.to_string()))?;
    let request = client
        .post(auth_base.join(path))
        .timeout(TIMEOUT)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string());
    let unreachable = |error| LoginError::server(explain(error));
    let mut response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            return Err(LoginError::server("the answer is too long"));
        }
    }
    Ok((status, bytes))
}

/// A number of seconds, which upstream sends as a string.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    seconds.filter(|seconds: &f64| *seconds > 0.0 && *seconds < 1e6).map(Duration::from_secs_f64)
}

#[cfg(test)]
mod tests;
