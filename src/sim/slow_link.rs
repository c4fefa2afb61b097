//! A network link between a client and a server: what is sent arrives later, and only so much of it at a time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc as queue, oneshot};
use tokio::time::{Instant, sleep_until};

/// What a link does to each direction.
#[derive(Clone, Copy, Debug)]
pub struct LinkSpeed {
    /// One way.
    pub delay: Duration,
    pub bits_per_second: u64,
}

/// A running link on a thread of its own. Dropping it ends it and its connections.
#[derive(Debug)]
pub struct SlowLink {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SlowLink {
    /// Listens on 127.0.0.1 and passes on to `target`.
    ///
    /// # Errors
    ///
    /// When no thread or no port is available.
    pub fn start(target: SocketAddr, speed: LinkSpeed) -> io::Result<SlowLink> {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let sent = Arc::<AtomicU64>::default();
        let counted = sent.clone();
        let thread = std::thread::Builder::new().name("link".to_owned()).spawn(move || {
            let started =
                tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
                    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
                    Ok((listener.local_addr()?, runtime, listener))
                });
            match started {
                Err(error) => drop(tell.send(Err(error))),
                Ok((address, runtime, listener)) => {
                    if tell.send(Ok(address)).is_ok() {
                        runtime.block_on(async {
                            tokio::select! {
                                () = accept(listener, target, speed, counted) => {}
                                _ = stopped => {}
                            }
                        });
                    }
                }
            }
        })?;
        let address = told.recv().map_err(io::Error::other)??;
        Ok(SlowLink { address, sent, stop: Some(stop), thread: Some(thread) })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many bytes clients have sent through the link.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for SlowLink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, speed: LinkSpeed, sent: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(target).await else { continue };
        if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
            continue;
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        pass_on(from_client, to_server, speed, Some(sent.clone()));
        pass_on(from_server, to_client, speed, None);
    }
}

/// Each piece takes its time on the wire after the one before it, and arrives `delay` later.
fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, speed: LinkSpeed, sent: Option<Arc<AtomicU64>>) {
    let (arriving, mut arrivals) = queue::channel::<(Instant, Vec<u8>)>(64);
    tokio::spawn(async move {
        let mut free_at = Instant::now();
        let mut piece = vec![0; 8 << 10];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            if let Some(sent) = &sent {
                sent.fetch_add(read as u64, Ordering::Relaxed);
            }
            let on_the_wire = Duration::from_secs_f64(read as f64 * 8.0 / speed.bits_per_second as f64);
            free_at = free_at.max(Instant::now()) + on_the_wire;
            if arriving.send((free_at + speed.delay, piece[..read].to_vec())).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((at, piece)) = arrivals.recv().await {
            sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                break;
            }
        }
    });
}
