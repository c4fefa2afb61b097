//! One accepted connection: HTTP/1.1, or HTTP/2 with prior knowledge; and the way to reset it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::dispatch::answer;
use super::server::Shared;
use super::socket::Session;

/// Ends the connection without an answer; hyper closes it when a service or a body fails.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped on purpose")]
pub(super) struct Dropped;

/// Whether to reset the connection instead of closing it when it is dropped.
#[derive(Clone, Debug, Default)]
pub(super) struct Link(Arc<AtomicBool>);

impl Link {
    pub(super) fn reset_when_dropped(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Where the service puts the WebSocket that a connection has become.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenedSocket(Arc<Mutex<Option<Session>>>);

impl OpenedSocket {
    pub(super) fn set(&self, session: Option<Session>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    fn take(&self) -> Option<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let link = Link::default();
    // Without this, the pieces of a stream that should arrive separately are joined.
    let nodelay = stream.set_nodelay(true);
    let http2 = nodelay.is_ok() && speaks_http2(&stream).await;
    let io = TokioIo::new(Socket { stream, link: link.clone() });
    let opened = OpenedSocket::default();
    let leaves = opened.clone();
    let service = service_fn(move |request| answer(shared.clone(), link.clone(), leaves.clone(), request));
    // hyper reports a dropped connection as an error; here it is intended.
    let _dropped_or_closed = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(io, service).with_upgrades().await
    };
    if let Some(session) = opened.take() {
        session.run().await;
    }
}

async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut start = [0; 3];
    loop {
        match stream.peek(&mut start).await {
            Ok(0) | Err(_) => return false,
            Ok(seen) if !b"PRI".starts_with(&start[..seen]) => return false,
            Ok(3) => return true,
            Ok(_) => tokio::task::yield_now().await,
        }
    }
}

struct Socket {
    stream: TcpStream,
    link: Link,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.link.0.load(Ordering::Relaxed) && self.stream.set_zero_linger().is_err() {
            tracing::debug!("a connection that was to be reset was gone");
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
