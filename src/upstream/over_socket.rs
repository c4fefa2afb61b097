//! A request over the WebSocket of its session and account, as [`TurnPlan`] says. The answer is the same as over SSE.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::body::ResponsesRequest;
use super::client::{Answer, Bearer, Upstream, network, refusal};
use super::headers::AnswerHeaders;
use super::stream::EventStream;
use super::usage_reading::Asked;
use super::websocket::{
    AfterUpgrade, Begin, Continuation, Fixed, Found, Key, NoSocket, NotContinued, Outline, Recording,
    Reservation, Socket, TransportReport, TurnPlan, Upgrade, delta_frame, full_frame, headers_digest,
    upgrade,
};
use crate::clock;
use crate::pool::{AccountId, Failure, FailureKind, Source, TransportUsed};

/// The source of a frame's answer.
const STATUS: u16 = 200;

/// The result.
#[derive(Debug)]
pub enum OverSocket {
    Answer(Box<Answer>),
    /// SSE is used for the rest of the completion.
    Sse,
    /// The client allows only a WebSocket, and there is none. The fault is not an account's.
    None(Failure),
}

/// A socket that can take a frame.
struct Ready {
    socket: Socket,
    headers: AnswerHeaders,
}

impl Upstream {
    /// Sends the request over a WebSocket, unless `plan` says SSE. An error is about the token.
    pub async fn over_socket(
        &self,
        bearer: &Bearer<'_>,
        account: &AccountId,
        request: &ResponsesRequest,
        plan: &mut TurnPlan,
    ) -> Result<OverSocket, Failure> {
        let Some((json, outline)) = request.plain() else {
            let refused = "this body cannot be sent over a WebSocket: it has a member `type`";
            return Ok(if plan.cannot_be_framed() { OverSocket::Sse } else { rejected(refused) });
        };
        let now = Instant::now();
        let key = plan.session().map(|session| Key { session: session.to_owned(), account: account.clone() });
        let fixed = Fixed {
            bearer: Sha256::digest(bearer.token.expose()).into(),
            headers: headers_digest(&request.headers),
        };
        let found = match &key {
            Some(key) => self.sockets.find(key, &fixed, outline, now),
            None => Found::Nothing(NotContinued::FirstTurn),
        };
        let paused = self.sockets.is_paused(now);
        let begun = plan.begin(json.len(), outline.continues_by_itself, paused, found);
        let (kept, why) = match begun {
            Begin::Sse => return Ok(OverSocket::Sse),
            Begin::TooLarge => {
                return Ok(rejected("this body is larger than a WebSocket frame may be (15 MiB)"));
            }
            Begin::Reuse(continuation) => match key.as_ref().and_then(|key| self.sockets.take(key)) {
                Some(socket) => {
                    let ready = Ready { socket, headers: AnswerHeaders::default() };
                    return Ok(send(ready, json, outline, continuation, plan));
                }
                // It was closed in this moment.
                None => (true, NotContinued::NewSocket),
            },
            Begin::Connect { kept, why } => (kept, why),
        };
        let reservation = key.filter(|_| kept).map(|key| self.sockets.reserve(key, fixed, now));
        match self.connect(bearer, request, reservation).await? {
            Ok(ready) => Ok(send(ready, json, outline, Err(why), plan)),
            Err(refused) => Ok(refused.followed_by(plan)),
        }
    }

    /// SSE was answered where no WebSocket could be opened, so WebSockets are not tried for a while.
    pub fn sse_answered(&self, plan: &mut TurnPlan) {
        if std::mem::take(&mut plan.suspects_websockets) {
            tracing::info!("no WebSocket can be opened, although upstream answers; trying again later");
            self.sockets.pause(Instant::now());
        }
    }

    /// Closes the idle sockets of accounts that may not be used.
    pub fn close_sockets_unless(&self, may_be_used: impl Fn(&AccountId) -> bool) {
        self.sockets.retain(may_be_used);
    }

    pub fn has_sockets(&self) -> bool {
        !self.sockets.is_empty()
    }

    async fn connect(
        &self,
        bearer: &Bearer<'_>,
        request: &ResponsesRequest,
        reservation: Option<Reservation>,
    ) -> Result<Result<Ready, Refused>, Failure> {
        let requested_at = clock::now();
        let mut headers = request.headers.clone();
        bearer.put_into(&mut headers)?;
        let client = match self.http.get_upgradable(&self.base) {
            Ok(client) => client,
            Err(error) => return Ok(Err(Refused::nothing(error.to_string()))),
        };
        let upgraded = upgrade(client, self.base.join("codex/responses"), headers).await;
        let asked = Asked { requested_at, answered_at: clock::now() };
        Ok(match upgraded {
            Upgrade::Socket(stream, headers) => {
                self.sockets.resume();
                let socket = match reservation {
                    Some(reservation) => reservation.fill(*stream, Instant::now()),
                    None => {
                        let (socket, running) = Socket::new(*stream, false);
                        tokio::spawn(running);
                        socket
                    }
                };
                Ok(Ready { socket, headers: AnswerHeaders::read(&headers, asked) })
            }
            Upgrade::Answered(response) => {
                let (status, headers) =
                    (response.status().as_u16(), AnswerHeaders::read(response.headers(), asked));
                let answer = refusal(Bytes::new(), response, bearer, headers, asked.answered_at).await;
                let is_json =
                    matches!(&answer, Answer::Refused { body, .. } if body.trim_start().starts_with('{'));
                Err(Refused {
                    what: NoSocket::Answered { status, is_json },
                    why: format!("the upgrade was answered with HTTP {status}"),
                    answer: Some(answer),
                })
            }
            Upgrade::Failed(why) => Err(Refused::nothing(why)),
        })
    }
}

/// The upgrade gave no socket.
struct Refused {
    what: NoSocket,
    /// In words.
    why: String,
    answer: Option<Answer>,
}

impl Refused {
    fn nothing(why: String) -> Self {
        Refused { what: NoSocket::Nothing, why, answer: None }
    }

    fn followed_by(self, plan: &mut TurnPlan) -> OverSocket {
        let after = plan.no_socket(self.what);
        tracing::info!(why = self.why, ?after, "no WebSocket");
        match (after, self.answer) {
            (AfterUpgrade::Classify, Some(answer)) => OverSocket::Answer(Box::new(answer)),
            (AfterUpgrade::Sse, _) => OverSocket::Sse,
            (AfterUpgrade::Classify | AfterUpgrade::Failed, _) => {
                OverSocket::None(network(format!("no WebSocket can be opened: {}", self.why)))
            }
        }
    }
}

/// Sends the frame: the new part after `continuation`, or everything.
fn send(
    ready: Ready,
    json: &str,
    outline: &Outline,
    continuation: Result<Continuation, NotContinued>,
    plan: &mut TurnPlan,
) -> OverSocket {
    let delta = continuation
        .as_ref()
        .ok()
        .and_then(|continuation| delta_frame(json, outline, &continuation.previous, continuation.from));
    let full = || full_frame(json).unwrap_or_default();
    let (continued, frame) = match delta {
        Some(delta) => (true, delta),
        None => (false, full()),
    };
    let skipped = continuation.as_ref().map_or(0, |continuation| continuation.skipped_bytes);
    plan.sent(TransportReport {
        used: TransportUsed::WebSocket,
        sent_bytes: frame.len(),
        saved_bytes: if continued { skipped } else { 0 },
        continued,
        not_continued: continuation.err(),
    });
    let turn = ready.socket.begin(frame, Recording::new(outline));
    OverSocket::Answer(Box::new(Answer::Stream {
        status: STATUS,
        headers: ready.headers,
        events: EventStream::of_socket(turn),
    }))
}

fn rejected(why: &str) -> OverSocket {
    OverSocket::None(Failure::new(FailureKind::RequestRejected, Source::Transport, why))
}
