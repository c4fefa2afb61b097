//! The transport with a small test module, over pipes in memory.

mod answers;
mod chunks;
mod endings;
mod pressure;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{Methods, RpcModule};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Config, Ended, Input, Outbox, Output, Subscription, register_subscription, serve};

/// Nothing in these tests takes longer unless it is broken.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection to a served test module, as the client sees it.
struct Client {
    to: WriteHalf<DuplexStream>,
    from: BufReader<ReadHalf<DuplexStream>>,
    gate: Arc<Semaphore>,
    outbox: Outbox,
    served: JoinHandle<Ended>,
}

impl Client {
    /// Serves with pipes that hold `pipe_bytes` each way.
    async fn connect(config: Config, pipe_bytes: usize) -> Self {
        Self::connect_until(config, pipe_bytes, pending()).await
    }

    async fn connect_until(
        config: Config,
        pipe_bytes: usize,
        terminate: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (client, server) = tokio::io::duplex(pipe_bytes);
        let (server_from, server_to) = tokio::io::split(server);
        let (from, to) = tokio::io::split(client);
        let gate = Arc::new(Semaphore::new(0));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let methods = toy(gate.clone());
        let build = move |outbox: Outbox| {
            sender.send(outbox).expect("the test listens");
            methods
        };
        let (input, output) = (Input::from_reader(server_from), Output::from_writer(server_to));
        let connection = serve(input, output, config, build, terminate, async {});
        let served = tokio::spawn(connection);
        let outbox = receiver.await.expect("serving began");
        Self { to, from: BufReader::new(from), gate, outbox, served }
    }

    async fn send(&mut self, text: &str) {
        self.to.write_all(text.as_bytes()).await.expect("the server reads");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, self.from.read_line(&mut line)).await;
        assert_ne!(read.expect("an answer in time").expect("readable"), 0, "the output ended");
        line.trim_end_matches('\n').to_owned()
    }

    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        let read = tokio::time::timeout(DEADLINE, self.from.read_to_string(&mut rest)).await;
        read.expect("an end in time").expect("readable");
        rest
    }

    async fn close(&mut self) {
        self.to.shutdown().await.expect("closable");
    }

    async fn ended(self) -> Ended {
        tokio::time::timeout(DEADLINE, self.served).await.expect("an end in time").expect("no panic")
    }
}

#[derive(Clone)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("as it should")
    }
}

/// - `ping` answers at once, `echo` answers its params, `wait` and `wait_long` when the gate lets one through;
/// - `fail` and `strict` answer errors as jsonrpsee makes them;
/// - `panic`, `panic_later` panic before and after the first poll, `panic_written` when its result is written down;
/// - `count {n}` is a subscription that sends 1 to n, `refuse` one that refuses,
///   `linger` one that never ends, `explode` one that panics.
fn toy(gate: Arc<Semaphore>) -> Methods {
    let mut module = RpcModule::new(gate);
    module.register_method("ping", |_, _, _| "pong").expect("new");
    module
        .register_async_method("echo", async |params, _, _| {
            let raw = params.as_str().unwrap_or("null").to_owned();
            Ok::<_, ErrorObjectOwned>(RawValue::from_string(raw).expect("params are JSON"))
        })
        .expect("new");
    for name in ["wait", "wait_long"] {
        module
            .register_async_method(name, async |_, gate: Arc<Arc<Semaphore>>, _| {
                gate.acquire().await.expect("never closed").forget();
                "waited"
            })
            .expect("new");
    }
    module
        .register_method("fail", |_, _, _| {
            let data = serde_json::json!({"kind": "storage", "retryable": true});
            Err::<(), _>(ErrorObjectOwned::owned(-32016, "no", Some(data)))
        })
        .expect("new");
    module.register_method("strict", |params, _, _| params.parse::<[u8; 1]>().map(|_| ())).expect("new");
    module.register_method("panic", |_, _, _| -> () { panic!("as it should") }).expect("new");
    module
        .register_async_method("panic_written", async |params, _, _| {
            if params.as_str().is_some() {
                tokio::task::yield_now().await;
            }
            Ok::<_, ErrorObjectOwned>(Unwritable)
        })
        .expect("new");
    module
        .register_async_method("panic_later", async |_, _, _| -> () {
            tokio::task::yield_now().await;
            panic!("as it should")
        })
        .expect("new");
    register_subscription(&mut module, "count", "count/cancel", count_to, count).expect("new");
    let refuse =
        |_: &Params<'_>, _: &Context| Err::<(), _>(ErrorObjectOwned::owned(-32602, "not you", None::<()>));
    register_subscription(&mut module, "refuse", "refuse/cancel", refuse, async |(), _| {}).expect("new");
    let accept = |_: &Params<'_>, _: &Context| Ok(());
    register_subscription(&mut module, "linger", "linger/cancel", accept, async |(), _| pending().await)
        .expect("new");
    let explode = |_: &Params<'_>, _: &Context| -> Result<(), ErrorObjectOwned> { panic!("as it should") };
    register_subscription(&mut module, "explode", "explode/cancel", explode, async |(), _| {}).expect("new");
    module.into()
}

type Context = Arc<Arc<Semaphore>>;

fn count_to(params: &Params<'_>, _: &Context) -> Result<u64, ErrorObjectOwned> {
    #[derive(serde::Deserialize)]
    struct Count {
        n: u64,
    }
    Ok(params.parse().map_or(0, |Count { n }| n))
}

async fn count(n: u64, mut subscription: Subscription) {
    // Like work over the network, it needs another task to run.
    tokio::spawn(async {}).await.expect("no panic");
    for number in 1..=n {
        if subscription.notify(&number).await.is_err() {
            return;
        }
    }
}
