//! A Rust client of the protocol: a jsonrpsee client over a child's stdin and stdout, one JSON text per line. It is
//! typed by [`Method`], so it cannot differ from the server. It does not restart the sidecar; a program that needs this
//! follows "Supervising the sidecar" in `schema/protocol.md`.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use jsonrpsee::core::client::{
    Client as RpcClient, ClientBuilder, ClientT, Error, ReceivedMessage, Subscription, SubscriptionClientT,
    TransportReceiverT, TransportSenderT,
};
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::rpc_params;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::protocol::{Complete, CompleteCancel, CompleteParams, Method};

/// A running sidecar and the connection to it.
#[derive(Debug)]
pub struct Client {
    rpc: RpcClient,
    child: Child,
}

impl Client {
    /// Spawns `command` and connects to its stdin and stdout. Its stderr stays as the command set it.
    ///
    /// # Errors
    ///
    /// When the command cannot be started.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the child has no pipes"));
        };
        let rpc = ClientBuilder::default()
            // jsonrpsee closes a subscription whose reader is this many notifications behind.
            .max_buffer_capacity_per_subscription(64 * 1024)
            .build_with_tokio(Lines(stdin), Texts(BufReader::new(stdout)));
        Ok(Client { rpc, child })
    }

    /// # Errors
    ///
    /// An error answer of the sidecar, or a closed connection.
    pub async fn request<M: Method>(&self, params: &M::Params) -> Result<M::Result, Error>
    where
        M::Params: Serialize + Sync,
        M::Result: DeserializeOwned,
    {
        self.rpc.request(M::NAME, Named::new(params)?).await
    }

    /// Starts a completion. Each item is the raw `result` of one `complete` notification, in order; the subscription
    /// does not end by itself after the last one.
    ///
    /// # Errors
    ///
    /// As [`Client::request`].
    pub async fn complete(&self, params: &CompleteParams) -> Result<Subscription<Box<RawValue>>, Error> {
        self.rpc.subscribe(Complete::NAME, Named::new(params)?, CompleteCancel::NAME).await
    }

    /// Subscribes to the params of every notification of this name from now on, e.g. `accounts/changed`.
    ///
    /// # Errors
    ///
    /// When the name already has a subscription, or the connection is closed.
    pub async fn notifications(&self, name: &str) -> Result<Subscription<serde_json::Value>, Error> {
        self.rpc.subscribe_to_method(name).await
    }

    /// Returns the process id of the sidecar; `None` once it has ended.
    pub fn process_id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends `shutdown` and `exit`, and waits for the sidecar to end.
    ///
    /// # Errors
    ///
    /// When it has not ended after `patience`; it is killed then.
    pub async fn end(self, patience: Duration) -> io::Result<std::process::ExitStatus> {
        let Client { rpc, mut child } = self;
        let farewell = async {
            // If the connection is closed, the exit status says why.
            let _ = rpc.request::<(), _>("shutdown", rpc_params![]).await;
            let _ = rpc.notification("exit", rpc_params![]).await;
            child.wait().await
        };
        tokio::time::timeout(patience, farewell).await?
    }
}

/// Params that are already JSON.
struct Named(Box<RawValue>);

impl Named {
    fn new(params: &impl Serialize) -> Result<Self, Error> {
        serde_json::value::to_raw_value(params).map(Named).map_err(Error::ParseError)
    }
}

impl ToRpcParams for Named {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(Some(self.0))
    }
}

struct Lines(ChildStdin);

impl TransportSenderT for Lines {
    type Error = io::Error;

    async fn send(&mut self, mut message: String) -> io::Result<()> {
        message.push('\n');
        self.0.write_all(message.as_bytes()).await?;
        self.0.flush().await
    }
}

struct Texts(BufReader<ChildStdout>);

impl TransportReceiverT for Texts {
    type Error = io::Error;

    async fn receive(&mut self) -> io::Result<ReceivedMessage> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(ReceivedMessage::Bytes(line)),
        }
    }
}
