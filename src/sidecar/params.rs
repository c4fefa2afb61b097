//! The params of a request as a type, or the error that names the field.

use jsonrpsee::types::Params;
use serde::de::DeserializeOwned;

use crate::protocol::RpcError;

/// Parses params as `T`, or returns -32602 whose `data.path` names the field. Absent params count as `{}`.
pub(crate) fn parse<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, RpcError> {
    let text = params.as_str().filter(|text| *text != "null").unwrap_or("{}");
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let inner = error.inner().to_string();
        let path = match (error.path().to_string(), missing_field(&inner)) {
            (path, Some(field)) if path == "." => field.to_owned(),
            (path, Some(field)) => format!("{path}.{field}"),
            (path, None) => path,
        };
        let reason = inner.split(" at line ").next().unwrap_or_default();
        RpcError::invalid_params(&path, format!("{path}: {reason}"))
    })
}

/// serde reports a missing member at its parent's path, and names it only in the text.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}
