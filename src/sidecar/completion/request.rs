//! The checked params of `complete`, and the request that is sent to every account. Everything that can be refused is
//! refused here, before the client gets an id.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::relay::RelayRequest;
use super::run::Completion;
use super::when_dry::DrySteps;
use crate::pool::{AccountId, Demand, Failover, Failure, Transport};
use crate::protocol::{CompleteParams, RpcError};
use crate::sidecar::blocking::on_a_thread;
use crate::sidecar::{Sidecar, view};
use crate::upstream::{
    self, BodyRefusal, HeaderRefusal, Originator, PreparedBody, ResponsesRequest, TurnPlan,
    session_in_headers, session_key,
};

/// After this much silence of upstream the stream counts as dead, as in the official client (schema/upstream.md,
/// streams).
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// Compressing takes some milliseconds per MiB; a larger body would delay all other streams.
const PACK_ASIDE_FROM: usize = 256 << 10;

/// Names the machine on which a turn began; clients send it back within the turn (schema/upstream.md, requests).
const TURN_STATE: &str = "x-codex-turn-state";

/// A completion that can begin.
pub(crate) struct PreparedCompletion {
    sidecar: Arc<Sidecar>,
    demand: Demand,
    body: PreparedBody,
    headers: HeaderMap,
    plan: TurnPlan,
    idle: Duration,
    deadline: Option<Duration>,
    placed: Instant,
    allow_reserve: Option<bool>,
}

/// The params of a completion besides its body.
struct Terms<'h> {
    account: Option<AccountId>,
    session: Option<&'h str>,
    headers: Vec<(&'h str, &'h str)>,
    transport: Option<Transport>,
    idle: Duration,
    deadline: Option<Duration>,
    allow_reserve: Option<bool>,
}

impl PreparedCompletion {
    pub(crate) fn sidecar(&self) -> &Arc<Sidecar> {
        &self.sidecar
    }

    pub(crate) fn new(sidecar: &Arc<Sidecar>, params: CompleteParams) -> Result<Self, RpcError> {
        let session_id = params.session_id.as_deref().filter(|session| !session.is_empty());
        let body = upstream::prepare(&params.request, session_id).map_err(refused_body)?;
        let terms = Terms {
            account: params.account.as_deref().map(|selector| sidecar.find(selector)).transpose()?,
            session: session_id,
            headers: params
                .headers
                .iter()
                .flatten()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            transport: params.transport.map(view::transport_of),
            idle: params.idle_timeout_ms.map_or(IDLE_TIMEOUT, Duration::from_millis),
            deadline: params.deadline_ms.map(Duration::from_millis),
            allow_reserve: params.allow_reserve,
        };
        Self::on_terms(sidecar, body, terms)
    }

    /// For a request of the public API. Only what upstream requires is added to its body.
    pub(crate) fn relayed(sidecar: &Arc<Sidecar>, request: &RelayRequest) -> Result<Self, RpcError> {
        let body = upstream::prepare_any(&request.body).map_err(refused_body)?;
        let terms = Terms {
            account: None,
            session: request.session.as_deref(),
            headers: request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            transport: None,
            idle: IDLE_TIMEOUT,
            deadline: None,
            allow_reserve: None,
        };
        Self::on_terms(sidecar, body, terms)
    }

    fn on_terms(sidecar: &Arc<Sidecar>, body: PreparedBody, terms: Terms<'_>) -> Result<Self, RpcError> {
        let client = sidecar.session.client();
        let default = Originator::default();
        let originator = Originator {
            name: client.and_then(|client| client.name.as_deref()).unwrap_or(default.name),
            version: client.and_then(|client| client.version.as_deref()).unwrap_or(default.version),
        };
        let own = terms.headers.iter().copied();
        // The client's own prompt cache key, or its thread, also names the session.
        let session = terms.session.or(body.cache_key.as_deref()).or_else(|| session_in_headers(own.clone()));
        let headers = upstream::request_headers(originator, session, own).map_err(|refusal| {
            let (HeaderRefusal::NotAllowed(name) | HeaderRefusal::BadValue(name)) = &refusal;
            RpcError::invalid_params(format!("headers.{name}"), refusal.to_string())
        })?;
        let wanted =
            terms.transport.unwrap_or_else(|| sidecar.registry.decide(|pool, _| pool.settings().transport));
        let session = session.map(session_key);
        Ok(PreparedCompletion {
            sidecar: sidecar.clone(),
            plan: TurnPlan::new(wanted, session.as_deref()),
            demand: Demand { account: terms.account, session, model: Some(body.model.clone()) },
            body,
            headers,
            idle: terms.idle,
            deadline: terms.deadline,
            placed: Instant::now(),
            allow_reserve: terms.allow_reserve,
        })
    }

    /// Makes the request ready, the same for every account.
    pub(crate) async fn begin(self) -> Completion {
        let body_len = self.body.json.len();
        let turn_state_of = self.turn_state_of();
        let (mut body, headers) = (self.body, self.headers);
        let refused =
            self.sidecar.completions.refused_parameters.of_model(&body.model, self.sidecar.registry.now());
        let for_socket = self.plan.may_use_socket();
        let packed = move || {
            let dropped: Vec<_> =
                refused.into_iter().filter(|parameter| body.remove(parameter.name())).collect();
            let request = if for_socket {
                ResponsesRequest::for_socket(&body, headers)
            } else {
                ResponsesRequest::new(&body, headers)
            };
            (request, dropped)
        };
        let (request, dropped) = aside_when_large(body_len, packed).await;
        Completion {
            sidecar: self.sidecar,
            failover: Failover::new(self.demand),
            request,
            turn_state_of,
            plan: self.plan,
            loss: None,
            dropped,
            encrypted_dropped: 0,
            idle: self.idle,
            started: self.placed,
            first_event: None,
            deadline: self.deadline.and_then(|after| self.placed.checked_add(after)),
            recorder: None,
            dry: DrySteps::new(self.allow_reserve),
        }
    }

    /// Returns the account that issued the turn state that the client sends back.
    fn turn_state_of(&self) -> Option<AccountId> {
        let session = self.demand.session.as_deref().filter(|_| self.headers.contains_key(TURN_STATE))?;
        self.sidecar.registry.decide(|pool, now| pool.session_account(session, now))
    }
}

fn refused_body(refusal: BodyRefusal) -> RpcError {
    RpcError::invalid_params(refusal.path, refusal.to_string())
}

/// Compresses a body of `bytes` bytes, on another thread when that takes long.
pub(super) async fn aside_when_large<T: Send + 'static>(
    bytes: usize,
    pack: impl FnOnce() -> T + Send + 'static,
) -> T {
    if bytes < PACK_ASIDE_FROM { pack() } else { on_a_thread(pack).await }
}

impl Completion {
    /// Returns the request for `account`: the state of a turn that another account began means nothing to it.
    pub(super) fn request_for(&mut self, account: &AccountId) -> ResponsesRequest {
        let issuer = self.turn_state_of.get_or_insert_with(|| account.clone());
        let foreign = issuer != account;
        let stripped = foreign.then(|| self.request.without_header(TURN_STATE)).flatten();
        stripped.unwrap_or_else(|| self.request.clone())
    }

    /// Changes the request as its refusal requires, if that changes little and another request is allowed. Returns
    /// whether to ask `account` again.
    pub(super) async fn mend_request(&mut self, failure: &Failure, account: &AccountId) -> bool {
        self.drop_refused_parameter(failure).await || self.drop_foreign_reasoning(failure, account).await
    }

    /// Leaves out reasoning that is known to come from another account, if upstream cannot decrypt it.
    async fn drop_foreign_reasoning(&mut self, failure: &Failure, account: &AccountId) -> bool {
        if failure.code.as_deref() != Some("invalid_encrypted_content") {
            return false;
        }
        let foreign =
            self.sidecar.completions.reasoning_origins.foreign_to(account, self.sidecar.registry.now());
        let request = self.request.clone();
        let rest = aside_when_large(request.json_len(), move || request.without_reasoning(&foreign)).await;
        let Some((rest, removed)) = rest.filter(|_| self.failover.may_resend()) else { return false };
        tracing::info!(removed, account = %account, "the request goes without another account's reasoning");
        self.request = rest;
        self.encrypted_dropped += removed;
        true
    }

    /// Leaves out a parameter that upstream refused, if the request has it, its meaning stays the same, and another
    /// request is allowed. Returns whether to ask the same account again.
    async fn drop_refused_parameter(&mut self, failure: &Failure) -> bool {
        let Some(parameter) = failure.refused_parameter else { return false };
        let request = self.request.clone();
        let rest = aside_when_large(request.json_len(), move || request.without(parameter.name())).await;
        let Some(rest) = rest.filter(|_| self.failover.may_resend()) else { return false };
        let model = self.failover.model().unwrap_or_default();
        self.sidecar.completions.refused_parameters.remember(model, parameter, self.sidecar.registry.now());
        tracing::info!(
            parameter = parameter.name(),
            model,
            "upstream refuses a parameter; the request goes without it for a day"
        );
        self.request = rest;
        self.dropped.push(parameter);
        true
    }
}
