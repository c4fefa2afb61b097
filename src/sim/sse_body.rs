//! Sends the steps of a stream as the body of an answer, with its pace and in its pieces.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::behaviour::Break;
use super::connection::{Dropped, Link};
use super::framing::Framer;
use super::log::RequestEnd;
use super::state::Tracked;
use super::steps::Step;
use super::stream_plan::StreamPlan;

pub(super) type Body = BoxBody<Bytes, Dropped>;

pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// All steps in one piece, without time and breaks.
pub(super) fn rendered(plan: &StreamPlan, steps: &[Step]) -> io::Result<Bytes> {
    let mut framer = Framer::new(&plan.framing);
    let mut out = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if let Step::Event(data) = step {
            out.extend_from_slice(&framer.event(data, at + 1 == steps.len())?);
        }
    }
    out.extend_from_slice(&framer.end()?);
    Ok(out.into())
}

/// A body that runs the steps while it is read. Reports to `tracked` how it ended.
pub(super) fn played(plan: StreamPlan, steps: Vec<Step>, link: Link, tracked: Tracked) -> Body {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        let mut player = Player { framer: Framer::new(&plan.framing), sender, link };
        let end = match player.play(&plan, &steps).await {
            Ok(Ended::Broken) => RequestEnd::Broken,
            Ok(Ended::Whole) => player.finish(&plan).await,
            Err(Away) => RequestEnd::Aborted,
        };
        tracked.ended(end);
    });
    BodyExt::boxed(StreamBody::new(stream::unfold(receiver, next)))
}

async fn next(mut receiver: Receiver<Piece>) -> Option<(Piece, Receiver<Piece>)> {
    receiver.recv().await.map(|piece| (piece, receiver))
}

type Piece = Result<Frame<Bytes>, Dropped>;

/// The client does not read any more.
struct Away;

enum Ended {
    Whole,
    Broken,
}

struct Player {
    framer: Framer,
    sender: Sender<Piece>,
    link: Link,
}

impl Player {
    async fn play(&mut self, plan: &StreamPlan, steps: &[Step]) -> Result<Ended, Away> {
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Event(data) => {
                    self.pause(if at == 0 { plan.pace.first_ms } else { plan.pace.each_ms }).await?;
                    let bytes = self.framer.event(data, at + 1 == steps.len()).map_err(|_| Away)?;
                    self.write(bytes, plan.framing.split_bytes).await?;
                }
                Step::PauseMs(milliseconds) => self.pause(*milliseconds).await?,
                Step::CommentsEachMs(milliseconds) => loop {
                    self.pause(*milliseconds).await?;
                    let bytes = self.framer.comment().map_err(|_| Away)?;
                    self.write(bytes, None).await?;
                },
                Step::Close(_) => {
                    self.break_off(Break::Cut).await?;
                    return Ok(Ended::Broken);
                }
                Step::Break(how) => {
                    self.break_off(*how).await?;
                    return Ok(Ended::Broken);
                }
            }
        }
        Ok(Ended::Whole)
    }

    async fn finish(self, plan: &StreamPlan) -> RequestEnd {
        let Player { framer, sender, link } = self;
        let Ok(bytes) = framer.end() else { return RequestEnd::Aborted };
        let mut last = Player { framer: Framer::new(&plan.framing), sender, link };
        match last.write(bytes, plan.framing.split_bytes).await {
            Ok(()) => RequestEnd::Answered,
            Err(Away) => RequestEnd::Aborted,
        }
    }

    async fn write(&mut self, bytes: Bytes, split: Option<usize>) -> Result<(), Away> {
        if bytes.is_empty() {
            return Ok(());
        }
        let Some(size) = split.filter(|size| *size > 0) else { return self.send(bytes).await };
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest.split_to(size.min(rest.len()));
            self.send(piece).await?;
            // Pieces that are ready at the same time would be written together.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Away> {
        self.sender.send(Ok(Frame::data(bytes))).await.map_err(|_| Away)
    }

    async fn pause(&self, milliseconds: u64) -> Result<(), Away> {
        if milliseconds == 0 {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(milliseconds)) => Ok(()),
            () = self.sender.closed() => Err(Away),
        }
    }

    async fn break_off(&mut self, how: Break) -> Result<(), Away> {
        if how == Break::Hang {
            self.sender.closed().await;
            return Err(Away);
        }
        // hyper writes what it has while a body is pending; an error of the body drops what was not written.
        self.pause(20).await?;
        if how == Break::Reset {
            self.link.reset_when_dropped();
        }
        self.sender.send(Err(Dropped)).await.map_err(|_| Away)
    }
}
