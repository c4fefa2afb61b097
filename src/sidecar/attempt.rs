//! One attempt at one account: token, request, stream. The preamble is held back, so that a failure before any output
//! leaves no trace at the client.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::audience::{Audience, Gone};
use super::complete::{Completion, Terminal};
use super::token::{Need, Token};
use crate::clock;
use crate::pool::{AccountId, AfterFailure, At, Certainty, Failure, FailureKind, Held, HoldBack, Source, Standing};
use crate::protocol::{ChangeReason, Notice, Outcome, Phase, Warning, WarningKind};
use crate::upstream::{Answer, AnswerBody, AnswerHeaders, Bearer, Event, EventStream, Meaning, StreamFault};

/// How long upstream may take to end a stream after its terminal event, so that the connection can be used again.
const DRAIN: Duration = Duration::from_secs(2);

pub(super) enum AttemptEnd {
    Ended(Terminal),
    /// The account was dealt with; another may take over.
    Moved { lost: Lost, until: Option<At> },
    /// Not the account's fault.
    Surfaced(Lost),
}

/// A failed attempt and upstream's own words.
pub(super) struct Lost {
    pub(super) account: AccountId,
    pub(super) failure: Failure,
    pub(super) body: Option<AnswerBody>,
}

/// What became of one request.
enum Sent {
    Ended(Terminal),
    Lost(Failure, Option<AnswerBody>),
}

/// The answer so far: where it comes from, and what is held back of it.
struct Answering<'a> {
    account: &'a AccountId,
    attempt: u32,
    status: u16,
    headers: AnswerHeaders,
    hold_back: HoldBack,
    held: Vec<Event>,
    requested_at: At,
}

/// The parts of a terminal event that are used here.
#[derive(Deserialize)]
struct TerminalEvent<'a> {
    #[serde(borrow)]
    response: Option<TerminalResponse<'a>>,
}

#[derive(Deserialize)]
struct TerminalResponse<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl Completion {
    pub(super) async fn attempt(
        &mut self,
        audience: &mut Audience,
        account: &AccountId,
        attempt: u32,
    ) -> Result<AttemptEnd, Gone> {
        let mut need = Need::Usable;
        loop {
            let (refused, sent) = match self.sidecar.token(account, need).await {
                Ok(token) => {
                    let sent = self.send(audience, account, attempt, &token).await?;
                    (Some(token.access), sent)
                }
                Err(failure) => (None, Sent::Lost(failure, None)),
            };
            let (failure, body) = match sent {
                Sent::Ended(terminal) => return Ok(AttemptEnd::Ended(terminal)),
                Sent::Lost(failure, body) => (failure, body),
            };
            let after = self.walk.failed(&mut self.sidecar.pool(), &failure, clock::now());
            tracing::info!(
                account = %account, attempt, kind = failure.kind.name(), status = failure.status, code = failure.code,
                ?after, "attempt failed"
            );
            let lost = Lost { account: account.clone(), failure, body };
            match (after, refused) {
                (AfterFailure::Replay, Some(refused)) => need = Need::NewerThan(refused),
                // A replay needs a token that was refused; without one there is nothing to replace.
                (AfterFailure::Replay, None) => return Ok(AttemptEnd::Surfaced(lost)),
                (AfterFailure::Surface, _) => return Ok(AttemptEnd::Surfaced(lost)),
                (AfterFailure::Moved { until, pin_cleared }, _) => {
                    self.report(&lost, pin_cleared);
                    return Ok(AttemptEnd::Moved { lost, until });
                }
            }
        }
    }

    async fn send(
        &mut self,
        audience: &mut Audience,
        account: &AccountId,
        attempt: u32,
        token: &Token,
    ) -> Result<Sent, Gone> {
        let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
        let requested_at = clock::now();
        let answer = match self.sidecar.upstream.responses(&bearer, &self.request).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Sent::Lost(failure, None)),
        };
        match answer {
            Answer::Refused { failure, headers, body } => {
                self.read_usage(account, &headers, requested_at);
                Ok(Sent::Lost(failure, Some(body)))
            }
            Answer::Stream { status, headers, events } => {
                self.read_usage(account, &headers, requested_at);
                let answering = Answering {
                    account,
                    attempt,
                    status,
                    headers,
                    hold_back: HoldBack::default(),
                    held: Vec::new(),
                    requested_at,
                };
                self.stream(audience, answering, events).await
            }
        }
    }

    async fn stream(
        &mut self,
        audience: &mut Audience,
        mut answering: Answering<'_>,
        mut events: EventStream,
    ) -> Result<Sent, Gone> {
        loop {
            let patience = async {
                match answering.hold_back.release_at() {
                    Some(at) if self.first_event.is_none() => {
                        tokio::time::sleep(at.since(clock::now())).await;
                    }
                    _ => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                biased;
                next = events.next(self.idle) => next,
                () = patience => {
                    self.accept(audience, &mut answering).await?;
                    continue;
                }
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(self.cut(&answering, interrupted("the stream ended before its terminal event"))),
                Err(fault) => return Ok(self.cut(&answering, stream_failure(fault))),
            };
            let meaning = event.meaning(clock::now());
            match meaning {
                Meaning::Preamble => self.hold_or_forward(audience, &mut answering, event).await?,
                Meaning::RateLimits(mut reading) => {
                    reading.requested_at = answering.requested_at;
                    self.sidecar.apply_usage(answering.account, reading);
                    self.hold_or_forward(audience, &mut answering, event).await?;
                }
                Meaning::Output => self.forward(audience, &mut answering, &event).await?,
                Meaning::Completed => {
                    return self.end(audience, answering, events, &event, Outcome::Completed).await.map(Sent::Ended);
                }
                Meaning::Incomplete => {
                    return self.end(audience, answering, events, &event, Outcome::Incomplete).await.map(Sent::Ended);
                }
                Meaning::Failed(failure) => {
                    if self.first_event.is_some() {
                        self.forward(audience, &mut answering, &event).await?;
                    }
                    let body = AnswerBody::capped(event.raw());
                    return Ok(self.cut_with(&answering, failure, Some(body)));
                }
            }
        }
    }

    async fn hold_or_forward(
        &mut self,
        audience: &mut Audience,
        answering: &mut Answering<'_>,
        event: Event,
    ) -> Result<(), Gone> {
        if self.first_event.is_some() {
            return self.forward(audience, answering, &event).await;
        }
        match answering.hold_back.offer(event.raw().len(), clock::now()) {
            Held::Hold => {
                answering.held.push(event);
                Ok(())
            }
            Held::Release => self.forward(audience, answering, &event).await,
        }
    }

    async fn forward(
        &mut self,
        audience: &mut Audience,
        answering: &mut Answering<'_>,
        event: &Event,
    ) -> Result<(), Gone> {
        if self.first_event.is_none() {
            self.accept(audience, answering).await?;
        }
        audience.tell(Notice::Event { event: event.json() }).await
    }

    /// From here on this account answers: what was held back goes out, and nothing is replayed any more.
    async fn accept(&mut self, audience: &mut Audience, answering: &mut Answering<'_>) -> Result<(), Gone> {
        self.first_event = Some(self.started.elapsed());
        let label = {
            let mut pool = self.sidecar.pool();
            self.walk.accepted(&mut pool, clock::now());
            pool.get(answering.account).map(|account| account.label.clone()).unwrap_or_default()
        };
        let headers: BTreeMap<&str, &str> = answering.headers.for_client().collect();
        audience
            .tell(Notice::Accepted {
                attempt: answering.attempt,
                account: answering.account.as_str(),
                label: &label,
                status: answering.status,
                headers,
            })
            .await?;
        for event in std::mem::take(&mut answering.held) {
            audience.tell(Notice::Event { event: event.json() }).await?;
        }
        Ok(())
    }

    async fn end(
        &mut self,
        audience: &mut Audience,
        mut answering: Answering<'_>,
        events: EventStream,
        event: &Event,
        outcome: Outcome,
    ) -> Result<Terminal, Gone> {
        self.forward(audience, &mut answering, event).await?;
        self.walk.succeeded(&mut self.sidecar.pool(), clock::now());
        self.sidecar.notifier.settled(WarningKind::NoAvailableAccount, None);
        self.sidecar.changed(ChangeReason::Rotation);
        tokio::spawn(tokio::time::timeout(DRAIN, events.drain()));
        let usage = serde_json::from_str::<TerminalEvent<'_>>(event.raw())
            .ok()
            .and_then(|terminal| terminal.response?.usage)
            .filter(|usage| usage.get() != "null")
            .map(ToOwned::to_owned);
        Ok(Terminal::Done { outcome, account: answering.account.clone(), usage })
    }

    fn cut(&mut self, answering: &Answering<'_>, failure: Failure) -> Sent {
        self.cut_with(answering, failure, None)
    }

    /// A stream that failed: before output another account may take over, after output it is said as it is.
    fn cut_with(&mut self, answering: &Answering<'_>, failure: Failure, body: Option<AnswerBody>) -> Sent {
        if self.first_event.is_none() {
            return Sent::Lost(failure, body);
        }
        let after = self.walk.failed_after_output(&mut self.sidecar.pool(), &failure, clock::now());
        tracing::info!(
            account = %answering.account, kind = failure.kind.name(), status = failure.status, code = failure.code,
            "failed after output"
        );
        let lost = Lost { account: answering.account.clone(), failure, body };
        self.report(&lost, after.pin_cleared);
        Sent::Ended(Terminal::Failed(self.surfaced(&lost, Phase::AfterOutput)))
    }

    fn read_usage(&self, account: &AccountId, headers: &AnswerHeaders, requested_at: At) {
        if let Some(mut reading) = headers.usage(clock::now()) {
            reading.requested_at = requested_at;
            self.sidecar.apply_usage(account, reading);
        }
    }

    /// Tells clients, and the state dir, what a failure did to its account.
    fn report(&self, lost: &Lost, pin_cleared: bool) {
        let (label, needs_login, guessed) = {
            let pool = self.sidecar.pool();
            let Some(account) = pool.get(&lost.account) else { return };
            let guessed = account.health.cooldown.as_ref().is_some_and(|cooldown| cooldown.certainty == Certainty::Guess);
            (account.label.clone(), matches!(account.health.standing, Standing::NeedsLogin(_)), guessed)
        };
        if guessed && matches!(lost.failure.kind, FailureKind::UsageLimit | FailureKind::Credits) {
            self.sidecar.fetch_usage_soon(&lost.account);
        }
        if needs_login {
            self.sidecar.notifier.warn(Warning {
                kind: WarningKind::LoginRequired,
                message: format!("{label} needs login: {}", lost.failure.message),
                account: Some(lost.account.to_string()),
                hint: Some("log this account in again".to_owned()),
            });
        }
        if pin_cleared {
            self.warn_pin_cleared(&lost.account, &label, &lost.failure.message);
        }
        self.sidecar.changed(if needs_login { ChangeReason::Health } else { ChangeReason::Cooldown });
    }

    /// A pin that could not be used at all was cleared by the walk.
    pub(super) fn report_drained_pin(&mut self) {
        let Some(id) = self.walk.take_drained_pin() else { return };
        let label = self.sidecar.pool().get(&id).map(|account| account.label.clone()).unwrap_or_default();
        self.warn_pin_cleared(&id, &label, "it cannot be used now");
        self.sidecar.changed(ChangeReason::Rotation);
    }

    fn warn_pin_cleared(&self, id: &AccountId, label: &str, why: &str) {
        self.sidecar.notifier.warn(Warning {
            kind: WarningKind::PinCleared,
            message: format!("{label} is no longer pinned: {why}"),
            account: Some(id.to_string()),
            hint: Some("rotation goes on with the other accounts; pin one again with accounts/use".to_owned()),
        });
    }
}

fn interrupted(message: &str) -> Failure {
    Failure::new(FailureKind::StreamInterrupted, Source::Transport, message)
}

fn stream_failure(fault: StreamFault) -> Failure {
    match fault {
        StreamFault::Interrupted(why) => interrupted(&why),
        StreamFault::Idle => {
            Failure::new(FailureKind::IdleTimeout, Source::Transport, "upstream was silent for too long")
        }
        StreamFault::NotJson => {
            Failure::new(FailureKind::UpstreamProtocol, Source::StreamEvent, "upstream sent an event that is not JSON")
        }
        StreamFault::TooLarge => {
            Failure::new(FailureKind::UpstreamProtocol, Source::StreamEvent, "upstream sent an event that is too large")
        }
    }
}
