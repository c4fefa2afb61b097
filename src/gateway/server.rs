//! A listener on loopback and the connections to it, until the gateway is dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::key::{GatewayKey, new_key};
use super::models::ModelCache;
use super::service::{Shared, answer};
use crate::clock;
use crate::sidecar::{Sidecar, on_a_thread};
use crate::store::{GatewayFile, GatewayRecord, StorageError};

/// Headers must arrive within this time. An idle connection is also closed, later than clients close theirs.
const HEAD_WITHIN: Duration = Duration::from_secs(120);
/// Headers of Codex have a few KiB.
const MAX_HEAD_BYTES: usize = 128 << 10;
/// Connections besides the requests in flight: kept open, or to be refused.
const IDLE_CONNECTIONS: usize = 256;
/// Without a free file handle for a connection, others will be closed.
const OUT_OF_HANDLES: Duration = Duration::from_millis(50);

#[derive(Clone, Debug)]
pub struct GatewayOptions {
    /// 0 takes a free one.
    pub port: u16,
    pub file: GatewayFile,
    /// Largest number of requests in flight.
    pub max_requests: usize,
    /// Largest size of a decoded body.
    pub max_body_bytes: usize,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("port {port} is taken by another program; stop it, or choose another with --port")]
    PortTaken { port: u16 },
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen { port: u16, source: io::Error },
    #[error(transparent)]
    File(#[from] StorageError),
    #[error("no key can be made: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A running gateway. Dropping it ends it and all its connections; [`Gateway::stop`] also brings its file up to date.
#[derive(Debug)]
pub struct Gateway {
    url: String,
    file: GatewayFile,
    accepting: JoinHandle<()>,
}

impl Gateway {
    /// Listens on 127.0.0.1, and writes the address to the file. A key in the file is kept.
    ///
    /// # Errors
    ///
    /// When the port is taken, or the file cannot be written.
    pub async fn start(sidecar: Arc<Sidecar>, options: GatewayOptions) -> Result<Gateway, StartError> {
        let port = options.port;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => StartError::PortTaken { port },
                _ => StartError::Listen { port, source },
            })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { port, source })?;
        let url = format!("http://{address}");
        let key = written_down(&options.file, &url).await?;
        let shared = Arc::new(Shared {
            sidecar,
            key,
            models: ModelCache::default(),
            running: Arc::new(Semaphore::new(options.max_requests.min(Semaphore::MAX_PERMITS))),
            max_body_bytes: options.max_body_bytes,
        });
        let most = options.max_requests.saturating_add(IDLE_CONNECTIONS).min(Semaphore::MAX_PERMITS);
        let accepting = tokio::spawn(accept(listener, shared, Arc::new(Semaphore::new(most))));
        tracing::info!(url, "the gateway listens");
        Ok(Gateway { url, file: options.file, accepting })
    }

    /// Where it listens, e.g. `http://127.0.0.1:41455`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends it. The permanent gateway's file keeps the key; the file of one process is removed.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; the gateway has ended nevertheless.
    pub async fn stop(self) -> Result<(), StorageError> {
        self.accepting.abort();
        let file = self.file.clone();
        on_a_thread(move || match file.pid() {
            None => file
                .change(|record| {
                    *record = GatewayRecord { key: record.key.take(), ..GatewayRecord::default() }
                })
                .map(drop),
            Some(_) => file.remove(),
        })
        .await
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn written_down(file: &GatewayFile, url: &str) -> Result<GatewayKey, StartError> {
    let new = new_key()?;
    let (file, url) = (file.clone(), url.to_owned());
    on_a_thread(move || {
        let mut key = new;
        file.change(|record| {
            key = record.key.take().unwrap_or(key.clone());
            *record = GatewayRecord {
                url: Some(url),
                pid: Some(std::process::id()),
                started_at: Some(clock::now()),
                key: Some(key.clone()),
            };
        })?;
        Ok(GatewayKey::new(file, key))
    })
    .await
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, places: Arc<Semaphore>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        // Never closed, because this task owns the other end.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection to the gateway is not accepted");
                tokio::time::sleep(OUT_OF_HANDLES).await;
                continue;
            }
        };
        let shared = shared.clone();
        connections.spawn(async move {
            serve(stream, peer, shared).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    // Without this an event waits for the acknowledgement of the previous one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "events may be late");
    }
    let service = service_fn(move |request| answer(shared.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection to the gateway has ended early");
    }
}
