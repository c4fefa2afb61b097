//! What a failed attempt means, in the kinds of the protocol (schema/protocol.md, "Kinds"). `upstream::classify` and
//! refreshing produce it; the failover uses it.

use std::time::Duration;

use crate::pool::At;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    serde::Serialize,
    serde::Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    UsageLimit,
    RateLimit,
    Credits,
    /// Upstream refused the access token (401).
    Unauthorized,
    /// The token endpoint refused the refresh token for good.
    LoginRequired,
    /// There is no valid access token at present.
    TokenUnavailable,
    Deactivated,
    WorkspaceDenied,
    Overloaded,
    ServerError,
    Network,
    Challenge,
    ModelUnsupported,
    RequestRejected,
    ContextLengthExceeded,
    StreamInterrupted,
    IdleTimeout,
    UpstreamProtocol,
    /// The credential cannot be stored, so it is not refreshed.
    Storage,
    /// A refresh was sent and its answer never arrived.
    OutcomeUnknown,
}

impl FailureKind {
    /// Returns the stable name on the wire and in the state directory.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Returns whether the same request may succeed a moment later, although nothing was changed.
    pub fn passes_by_itself(self) -> bool {
        use FailureKind::*;
        match self {
            TokenUnavailable | Overloaded | ServerError | Network | StreamInterrupted | IdleTimeout => true,
            UsageLimit
            | RateLimit
            | Credits
            | Unauthorized
            | LoginRequired
            | Deactivated
            | WorkspaceDenied
            | Challenge
            | ModelUnsupported
            | RequestRejected
            | ContextLengthExceeded
            | UpstreamProtocol
            | Storage
            | OutcomeUnknown => false,
        }
    }
}

/// Where evidence was seen.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, serde::Serialize, serde::Deserialize, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Source {
    ResponseBody,
    ResponseHeaders,
    StreamEvent,
    UsageEndpoint,
    TokenEndpoint,
    /// On the connection: there was no answer.
    Transport,
    /// Read from `codex-accounts.json`, where the pi-multicodex extension wrote it: its origin is unknown.
    File,
    /// Nothing quoted a time; a default was assumed.
    Fallback,
}

impl Source {
    /// The stable name on the wire, and in the state dir.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// One failed attempt with everything that the pool needs to decide what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    pub source: Source,
    pub status: Option<u16>,
    /// Upstream's own code or type, e.g. `usage_limit_reached`.
    pub code: Option<String>,
    /// For people. It never holds a secret.
    pub message: String,
    /// When the limit ends, as the answer quoted it (`resets_at`, or now and `resets_in_seconds`).
    pub resets_at: Option<At>,
    /// The date in the answer has passed, but the wait beside it has not: this clock is ahead of upstream's, and
    /// `resets_at` is a date of this clock only.
    pub is_by_our_clock: bool,
    /// The wait of `retry-after` or of "try again in 1.5s".
    pub retry_after: Option<Duration>,
    /// The limit that was met, when it is not the main one (`codex`), e.g. `codex_bengalfox`.
    pub limit_id: Option<String>,
    /// The limit belongs to the organization or project: every account of the workspace meets it.
    pub whole_workspace: bool,
    /// Upstream refuses this member of the request, whatever its value.
    pub refused_parameter: Option<DispensableParameter>,
    pub speaker: Speaker,
}

/// Whether this code names a limit of the organization or project: the same counter refuses every account of that
/// workspace (schema/upstream.md, error codes).
pub fn is_workspace_limit(code: &str) -> bool {
    matches!(
        code,
        "organization_usage_limit_exceeded"
            | "organization_spend_limit_exceeded"
            | "project_spend_limit_exceeded"
            | "insufficient_quota"
    )
}

/// A member of a request that upstream may refuse, and without which the answer means the same. The client has to
/// correct all others.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumString, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum DispensableParameter {
    /// Limits an answer. Whether the backend accepts it is contested (schema/upstream.md).
    MaxOutputTokens,
}

impl DispensableParameter {
    /// As a request spells it.
    pub fn name(self) -> &'static str {
        self.into()
    }

    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

/// Where an answer came from, as far as it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaker {
    /// JSON with a code: upstream itself.
    Upstream,
    /// A web page: something between this machine and upstream.
    Page,
    #[default]
    Unknown,
}

impl Failure {
    pub fn is_from_upstream(&self) -> bool {
        self.speaker == Speaker::Upstream
    }

    /// A 401 that upstream did not explain and that a new token did not help: a network problem.
    #[must_use]
    pub fn as_trouble_on_the_way(&self) -> Failure {
        let kind = if self.speaker == Speaker::Page { FailureKind::Challenge } else { FailureKind::Network };
        Failure { kind, ..self.clone() }
    }

    pub fn new(kind: FailureKind, source: Source, message: impl Into<String>) -> Self {
        Failure {
            kind,
            source,
            status: None,
            code: None,
            message: message.into(),
            resets_at: None,
            is_by_our_clock: false,
            retry_after: None,
            limit_id: None,
            whole_workspace: false,
            refused_parameter: None,
            speaker: Speaker::Unknown,
        }
    }
}
