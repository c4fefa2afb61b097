//! `rpc.discover`: the committed OpenRPC document, which a test compares with the types.

use std::sync::Arc;

use serde_json::Value;

use crate::protocol::{ErrorKind, NoParams, RpcError};
use crate::sidecar::Sidecar;

pub(crate) fn discover(_: &Arc<Sidecar>, _: NoParams) -> Result<Value, RpcError> {
    serde_json::from_str(include_str!("../../../schema/openrpc.json")).map_err(|error| {
        RpcError::new(ErrorKind::Internal, format!("the embedded OpenRPC document does not parse: {error}"))
    })
}
