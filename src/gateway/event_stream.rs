//! The body of an answer: one text, or the events of a completion as `text/event-stream`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Full;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use super::failure;
use crate::sidecar::{Relay, Relayed};
use crate::upstream::Event;

/// A client that receives nothing for minutes treats the connection as dead.
pub(super) const COMMENT_EVERY: Duration = Duration::from_secs(15);

const COMMENT: &[u8] = b": waiting for a reset\n\n";

pub(super) enum Body {
    Whole(Full<Bytes>),
    Events(Box<EventBody>),
}

/// The completion ended without a last event. The connection ends in the same way, so that the client sees that the
/// answer is incomplete.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer was cut short")]
pub(super) struct CutShort;

/// The events of a completion. Dropping it aborts the completion.
pub(super) struct EventBody {
    relay: Relay,
    /// Runs while no account was found: until then comments show that the gateway is alive.
    comment_at: Option<Pin<Box<Sleep>>>,
    comment_every: Duration,
    /// Whether the last event said how the response ended.
    said_its_end: bool,
    over: bool,
    /// Counts it among the requests in flight.
    _running: OwnedSemaphorePermit,
}

impl Body {
    pub(super) fn whole(text: impl Into<Bytes>) -> Self {
        Body::Whole(Full::new(text.into()))
    }
}

impl EventBody {
    /// An account already answers.
    pub(super) fn accepted(relay: Relay, running: OwnedSemaphorePermit) -> Self {
        EventBody {
            relay,
            comment_at: None,
            comment_every: COMMENT_EVERY,
            said_its_end: false,
            over: false,
            _running: running,
        }
    }

    /// No account answers yet; the client has waited for [`COMMENT_EVERY`].
    pub(super) fn waiting(relay: Relay, running: OwnedSemaphorePermit) -> Self {
        EventBody { comment_at: Some(Box::pin(sleep(Duration::ZERO))), ..Self::accepted(relay, running) }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, CutShort>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let piece = match self.relay.poll_recv(cx) {
                Poll::Ready(piece) => piece,
                Poll::Pending => return self.poll_comment(cx).map(|comment| Some(Ok(comment))),
            };
            match piece {
                Some(Relayed::Accepted { .. }) => self.comment_at = None,
                Some(Relayed::Waits) => {}
                Some(Relayed::Events(events)) => {
                    self.said_its_end = events.last().is_some_and(Event::is_terminal);
                    return Poll::Ready(Some(Ok(framed(&events))));
                }
                Some(Relayed::Done) => self.over = true,
                Some(Relayed::Failed(failed)) => {
                    self.over = true;
                    // The status was sent, so only an event can report it.
                    if self.comment_at.is_some() {
                        return Poll::Ready(Some(Ok(failure::as_event(&failed))));
                    }
                    if !self.said_its_end {
                        return Poll::Ready(Some(Err(CutShort)));
                    }
                }
                None => {
                    self.over = true;
                    return Poll::Ready(Some(Err(CutShort)));
                }
            }
        }
    }

    fn poll_comment(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        let Some(comment_at) = &mut self.comment_at else { return Poll::Pending };
        ready!(comment_at.as_mut().poll(cx));
        comment_at.as_mut().reset(Instant::now() + self.comment_every);
        // Registers the next one.
        cx.waker().wake_by_ref();
        Poll::Ready(Bytes::from_static(COMMENT))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.get_mut() {
            Body::Whole(text) => Pin::new(text)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never: Infallible| match never {}))),
            Body::Events(events) => {
                events.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(text) => text.is_end_stream(),
            Body::Events(events) => events.over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(text) => text.size_hint(),
            Body::Events(_) => SizeHint::default(),
        }
    }
}

/// Writes events one after another, each with its name. The data of an event has no line ends.
pub(super) fn framed(events: &[Event]) -> Bytes {
    const AROUND: usize = "event: \ndata: \n\n".len() + 48;
    let mut text = BytesMut::with_capacity(events.iter().map(|event| event.json().len() + AROUND).sum());
    for event in events {
        if let Some(name) = event.name() {
            text.put_slice(b"event: ");
            text.put_slice(name.as_bytes());
            text.put_u8(b'\n');
        }
        text.put_slice(b"data: ");
        text.put_slice(event.json());
        text.put_slice(b"\n\n");
    }
    text.freeze()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http_body_util::BodyExt;
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::protocol::{Failed, Phase};

    fn failed() -> Relayed {
        Relayed::Failed(Box::new(Failed {
            kind: "stream_interrupted".into(),
            message: "it broke".into(),
            phase: Phase::AfterOutput,
            attempts: 1,
            account: None,
            status: None,
            code: None,
            body: None,
            body_truncated: false,
            retry_at: None,
            hint: None,
            accounts: None,
            plan: Vec::new(),
        }))
    }

    fn permit() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
    }

    async fn written(
        pieces: Vec<Relayed>,
        began: fn(Relay, OwnedSemaphorePermit) -> EventBody,
    ) -> (String, bool) {
        let (sender, relay) = mpsc::channel(16);
        for piece in pieces {
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        let mut body = Body::Events(Box::new(began(relay, permit())));
        let mut text = String::new();
        loop {
            match body.frame().await {
                Some(Ok(frame)) => text.push_str(str::from_utf8(&frame.into_data().unwrap()).unwrap()),
                Some(Err(CutShort)) => return (text, false),
                None => return (text, true),
            }
        }
    }

    #[tokio::test]
    async fn an_answer_is_whole_when_its_last_event_says_so() {
        let events =
            |texts: &[&str]| Relayed::Events(texts.iter().map(|text| Event::of_text(text)).collect());
        let delta = r#"{"type":"response.output_text.delta","delta":"a"}"#;
        let end = r#"{"type":"response.completed","response":{}}"#;
        let error = r#"{"type":"error","message":"no"}"#;
        let framed = |text: &str, name: &str| format!("event: {name}\ndata: {text}\n\n");
        let all = written(vec![events(&[delta, end]), Relayed::Done], EventBody::accepted).await;
        let expected = framed(delta, "response.output_text.delta") + &framed(end, "response.completed");
        assert_eq!(all, (expected, true));
        let said = written(vec![events(&[delta, error]), failed()], EventBody::accepted).await;
        let expected = framed(delta, "response.output_text.delta") + &framed(error, "error");
        assert_eq!(said, (expected, true));
        let cut = written(vec![events(&[delta]), failed()], EventBody::accepted).await;
        assert_eq!(cut, (framed(delta, "response.output_text.delta"), false));
        let lost = written(vec![events(&[delta])], EventBody::accepted).await;
        assert!(!lost.1);
        let nameless = written(vec![events(&["{}"]), Relayed::Done], EventBody::accepted).await;
        assert_eq!(nameless.0, "data: {}\n\n");
    }

    #[tokio::test]
    async fn comments_come_until_an_account_answers() {
        const EVERY: Duration = Duration::from_millis(20);
        let (sender, relay) = mpsc::channel(1);
        let waiting = EventBody { comment_every: EVERY, ..EventBody::waiting(relay, permit()) };
        let mut body = Body::Events(Box::new(waiting));
        let began = Instant::now();
        for _ in 0..3 {
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), COMMENT);
        }
        assert!(began.elapsed() >= EVERY * 2);
        sender.send(failed()).await.unwrap();
        let event = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(
            event.starts_with(b"event: response.failed\ndata: {\"type\":\"response.failed\""),
            "{event:?}"
        );
        assert!(body.frame().await.is_none());
    }
}
