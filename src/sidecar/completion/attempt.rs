//! One attempt with one account: token, request, stream. The preamble is held back, so that the client sees nothing of
//! a failure before output.

use std::pin::pin;
use std::time::Duration;

use super::failed_attempt::{AnswerBody, FailedAttempt};
use super::held_preambles::PreambleShare;
use super::recorder::AttemptRecorder;
use super::run::{Completion, Terminal};
use super::sink::{CompletionSink, Disconnected};
use super::transport::Opened;
use crate::pool::{AccountId, AfterFailure, At, Failure, FailureKind, PreambleBuffer, PreambleState, Source};
use crate::protocol::{ChangeReason, Notice, Outcome, Phase, WarningKind};
use crate::sidecar::credentials::token::{Need, Token};
use crate::upstream::{
    Answer, AnswerHeaders, Asked, Event, EventMeaning, EventStream, Silent, StreamFault, with_idle_timeout,
};

/// How long upstream may take to end a stream after its terminal event, so that the connection can be used again.
const DRAIN: Duration = Duration::from_secs(2);

/// How long a completion waits for a token while another account could answer it.
const TOKEN_PATIENCE: Duration = Duration::from_secs(3);

pub(crate) enum AttemptEnd {
    Ended(Terminal),
    /// The failure was applied to the account; another one may take over.
    Moved {
        failed_attempt: FailedAttempt,
        until: Option<At>,
    },
    /// The fault is not the account's.
    Surfaced(FailedAttempt),
}

/// The result of one request.
pub(super) enum Sent {
    Ended(Terminal),
    FailedAttempt(Failure, Option<AnswerBody>),
    /// Only a WebSocket is allowed, and there is none. The fault is not the account's.
    NoSocket(Failure),
}

/// The answer so far: its source, and the events that are held back.
struct Answering<'a> {
    account: &'a AccountId,
    attempt: u32,
    status: u16,
    headers: AnswerHeaders,
    preamble: PreambleBuffer,
    held: Vec<Event>,
    share: PreambleShare,
    requested_at: At,
}

impl Completion {
    pub(crate) async fn attempt(
        &mut self,
        sink: &mut CompletionSink,
        account: &AccountId,
        attempt: u32,
    ) -> Result<AttemptEnd, Disconnected> {
        let recorder = AttemptRecorder::begin(&self.sidecar, account, self.failover.model(), self.deadline);
        self.recorder = Some(recorder);
        let end = self.ask(sink, account, attempt).await?;
        if let Some(mut recorder) = self.recorder.take() {
            if let AttemptEnd::Ended(Terminal::Done { receipt, .. }) = &end {
                recorder.served(self.failover.switched_session(), self.reasoning_dropped(receipt));
            }
            end.record(recorder);
        }
        Ok(end)
    }

    async fn ask(
        &mut self,
        sink: &mut CompletionSink,
        account: &AccountId,
        attempt: u32,
    ) -> Result<AttemptEnd, Disconnected> {
        let mut need = Need::USABLE;
        self.plan.next_account();
        loop {
            let (refused, sent) = match self.token(account, need).await {
                Ok(token) => {
                    let sent = self.send(sink, account, attempt, &token).await?;
                    (Some(token.access), sent)
                }
                Err(failure) => (None, Sent::FailedAttempt(failure, None)),
            };
            let (failure, body) = match sent {
                Sent::Ended(terminal) => return Ok(AttemptEnd::Ended(terminal)),
                Sent::FailedAttempt(failure, body) => (failure, body),
                Sent::NoSocket(failure) => {
                    let account = account.clone();
                    return Ok(AttemptEnd::Surfaced(FailedAttempt { account, failure, body: None }));
                }
            };
            if self.mend_request(&failure, account).await {
                need = Need::USABLE;
                continue;
            }
            let after = self.sidecar.registry.decide(|pool, now| self.failover.failed(pool, &failure, now));
            tracing::info!(
                account = %account, attempt, kind = failure.kind.name(), status = failure.status, code = failure.code,
                ?after, "attempt failed"
            );
            let backed_off = matches!(after, AfterFailure::Moved { until: Some(_), .. });
            let failure = match failure.kind {
                FailureKind::Unauthorized if backed_off => failure.as_trouble_on_the_way(),
                _ => failure,
            };
            let failed_attempt = FailedAttempt { account: account.clone(), failure, body };
            match (after, refused) {
                (AfterFailure::Replay, Some(refused)) => need = Need::NewerThan(refused),
                // A repeat needs a token that was refused; without one there is nothing to repeat.
                (AfterFailure::Replay, None) => return Ok(AttemptEnd::Surfaced(failed_attempt)),
                (AfterFailure::Surface, _) => return Ok(AttemptEnd::Surfaced(failed_attempt)),
                (AfterFailure::Moved { until, pin_cleared }, _) => {
                    self.report(&failed_attempt, pin_cleared);
                    return Ok(AttemptEnd::Moved { failed_attempt, until });
                }
            }
        }
    }

    /// A refresh in progress goes on when this stops waiting for it.
    async fn token(&self, account: &AccountId, need: Need) -> Result<Token, Failure> {
        let asking = self.sidecar.refresher.token(account, need);
        if !self.sidecar.registry.decide(|pool, now| self.failover.has_another(pool, now)) {
            return asking.await;
        }
        tokio::time::timeout(TOKEN_PATIENCE, asking).await.unwrap_or_else(|_| {
            let why = "a new token takes long; another account answers meanwhile";
            let failure = Failure::new(FailureKind::TokenUnavailable, Source::TokenEndpoint, why);
            self.sidecar.refresher.refresh_failed(account, &failure);
            Err(failure)
        })
    }

    async fn send(
        &mut self,
        sink: &mut CompletionSink,
        account: &AccountId,
        attempt: u32,
        token: &Token,
    ) -> Result<Sent, Disconnected> {
        loop {
            let mut sent = self.send_once(sink, account, attempt, token).await?;
            if !self.asks_again(&mut sent) {
                return Ok(sent);
            }
        }
    }

    async fn send_once(
        &mut self,
        sink: &mut CompletionSink,
        account: &AccountId,
        attempt: u32,
        token: &Token,
    ) -> Result<Sent, Disconnected> {
        let requested_at = self.sidecar.registry.now();
        let answer = match with_idle_timeout(self.idle, self.open(account, token)).await {
            Ok(Ok(Opened::Answer(answer))) => *answer,
            Ok(Ok(Opened::NoSocket(failure))) => return Ok(Sent::NoSocket(failure)),
            Ok(Err(failure)) => return Ok(Sent::FailedAttempt(failure, None)),
            Err(Silent) => {
                let why = "upstream did not begin to answer in time";
                return Ok(Sent::FailedAttempt(
                    Failure::new(FailureKind::IdleTimeout, Source::Transport, why),
                    None,
                ));
            }
        };
        match answer {
            Answer::Refused { failure, headers, body, truncated, status: _ } => {
                self.read_headers(account, &headers);
                Ok(Sent::FailedAttempt(failure, Some(AnswerBody { text: body, truncated })))
            }
            Answer::Stream { status, headers, events } => {
                self.read_headers(account, &headers);
                let answering = Answering {
                    account,
                    attempt,
                    status,
                    headers,
                    preamble: PreambleBuffer::new(self.request.json_len()),
                    held: Vec::new(),
                    share: self.sidecar.completions.preambles.begin(),
                    requested_at,
                };
                self.stream(sink, answering, events).await
            }
        }
    }

    async fn stream(
        &mut self,
        sink: &mut CompletionSink,
        mut answering: Answering<'_>,
        mut events: EventStream,
    ) -> Result<Sent, Disconnected> {
        loop {
            let next = match events.at_hand() {
                Ok(None) => self.wait_for_an_event(sink, &mut answering, &mut events).await?,
                at_hand => at_hand,
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => {
                    let why = "the stream ended before its terminal event";
                    let failure = Failure::new(FailureKind::StreamInterrupted, Source::Transport, why);
                    return Ok(self.cut(&answering, failure, None));
                }
                Err(fault) => {
                    self.lost(&fault);
                    return Ok(self.cut(&answering, fault.failure(), None));
                }
            };
            let asked =
                Asked { requested_at: answering.requested_at, answered_at: self.sidecar.registry.now() };
            let (outcome, receipt) = match event.meaning(asked) {
                EventMeaning::Preamble { usage } => {
                    if let Some(reading) = usage {
                        self.sidecar.usage.apply(answering.account, reading);
                    }
                    self.hold_or_forward(sink, &mut answering, event).await?;
                    continue;
                }
                EventMeaning::Output => {
                    if let Some(item) = event.reasoning() {
                        let origins = &self.sidecar.completions.reasoning_origins;
                        origins.record(item, answering.account, asked.answered_at);
                    }
                    self.forward(sink, &mut answering, &event).await?;
                    continue;
                }
                EventMeaning::Failed { failure, usage } => {
                    if let Some(reading) = usage {
                        self.sidecar.usage.apply(answering.account, reading);
                    }
                    if self.first_event.is_some() {
                        self.forward(sink, &mut answering, &event).await?;
                    }
                    self.refused(&failure);
                    let (failure, words) = self.as_answered(&event, failure);
                    return Ok(self.cut(&answering, failure, Some(words)));
                }
                EventMeaning::Completed(receipt) => (Outcome::Completed, receipt),
                EventMeaning::Incomplete(receipt) => (Outcome::Incomplete, receipt),
            };
            self.forward(sink, &mut answering, &event).await?;
            self.ended_well(answering.account, events);
            return Ok(Sent::Ended(Terminal::Done { outcome, account: answering.account.clone(), receipt }));
        }
    }

    /// Available events are sent before this waits, and held-back events when the wait takes too long.
    async fn wait_for_an_event(
        &mut self,
        sink: &mut CompletionSink,
        answering: &mut Answering<'_>,
        events: &mut EventStream,
    ) -> Result<Result<Option<Event>, StreamFault>, Disconnected> {
        sink.flush().await?;
        // One future for both, so that upstream's silence counts from its last activity.
        let mut next = pin!(events.next(self.idle));
        let patience = match (self.first_event, answering.preamble.release_at()) {
            (None, Some(at)) => at.since(self.sidecar.registry.now()),
            _ => return Ok(next.await),
        };
        tokio::select! {
            biased;
            next = &mut next => return Ok(next),
            () = tokio::time::sleep(patience) => {}
            () = answering.share.released() => tracing::info!("a preamble goes out early: others need the memory"),
        }
        self.accept(sink, answering).await?;
        sink.flush().await?;
        Ok(next.await)
    }

    async fn hold_or_forward(
        &mut self,
        sink: &mut CompletionSink,
        answering: &mut Answering<'_>,
        event: Event,
    ) -> Result<(), Disconnected> {
        if self.first_event.is_some() {
            return self.forward(sink, answering, &event).await;
        }
        match answering.preamble.offer(event.json().len(), self.sidecar.registry.now()) {
            PreambleState::Hold if answering.share.hold(event.json().len()) => {
                answering.held.push(event.detached());
                Ok(())
            }
            PreambleState::Hold | PreambleState::Release => self.forward(sink, answering, &event).await,
        }
    }

    async fn forward(
        &mut self,
        sink: &mut CompletionSink,
        answering: &mut Answering<'_>,
        event: &Event,
    ) -> Result<(), Disconnected> {
        if self.first_event.is_none() {
            self.accept(sink, answering).await?;
        }
        sink.send_event(event).await
    }

    /// From here on this account answers: held-back events are sent, and nothing is repeated any more.
    async fn accept(
        &mut self,
        sink: &mut CompletionSink,
        answering: &mut Answering<'_>,
    ) -> Result<(), Disconnected> {
        self.first_event = Some(self.started.elapsed());
        if let Some(recorder) = &mut self.recorder {
            recorder.first_event();
        }
        let label = self.sidecar.registry.decide(|pool, now| {
            self.failover.accepted(pool, now);
            pool.get(answering.account).map(|account| account.label.clone()).unwrap_or_default()
        });
        self.sidecar.session.shown.set_session(self.failover.session());
        self.sidecar.notifier.check_status();
        let headers =
            answering.headers.shown.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        sink.send_notice(Notice::Accepted {
            attempt: answering.attempt,
            account: answering.account.as_str(),
            label: &label,
            status: answering.status,
            reserve: self.failover.is_on_reserve(),
            headers,
        })
        .await?;
        for event in std::mem::take(&mut answering.held) {
            sink.send_event(&event).await?;
        }
        answering.share.give_back();
        Ok(())
    }

    fn ended_well(&mut self, account: &AccountId, events: EventStream) {
        self.sidecar.registry.decide(|pool, now| self.failover.succeeded(pool, now));
        tracing::info!(account = %account, attempts = self.failover.attempts(), "completed");
        self.sidecar.notifier.clear(WarningKind::NoAvailableAccount, None);
        self.sidecar.notifier.clear(WarningKind::LoginRequired, Some(account));
        self.sidecar.registry.changed(ChangeReason::Rotation);
        tokio::spawn(tokio::time::timeout(DRAIN, drain(events)));
    }

    /// A stream that failed: before output another account may take over, after output the client gets the failure.
    fn cut(&mut self, answering: &Answering<'_>, failure: Failure, body: Option<AnswerBody>) -> Sent {
        if self.first_event.is_none() {
            return Sent::FailedAttempt(failure, body);
        }
        let after =
            self.sidecar.registry.decide(|pool, now| self.failover.failed_after_output(pool, &failure, now));
        tracing::info!(
            account = %answering.account, kind = failure.kind.name(), status = failure.status, code = failure.code,
            "failed after output"
        );
        let failed_attempt = FailedAttempt { account: answering.account.clone(), failure, body };
        self.report(&failed_attempt, after.pin_cleared);
        Sent::Ended(Terminal::Failed(self.surfaced(&failed_attempt, Phase::AfterOutput)))
    }

    fn read_headers(&self, account: &AccountId, headers: &AnswerHeaders) {
        if let Some(skew) = headers.skew {
            self.sidecar.notifier.compare_clocks(skew);
        }
        if let Some(reading) = &headers.usage {
            self.sidecar.usage.apply(account, reading.clone());
        }
    }
}

/// Reads the rest after the terminal event, so that the connection goes back to the pool.
async fn drain(mut events: EventStream) {
    while let Ok(Some(_)) = events.next(DRAIN).await {}
}
