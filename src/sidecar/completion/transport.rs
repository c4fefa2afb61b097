//! How a completion's request reaches upstream: over the session's WebSocket or by SSE. The answer is the same, and the
//! failover does not know the difference.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::attempt::Sent;
use super::failed_attempt::AnswerBody;
use super::request::aside_when_large;
use super::run::Completion;
use crate::pool::{AccountId, Failure, FailureKind, SentRequest, Source, State, TransportUsed};
use crate::sidecar::Sidecar;
use crate::sidecar::credentials::token::Token;
use crate::upstream::{
    Again, Answer, Bearer, Event, Loss, OverSocket, StreamFault, TransportReport, answer_inside,
};

/// How often idle sockets of accounts that cool are looked for when nothing is reported to have changed.
const SWEEP: Duration = Duration::from_secs(60);

/// The result of the request.
pub(super) enum Opened {
    Answer(Box<Answer>),
    /// The client allows only a WebSocket, and there is none.
    NoSocket(Failure),
}

impl Completion {
    pub(super) async fn open(&mut self, account: &AccountId, token: &Token) -> Result<Opened, Failure> {
        let bearer = Bearer { token: &token.access, workspace_id: token.workspace_id.as_deref() };
        let upstream = self.sidecar.completions.upstream().clone();
        if self.plan.may_use_socket() {
            let request = self.request_for(account);
            match upstream.over_socket(&bearer, account, &request, &mut self.plan).await? {
                OverSocket::Answer(answer) => {
                    self.record_sent();
                    self.sidecar.watch_sockets();
                    return Ok(Opened::Answer(answer));
                }
                OverSocket::None(failure) => return Ok(Opened::NoSocket(failure)),
                OverSocket::Sse => {
                    let request = self.request.clone();
                    let bytes = request.json_len();
                    self.request = aside_when_large(bytes, move || request.packed()).await;
                }
            }
        }
        let request = self.request_for(account);
        self.plan.sent(TransportReport {
            used: TransportUsed::Sse,
            sent_bytes: request.packed_len(),
            saved_bytes: 0,
            continued: false,
            not_continued: None,
        });
        self.record_sent();
        let answer = upstream.responses(&bearer, &request).await?;
        upstream.sse_answered(&mut self.plan);
        Ok(Opened::Answer(Box::new(answer)))
    }

    /// Returns whether the same account is asked once more after a socket was lost before output.
    pub(super) fn asks_again(&mut self, sent: &mut Sent) -> bool {
        let Some(loss) = self.loss.take() else { return false };
        if !matches!(sent, Sent::FailedAttempt(..)) {
            return false;
        }
        let again = self.plan.lost(&loss);
        tracing::info!(%loss, ?again, "a WebSocket was lost");
        if again == Again::No && matches!(loss, Loss::Closed { code: Some(1009), .. }) {
            let why = "upstream takes no WebSocket frame of this size";
            *sent = Sent::NoSocket(Failure::new(FailureKind::RequestRejected, Source::Transport, why));
        }
        again != Again::No && self.failover.may_resend()
    }

    pub(super) fn lost(&mut self, fault: &StreamFault) {
        if let StreamFault::Socket(loss) = fault {
            self.loss = Some(loss.clone());
        }
    }

    /// Records a failure that upstream sent as an event. Some are only about the socket.
    pub(super) fn refused(&mut self, failure: &Failure) {
        self.loss = match failure.code.as_deref() {
            Some("previous_response_not_found") => Some(Loss::PreviousNotFound),
            Some("websocket_connection_limit_reached") => Some(Loss::ConnectionLimit),
            _ => None,
        };
    }

    /// A failure in an event, with upstream's text. On a WebSocket the event may stand for an HTTP answer.
    pub(super) fn as_answered(&self, event: &Event, failure: Failure) -> (Failure, AnswerBody) {
        let over_socket = self.plan.report().is_some_and(|report| report.used == TransportUsed::WebSocket);
        match answer_inside(event, self.sidecar.registry.now()).filter(|_| over_socket) {
            Some((failure, body)) => (failure, AnswerBody::of_text(body)),
            None => (failure, AnswerBody::of_event(event)),
        }
    }

    fn record_sent(&mut self) {
        if let (Some(recorder), Some(report)) = (&mut self.recorder, self.plan.report()) {
            recorder.sent(SentRequest {
                transport: report.used,
                continued: report.continued,
                bytes: report.sent_bytes as u64,
                saved_bytes: report.saved_bytes as u64,
            });
        }
    }
}

impl Sidecar {
    /// Closes the idle sockets of accounts that may not be used any more, for as long as there are sockets.
    fn watch_sockets(self: &Arc<Self>) {
        if self.completions.watches_sockets.swap(true, Ordering::Relaxed) {
            return;
        }
        let sidecar = self.clone();
        tokio::spawn(async move {
            loop {
                let changed = sidecar.notifier.next_change();
                sidecar.close_unusable_sockets();
                if !sidecar.completions.upstream().has_sockets() {
                    sidecar.completions.watches_sockets.store(false, Ordering::Relaxed);
                    return;
                }
                let _ = tokio::time::timeout(SWEEP, changed).await;
            }
        });
    }

    fn close_unusable_sockets(&self) {
        self.registry.decide(|pool, now| {
            let may_be_used =
                |id: &AccountId| pool.get(id).is_some_and(|account| account.state(now) == State::Ready);
            self.completions.upstream().close_sockets_unless(may_be_used);
        });
    }
}
