//! What a failed attempt means, in the words of the protocol (schema/protocol.md, "Kinds"). Produced by `upstream::classify`
//! and by refreshing; consumed by the rotation failover.

use std::time::Duration;

use crate::pool::At;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    UsageLimit,
    RateLimit,
    Credits,
    /// The bearer token was refused (401).
    Unauthorized,
    /// The token endpoint refused the refresh token for good.
    LoginRequired,
    /// There is no valid access token for now.
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
    /// A refresh was sent and its answer never arrived. It stays the last: see [`FailureKind::ALL`].
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

    /// The stable name on the wire, and in the state dir.
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

    /// Whether the same request may do a moment later without anyone doing anything about it.
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

// What is missing there would be forgotten with every restart. New ones go before the last.
const _: () = assert!(FailureKind::ALL.len() == FailureKind::OutcomeUnknown as usize + 1);

/// Where a piece of evidence was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    ResponseBody,
    ResponseHeaders,
    StreamEvent,
    UsageEndpoint,
    TokenEndpoint,
    /// Connection-level: nothing was answered.
    Transport,
    /// Read from `codex-accounts.json`, written by the ancestor: how it was learned is unknown.
    File,
    /// Nothing quoted a time; a default was assumed. It stays the last: see [`Source::ALL`].
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

/// One failed attempt, fully described: everything the pool needs to decide what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub kind: FailureKind,
    pub source: Source,
    pub status: Option<u16>,
    /// Upstream's own code or type, e.g. `usage_limit_reached`.
    pub code: Option<String>,
    /// For people. Never holds a secret.
    pub message: String,
    /// When the limit ends, as the answer quoted it (`resets_at`, or `resets_in_seconds` from now).
    pub resets_at: Option<At>,
    /// The date that the answer quotes has passed while the wait beside it has not: this clock is ahead of upstream's, and
    /// `resets_at` holds by this clock only.
    pub is_by_our_clock: bool,
    /// What `retry-after`, or "try again in 1.5s", said.
    pub retry_after: Option<Duration>,
    /// The limit that was hit when it is not the main one (`codex`), e.g. `codex_bengalfox`.
    pub limit_id: Option<String>,
    /// The limit is one of the organization or project: every account of the workspace meets it.
    pub whole_workspace: bool,
    /// Upstream does not take this member of the request, whatever its value.
    pub refused_parameter: Option<DispensableParameter>,
    pub speaker: Speaker,
}

/// A member of a request that upstream may refuse as such, and without which the answer means the same. Everything else
/// is the client's to mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DispensableParameter {
    /// Bounds an answer. Whether the backend takes it is contested (schema/upstream.md).
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

/// Who gave an answer, as far as it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaker {
    /// JSON with a code of its own: upstream itself.
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

    /// A 401 that upstream did not explain and that a new token did not mend, as what it is: trouble on the way.
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
