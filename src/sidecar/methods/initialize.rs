//! `initialize`: the client's name, and the notifications that it wants.

use std::sync::{Arc, OnceLock};

use crate::http::HttpClient;
use crate::protocol::{
    Capabilities, ClientInfo, CompleteCapability, ErrorKind, InitializeParams, InitializeResult,
    LoginCapability, LoginFlow, PROTOCOL_VERSION, RpcError, ServerInfo,
};
use crate::sidecar::Sidecar;
use crate::sidecar::methods::{paths, status, status::ShownStatus};

/// The client: its name, and what it saw last.
pub(crate) struct ClientSession {
    client: OnceLock<ClientInfo>,
    pub(crate) shown: ShownStatus,
    http: HttpClient,
}

impl ClientSession {
    pub(crate) fn new(http: HttpClient) -> Self {
        ClientSession { client: OnceLock::new(), shown: ShownStatus::default(), http }
    }

    pub(crate) fn http(&self) -> &HttpClient {
        &self.http
    }

    /// The client's name for the `originator` header, when the handshake gave one.
    pub(crate) fn client(&self) -> Option<&ClientInfo> {
        self.client.get()
    }
}

pub(crate) fn initialize(
    sidecar: &Arc<Sidecar>,
    params: InitializeParams,
) -> Result<InitializeResult, RpcError> {
    if sidecar.session.client.set(params.client.unwrap_or_default()).is_err() {
        return Err(RpcError::new(ErrorKind::InvalidRequest, "already initialized"));
    }
    sidecar.warm_up();
    status::begin(sidecar);
    sidecar.notifier.open(params.opt_out_notifications.unwrap_or_default());
    Ok(InitializeResult {
        server: ServerInfo { name: "multicodex".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        protocol_version: PROTOCOL_VERSION,
        capabilities: Capabilities {
            complete: CompleteCapability { transports: vec!["sse".to_owned(), "websocket".to_owned()] },
            login: LoginCapability { flows: vec![LoginFlow::Browser, LoginFlow::Device] },
        },
        paths: paths::of(&sidecar.options.paths),
    })
}

impl Sidecar {
    /// Building the TLS client costs milliseconds; from here on a completion is likely and would have to wait for it.
    pub fn warm_up(&self) {
        self.session.http.warm(&self.options.upstream_url);
    }
}
