//! `complete` and `complete/cancel`: one completion from its params to its terminal notice. The pool's failover decides
//! which account is tried and what a failure means; this file carries it out.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonrpsee::RpcModule;
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::Params;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::attempt::AttemptEnd;
use super::failed_attempt::FailedAttempt;
use super::held_preambles::HeldPreambles;
use super::reasoning_origins::ReasoningOrigins;
use super::recorder::AttemptRecorder;
use super::refused_parameters::RefusedParameters;
use super::request::PreparedCompletion;
use super::sink::{CompletionSink, Disconnected};
use super::when_dry::DrySteps;
use crate::pool::{
    AccountId, At, DispensableParameter, Ending, EndingKind, Failover, Next, ReasoningDropped,
};
use crate::protocol::{
    CancelComplete, Complete, CompleteCancel, CompleteParams, Failed, Method, Notice, Outcome, Phase,
    RotatedReason, RpcError, Timing, TransportUsed, Warning, WarningKind,
};
use crate::rpc::{Subscription, register_subscription};
use crate::sidecar::{Sidecar, error, params, redact, view};
use crate::upstream::{Loss, ResponseReceipt, ResponsesRequest, TurnPlan, Upstream};

/// Timers stop while the machine sleeps, and resets are dates, so the clock is read this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Running subscriptions and how to end them, and what completions learned about requests.
pub(crate) struct Completions {
    upstream: Upstream,
    running: Mutex<HashMap<String, oneshot::Sender<()>>>,
    pub(super) refused_parameters: RefusedParameters,
    pub(super) reasoning_origins: ReasoningOrigins,
    pub(super) preambles: Arc<HeldPreambles>,
    /// Whether sockets of accounts that may not be used are being closed.
    pub(super) watches_sockets: AtomicBool,
}

/// One completion on its way through the accounts.
pub(crate) struct Completion {
    pub(crate) sidecar: Arc<Sidecar>,
    pub(crate) failover: Failover,
    pub(crate) request: ResponsesRequest,
    /// The account that issued the turn state in the request's headers: the one that is tried first, when none is known.
    pub(crate) turn_state_of: Option<AccountId>,
    pub(crate) plan: TurnPlan,
    /// How the request's socket was lost, or what it refused, until that is dealt with.
    pub(crate) loss: Option<Loss>,
    /// Members of the client's body that are left out because upstream refuses them.
    pub(crate) dropped: Vec<DispensableParameter>,
    /// How many reasoning items are left out because they come from another account.
    pub(crate) encrypted_dropped: u32,
    pub(crate) idle: Duration,
    pub(crate) started: Instant,
    /// When the first event was sent to the client. After it nothing is repeated.
    pub(crate) first_event: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) recorder: Option<AttemptRecorder>,
    pub(crate) dry: DrySteps,
}

/// How a completion ended.
pub(crate) enum Terminal {
    Done { outcome: Outcome, account: AccountId, receipt: ResponseReceipt },
    Failed(Failed),
    Cancelled,
}

/// A failed attempt whose notice is not sent yet, because the account that takes over is not known.
struct Rotation {
    attempt: u32,
    failed_attempt: FailedAttempt,
    until: Option<i64>,
}

pub(crate) fn register(module: &mut RpcModule<Sidecar>) -> Result<(), RegisterMethodError> {
    let prepare = |params: &Params<'_>, sidecar: &Arc<Sidecar>| {
        params::parse::<CompleteParams>(params)
            .and_then(|params| PreparedCompletion::new(sidecar, params))
            .map_err(error::answer::<Complete>)
    };
    register_subscription(module, Complete::NAME, CompleteCancel::NAME, prepare, stream)
}

async fn stream(prepared: PreparedCompletion, subscription: Subscription) {
    let sidecar = prepared.sidecar().clone();
    let id = subscription.id().to_owned();
    let cancelled = sidecar.completions.begin(&id);
    prepared.begin().await.run(CompletionSink::Stream(subscription), cancelled).await;
    sidecar.completions.end(&id);
}

pub(crate) fn cancel(sidecar: &Arc<Sidecar>, params: CancelComplete) -> Result<bool, RpcError> {
    Ok(sidecar.completions.end(&params.subscription).is_some_and(|running| running.send(()).is_ok()))
}

impl Completions {
    pub(crate) fn new(upstream: Upstream) -> Self {
        Completions {
            upstream,
            running: Mutex::default(),
            refused_parameters: RefusedParameters::default(),
            reasoning_origins: ReasoningOrigins::default(),
            preambles: Arc::default(),
            watches_sockets: AtomicBool::default(),
        }
    }

    pub(crate) fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// Resolves when the completion is cancelled, never when it just ends.
    fn begin(&self, id: &str) -> impl Future<Output = ()> + use<> {
        let (sender, receiver) = oneshot::channel();
        self.running().insert(id.to_owned(), sender);
        async move {
            if receiver.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    fn end(&self, id: &str) -> Option<oneshot::Sender<()>> {
        self.running().remove(id)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Completion {
    /// Runs to the terminal notice and returns the sink. Dropping the future aborts the upstream request.
    pub(crate) async fn run(
        mut self,
        mut sink: CompletionSink,
        cancelled: impl Future<Output = ()>,
    ) -> CompletionSink {
        let deadline = self.deadline;
        let ended = tokio::select! {
            biased;
            () = cancelled => Ok(Terminal::Cancelled),
            () = at(deadline) => Err(()),
            ended = self.accounts_in_turn(&mut sink) => match ended {
                Ok(terminal) => Ok(terminal),
                Err(Disconnected) => return sink,
            },
        };
        let terminal = ended
            .unwrap_or_else(|()| Terminal::Failed(self.bare_failure("deadline", "the deadline has passed")));
        let sent = match &terminal {
            Terminal::Done { outcome, account, receipt } => {
                let dropped: Vec<_> = self.dropped.iter().map(|parameter| parameter.name()).collect();
                let sent = self.plan.report();
                sink.send_notice(Notice::Done {
                    outcome: *outcome,
                    account: account.as_str(),
                    attempts: self.failover.attempts(),
                    usage: receipt.usage.as_deref(),
                    reasoning_dropped: view::reasoning_dropped(self.reasoning_dropped(receipt)),
                    dropped: &dropped,
                    transport: sent.map_or(TransportUsed::Sse, |sent| view::transport_used(sent.used)),
                    continued: sent.is_some_and(|sent| sent.continued),
                    sent_bytes: sent.map_or(0, |sent| sent.sent_bytes as u64),
                    not_continued: sent.and_then(|sent| sent.not_continued).map(view::not_continued),
                    timing: self.timing(),
                })
                .await
            }
            Terminal::Failed(failed) => sink.send_notice(Notice::Error { error: failed.clone() }).await,
            Terminal::Cancelled => sink.send_notice(Notice::Cancelled).await,
        };
        if sent.is_err() {
            tracing::debug!("the client was gone before the end of a completion");
        }
        sink
    }

    /// What upstream and the sidecar left out of the input.
    pub(crate) fn reasoning_dropped(&self, receipt: &ResponseReceipt) -> ReasoningDropped {
        ReasoningDropped { encrypted: self.encrypted_dropped, ..receipt.reasoning_dropped }
    }

    async fn accounts_in_turn(&mut self, sink: &mut CompletionSink) -> Result<Terminal, Disconnected> {
        let mut unannounced: Option<Rotation> = None;
        let mut waits_until = None;
        let mut last: Option<FailedAttempt> = None;
        loop {
            let sidecar = self.sidecar.clone();
            let changed = sidecar.notifier.next_change();
            let next = sidecar.registry.decide(|pool, now| self.failover.next(pool, now));
            self.report_drained_pin();
            if let Some(rotation) = unannounced.take() {
                let to = match &next {
                    Next::Attempt { account, .. } => Some(account),
                    Next::Wait { .. } | Next::Stop(_) => None,
                };
                last = Some(rotation.announce(sink, to).await?);
            }
            match next {
                Next::Attempt { account, attempt } => match self.attempt(sink, &account, attempt).await? {
                    AttemptEnd::Ended(terminal) => return Ok(terminal),
                    AttemptEnd::Surfaced(failed_attempt) => {
                        return Ok(Terminal::Failed(self.surfaced(&failed_attempt, Phase::BeforeOutput)));
                    }
                    AttemptEnd::Moved { failed_attempt, until } => {
                        unannounced =
                            Some(Rotation { attempt, failed_attempt, until: until.map(|at| at.millis()) });
                    }
                },
                // A login or a reset may end the wait early; either way the failover is asked again.
                Next::Wait { account, until } => {
                    if self.use_what_is_left().await {
                        continue;
                    }
                    if waits_until.replace(until) != Some(until) {
                        self.announce_wait(sink, &account, until).await?;
                    }
                    let rest = until.since(sidecar.registry.now()).min(LONGEST_SLEEP);
                    let _ = tokio::time::timeout(rest, changed).await;
                }
                Next::Stop(ending) if self.is_dry(&ending) && self.use_what_is_left().await => {}
                Next::Stop(ending) => return Ok(Terminal::Failed(self.stopped(&ending, last.as_ref()))),
            }
        }
    }

    /// Every account is out, and the completion waits. Sent once for each time to wait for.
    async fn announce_wait(
        &self,
        sink: &mut CompletionSink,
        account: &AccountId,
        until: At,
    ) -> Result<(), Disconnected> {
        tracing::info!(account = %account, until = %until, "waiting for a reset");
        sink.send_notice(Notice::Rotated {
            attempt: self.failover.attempts(),
            from: account.as_str(),
            reason: RotatedReason {
                kind: "no_available_account",
                status: None,
                code: None,
                message: "every account is out; waiting for this one, which is back first",
            },
            until: Some(until.millis()),
            to: None,
        })
        .await
    }

    /// Returns the failure of one attempt in upstream's words.
    pub(crate) fn surfaced(&self, failed_attempt: &FailedAttempt, phase: Phase) -> Failed {
        let failure = &failed_attempt.failure;
        let (message, body) = self.sidecar.registry.decide(|pool, _| {
            let message = redact::redact(pool, &failure.message).into_owned();
            let body = failed_attempt.body.as_ref().map(|body| {
                let redact = if body.truncated { redact::redact_cut } else { redact::redact };
                redact(pool, &body.text).into_owned()
            });
            (message, body)
        });
        let mut failed = self.bare_failure(failure.kind.name(), &message);
        failed.phase = phase;
        failed.account = Some(failed_attempt.account.to_string());
        failed.status = failure.status;
        failed.code = failure.code.clone();
        failed.hint = failed_attempt.hint().map(str::to_owned);
        failed.body = body;
        failed.body_truncated = failed_attempt.body.as_ref().is_some_and(|body| body.truncated);
        failed
    }

    /// No account is left to try.
    fn stopped(&self, ending: &Ending, last: Option<&FailedAttempt>) -> Failed {
        let mut failed = match last {
            Some(failed_attempt) => self.surfaced(failed_attempt, Phase::BeforeOutput),
            None => self.bare_failure("no_available_account", ""),
        };
        failed.retry_at = ending.retry_at.map(|at| at.millis());
        if ending.kind == EndingKind::LastFailure {
            return failed;
        }
        failed.plan = view::plan(&self.plan());
        failed.accounts = Some(self.sidecar.registry.decide(|pool, now| view::standings(pool, now)));
        match self.sidecar.stopped(ending) {
            Some(reason) => {
                reason.kind().clone_into(&mut failed.kind);
                failed.message = reason.message();
                failed.hint = Some(with_plan(reason.hint(), &self.plan_in_words()));
                self.sidecar.notifier.warn(Warning {
                    kind: WarningKind::NoAvailableAccount,
                    message: failed.message.clone(),
                    account: None,
                    hint: failed.hint.clone(),
                });
            }
            None => {
                "account_unavailable".clone_into(&mut failed.kind);
                let named = self.failover.named();
                failed.message = self.sidecar.why_unavailable(named, ending.retry_at);
                failed.account = named.map(ToString::to_string);
            }
        }
        failed
    }

    fn bare_failure(&self, kind: &str, message: &str) -> Failed {
        Failed {
            kind: kind.to_owned(),
            message: message.to_owned(),
            phase: if self.first_event.is_some() { Phase::AfterOutput } else { Phase::BeforeOutput },
            attempts: self.failover.attempts(),
            account: None,
            status: None,
            code: None,
            body: None,
            body_truncated: false,
            retry_at: None,
            hint: None,
            accounts: None,
            plan: Vec::new(),
        }
    }

    fn timing(&self) -> Timing {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let total = self.started.elapsed();
        Timing { first_event_ms: ms(self.first_event.unwrap_or(total)), total_ms: ms(total) }
    }
}

impl Rotation {
    /// Sends the notice, and returns the attempt in case it was the last one.
    async fn announce(
        self,
        sink: &mut CompletionSink,
        to: Option<&AccountId>,
    ) -> Result<FailedAttempt, Disconnected> {
        let failure = &self.failed_attempt.failure;
        sink.send_notice(Notice::Rotated {
            attempt: self.attempt,
            from: self.failed_attempt.account.as_str(),
            reason: RotatedReason {
                kind: failure.kind.name(),
                status: failure.status,
                code: failure.code.as_deref(),
                message: &failure.message,
            },
            until: self.until,
            to: to.map(AccountId::as_str),
        })
        .await?;
        Ok(self.failed_attempt)
    }
}

/// The hint, and what else is left to do.
fn with_plan(hint: &str, plan: &[String]) -> String {
    std::iter::once(hint).chain(plan.iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
