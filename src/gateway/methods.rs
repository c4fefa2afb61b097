//! `gateway/start` and `gateway/stop`: a gateway within the sidecar, with its own key.

use std::sync::Arc;

use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::{Methods, RpcModule};
use tokio::sync::Mutex;

use super::server::{Gateway, GatewayOptions, StartError};
use super::setup::key_command;
use crate::protocol::{
    ErrorKind, GatewayStart, GatewayStartParams, GatewayStarted, GatewayStop, GatewayStopped, Method,
    NoParams, RpcError,
};
use crate::sidecar::{Sidecar, error_answer, parse_params};

/// The gateway of a sidecar, when it has one.
pub struct GatewayControl {
    sidecar: Arc<Sidecar>,
    options: GatewayOptions,
    running: Mutex<Option<Gateway>>,
}

impl std::fmt::Debug for GatewayControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GatewayControl").field("options", &self.options).finish_non_exhaustive()
    }
}

impl GatewayControl {
    /// `options.port` is used for a client that names none.
    pub fn new(sidecar: Arc<Sidecar>, options: GatewayOptions) -> Arc<Self> {
        Arc::new(GatewayControl { sidecar, options, running: Mutex::default() })
    }

    /// # Errors
    ///
    /// When two methods have one name, which a test excludes.
    pub fn methods(self: &Arc<Self>) -> Result<Methods, RegisterMethodError> {
        let mut module = RpcModule::from_arc(self.clone());
        module.register_async_method(GatewayStart::NAME, |params, control, _| async move {
            control.start(parse_params(&params)?).await.map_err(error_answer::<GatewayStart>)
        })?;
        module.register_async_method(GatewayStop::NAME, |params, control, _| async move {
            let NoParams {} = parse_params(&params)?;
            Ok::<_, ErrorObjectOwned>(GatewayStopped { stopped: control.stop().await })
        })?;
        Ok(module.into())
    }

    async fn start(&self, params: GatewayStartParams) -> Result<GatewayStarted, RpcError> {
        let port = match params.port.map(u16::try_from) {
            None => self.options.port,
            Some(Ok(port)) => port,
            Some(Err(_)) => return Err(RpcError::invalid_params("port", "port: must be at most 65535")),
        };
        let mut running = self.running.lock().await;
        let url = match &*running {
            Some(gateway) => gateway.url().to_owned(),
            None => {
                let options = GatewayOptions { port, ..self.options.clone() };
                let gateway = Gateway::start(self.sidecar.clone(), options).await.map_err(refused)?;
                running.insert(gateway).url().to_owned()
            }
        };
        Ok(GatewayStarted { url, key_command: key_command(&self.options.file) })
    }

    /// Ends the gateway; returns whether there was one.
    pub async fn stop(&self) -> bool {
        let Some(gateway) = self.running.lock().await.take() else { return false };
        if let Err(error) = gateway.stop().await {
            tracing::warn!(%error, "the gateway's file could not be removed");
        }
        true
    }
}

fn refused(error: StartError) -> RpcError {
    match error {
        StartError::PortTaken { .. } | StartError::Listen { .. } => {
            RpcError::invalid_params("port", format!("port: {error}"))
        }
        StartError::File(error) => error.into(),
        StartError::Randomness(_) => RpcError::new(ErrorKind::Internal, error.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_the_clients_mistake() {
        let error = refused(StartError::PortTaken { port: 5 });
        assert_eq!((error.kind.code(), error.data.path.as_deref().unwrap()), (-32602, "port"));
    }
}
