//! What a failed attempt means, in the kinds of the protocol (schema/protocol.md, "Kinds"). `upstream::classify` and
//! refreshing produce it; the failover uses it.

use std::time::Duration;

use crate::pool::At;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// A refresh token was sent and its answer never arrived. It must stay the last variant: see [`FailureKind::ALL`].
    OutcomeUnknown,
}

impl FailureKind {
    pub const ALL: [FailureKind; 20] = {
        use FailureKind::*;
        [
            UsageLimit,
            RateLimit,
            Credits,
            Unauthorized,
            LoginRequired,
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
            Storage,
            OutcomeUnknown,
        ]
    };

    /// Returns the stable name on the wire and in the state directory.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::UsageLimit => "usage_limit",
            FailureKind::RateLimit => "rate_limit",
            FailureKind::Credits => "credits",
            FailureKind::Unauthorized => "unauthorized",
            FailureKind::LoginRequired => "login_required",
            FailureKind::TokenUnavailable => "token_unavailable",
            FailureKind::Deactivated => "deactivated",
            FailureKind::WorkspaceDenied => "workspace_denied",
            FailureKind::Overloaded => "overloaded",
            FailureKind::ServerError => "server_error",
            FailureKind::Network => "network",
            FailureKind::Challenge => "challenge",
            FailureKind::ModelUnsupported => "model_unsupported",
            FailureKind::RequestRejected => "request_rejected",
            FailureKind::ContextLengthExceeded => "context_length_exceeded",
            FailureKind::StreamInterrupted => "stream_interrupted",
            FailureKind::IdleTimeout => "idle_timeout",
            FailureKind::UpstreamProtocol => "upstream_protocol",
            FailureKind::Storage => "storage",
            FailureKind::OutcomeUnknown => "outcome_unknown",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
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

// A variant that is missing here would be forgotten with every restart. Add new ones before the last.
const _: () = assert!(FailureKind::ALL.len() == FailureKind::OutcomeUnknown as usize + 1);

/// Where evidence was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Assumed, because nothing quoted a time. It must stay the last variant: see [`Source::ALL`].
    Fallback,
}

impl Source {
    pub const ALL: [Source; 8] = {
        use Source::*;
        [ResponseBody, ResponseHeaders, StreamEvent, UsageEndpoint, TokenEndpoint, Transport, File, Fallback]
    };

    pub fn name(self) -> &'static str {
        match self {
            Source::ResponseBody => "response_body",
            Source::ResponseHeaders => "response_headers",
            Source::StreamEvent => "stream_event",
            Source::UsageEndpoint => "usage_endpoint",
            Source::TokenEndpoint => "token_endpoint",
            Source::Transport => "transport",
            Source::File => "file",
            Source::Fallback => "fallback",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

const _: () = assert!(Source::ALL.len() == Source::Fallback as usize + 1);

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

/// A member of a request that upstream may refuse, and without which the answer means the same. The client has to
/// correct all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispensableParameter {
    /// Limits an answer. Whether the backend accepts it is contested (schema/upstream.md).
    MaxOutputTokens,
}

impl DispensableParameter {
    pub const ALL: [DispensableParameter; 1] = [DispensableParameter::MaxOutputTokens];

    pub fn name(self) -> &'static str {
        match self {
            DispensableParameter::MaxOutputTokens => "max_output_tokens",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|parameter| parameter.name() == name)
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
