//! The server: listens on loopback and accepts connections until it is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::{AbortHandle, JoinSet};

use super::connection;
use super::handle::SimHandle;
use super::state::State;
use super::stream_plan::{Pace, StreamPlan};

#[derive(Clone, Debug)]
pub struct SimConfig {
    /// 0: a free one.
    pub port: u16,
    /// How fast answers come for which no rule says anything.
    pub pace: Pace,
    /// Requests are logged, their bodies included. Benchmarks do without.
    pub log: bool,
    /// How long a WebSocket may be open, whatever it is doing; an hour upstream.
    pub socket_limit_ms: Option<u64>,
    /// How often WebSockets are pinged; one that answers two pings in a row with nothing is closed.
    pub socket_ping_ms: Option<u64>,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig { port: 0, pace: Pace::default(), log: true, socket_limit_ms: None, socket_ping_ms: None }
    }
}

/// A running simulator. Dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: SimConfig,
    state: Mutex<State>,
    /// The last stream that was rendered once, and its bytes.
    pub(super) rendered: Mutex<Option<(StreamPlan, Bytes)>>,
    /// To every open WebSocket: close with this code, or without a word.
    pub(super) socket_orders: broadcast::Sender<Option<u16>>,
}

impl Sim {
    /// Listens on 127.0.0.1; needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the port is taken.
    pub async fn start(config: SimConfig) -> io::Result<Sim> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            state: Mutex::default(),
            rendered: Mutex::default(),
            socket_orders: broadcast::Sender::new(4),
        });
        let accepting = tokio::spawn(accept(listener, shared.clone())).abort_handle();
        Ok(Sim { address, shared, accepting })
    }

    /// For `--upstream-url`.
    pub fn upstream_url(&self) -> String {
        format!("http://{}/backend-api", self.address)
    }

    /// For `--auth-url`.
    pub fn auth_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn handle(&self) -> SimHandle {
        SimHandle::new(self.shared.clone())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// Never held over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, shared.clone()));
                }
                // Out of file handles: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}
