//! The loopback server to which browsers return. One server serves all logins of this process, distinguished by state.
//! It listens only while a login waits, only on 127.0.0.1, and answers nothing but the callback.
//!
//! HTTP is parsed here, because it is only one request head of limited size and time, and a server library would accept
//! more.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::LoginError;
use super::page::Page;
use super::redirect::Redirect;
use crate::secret::Secret;

/// The ports that the authorization server allows for Codex's client (schema/upstream.md, login).
pub const CALLBACK_PORTS: [u16; 2] = [1455, 1457];
pub(super) const CALLBACK_PATH: &str = "/auth/callback";

const HEAD_WITHIN: Duration = Duration::from_secs(10);
const PAGE_WITHIN: Duration = Duration::from_secs(5);
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Browsers open connections ahead and leave them idle. More connections than this wait.
const MAX_CONNECTIONS: usize = 32;

/// The logins that wait for a browser. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Callbacks(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    /// By state.
    waiting: HashMap<String, oneshot::Sender<Callback>>,
    server: Option<Server>,
    /// The previous server, which may still hold its port.
    closing: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Server {
    port: u16,
    task: JoinHandle<()>,
}

/// One login's place at the callback. Dropping it frees the place.
#[derive(Debug)]
pub(super) struct Expected {
    callbacks: Callbacks,
    state: Secret,
    arrival: oneshot::Receiver<Callback>,
    /// `None` when every port was taken.
    pub port: Option<u16>,
}

/// What a browser brought back.
#[derive(Debug)]
pub(super) struct Callback {
    pub answer: Result<Secret, LoginError>,
    pub visitor: BrowserConnection,
}

/// A browser that waits for the page about its login.
#[derive(Debug)]
pub struct BrowserConnection(TcpStream);

impl BrowserConnection {
    /// Sends the page and closes the connection. A browser that is gone is ignored.
    pub async fn show(mut self, page: &Page) {
        let answer = page.to_http();
        let written = async {
            self.0.write_all(answer.as_bytes()).await?;
            self.0.shutdown().await
        };
        if let Ok(Err(error)) = timeout(PAGE_WITHIN, written).await {
            tracing::debug!(%error, "the browser did not take its page");
        }
    }
}

impl Callbacks {
    /// Waits for the redirect with this `state`, on the first free port of `ports`.
    pub(super) async fn expect(&self, state: &Secret, ports: &[u16]) -> Expected {
        let closing = self.desk().closing.take();
        if let Some(closing) = closing {
            // It was aborted, so this is short and its result is not needed.
            let _ = closing.await;
        }
        let (sender, arrival) = oneshot::channel();
        let mut desk = self.desk();
        if desk.server.is_none() {
            desk.server = listen(ports)
                .map(|(port, listener)| Server { port, task: tokio::spawn(accept(listener, self.clone())) });
        }
        desk.waiting.insert(state.expose().to_owned(), sender);
        let port = desk.server.as_ref().map(|server| server.port);
        Expected { callbacks: self.clone(), state: state.clone(), arrival, port }
    }

    fn desk(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// Never resolves when there is no server.
    pub(super) async fn arrival(&mut self) -> Callback {
        match (&mut self.arrival).await {
            Ok(arrival) => arrival,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut desk = self.callbacks.desk();
        desk.waiting.remove(self.state.expose());
        if desk.waiting.is_empty()
            && let Some(server) = desk.server.take()
        {
            server.task.abort();
            desk.closing = Some(server.task);
        }
    }
}

fn listen(ports: &[u16]) -> Option<(u16, TcpListener)> {
    for port in ports {
        let bound = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?.port(), TcpListener::from_std(listener)?))
        });
        match bound {
            Ok(bound) => return Some(bound),
            Err(error) => tracing::info!(port, %error, "no login callback on this port"),
        }
    }
    tracing::warn!("no port is free for the login callback; the address can be pasted instead");
    None
}

async fn accept(listener: TcpListener, callbacks: Callbacks) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(visit(stream, callbacks.clone()));
                }
                // Out of file handles: some will be closed.
                Err(error) => {
                    tracing::warn!(%error, "the login callback cannot accept connections for now");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn visit(mut stream: TcpStream, callbacks: Callbacks) {
    let head = match timeout(HEAD_WITHIN, read_head(&mut stream)).await {
        Ok(Some(head)) => head,
        // It closed or stayed idle, so there is no request.
        Ok(None) | Err(_) => return,
    };
    let visitor = BrowserConnection(stream);
    let redirect = match read_request(&head) {
        Ok(redirect) => redirect,
        Err(page) => return visitor.show(&page).await,
    };
    // The state is all that distinguishes our own redirect from a request that any page could cause.
    let waiting = redirect.state.and_then(|state| {
        redirect.answer.map(|answer| (answer, callbacks.desk().waiting.remove(state.expose())))
    });
    let Some((answer, Some(login))) = waiting else { return visitor.show(&Page::NotWaiting).await };
    if let Err(arrival) = login.send(Callback { answer, visitor }) {
        arrival.visitor.show(&Page::NotWaiting).await;
    }
}

/// Returns `None` when the connection ended before the head did. A head that is too long is returned as far as it was
/// read, and is not a valid request.
async fn read_head(stream: &mut TcpStream) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let mut head = zeroize::Zeroizing::new(Vec::with_capacity(4096));
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        if stream.read_buf(&mut *head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Returns the redirect in a request head, or the page that refuses it.
pub(super) fn read_request(head: &[u8]) -> Result<Redirect, Page> {
    let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(Page::BadRequest)?;
    let head = std::str::from_utf8(&head[..end]).map_err(|_| Page::BadRequest)?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Page::BadRequest);
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || !target.starts_with('/') {
        return Err(Page::BadRequest);
    }
    // Another host name that points to this address (DNS rebinding): the page could read the answer.
    let mut hosts = lines.filter_map(|line| {
        let (name, host) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then_some(host.trim())
    });
    if !hosts.all(is_loopback) {
        return Err(Page::NotFound);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match (path, method) {
        (CALLBACK_PATH, "GET") => Ok(Redirect::from_query(query)),
        (CALLBACK_PATH, _) => Err(Page::MethodNotAllowed),
        _ => Err(Page::NotFound),
    }
}

/// The port does not matter: it may be forwarded from another machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
