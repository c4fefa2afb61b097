//! The OpenRPC document and the JSON Schema bundle, generated from the types of this module and committed under
//! `schema/`. A test regenerates both and names the command that fixes a difference.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::notification::Notification;
use super::{
    Accounts, AccountsChanged, AccountsDisable, AccountsEnable, AccountsImport, AccountsLabel,
    AccountsRemove, AccountsResetCredit, AccountsToken, AccountsUse, Command, CommandSuggest, Complete,
    CompleteCancel, CompleteCollect, ErrorData, ErrorKind, Failed, GatewayStart, GatewayStop, History,
    Initialize, Login, LoginCancel, LoginCompleted, LoginSubmit, LoginWait, Method, Notice, PROTOCOL_VERSION,
    Reauth, Refresh, RefreshProgress, Reset, RpcDiscover, SetFooter, SetRotation, ShowFooter, ShowPaths,
    ShowRotation, ShowStatus, StatusChanged, Verify, Warning,
};

/// Returns the content of `schema/openrpc.json`: OpenRPC 1.3.2 (spec.open-rpc.org). OpenRPC has no notifications, so they
/// are listed under `x-notifications`, and those of `complete` under its `x-subscription`.
pub fn document() -> Value {
    let mut schemas = Schemas::with_definitions_at("/components/schemas");
    let methods = methods(&mut schemas);
    let notifications = notifications(&mut schemas);
    let error_data = schemas.of_result::<ErrorData>();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "multicodex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC 2.0 over the sidecar's stdin and stdout; see schema/protocol.md.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "methods": methods,
        "components": {"schemas": schemas.into_definitions()},
        "x-protocol-version": PROTOCOL_VERSION,
        "x-error-data": error_data,
        "x-common-errors": common_errors(),
        "x-notifications": notifications,
    })
}

/// Returns the content of `schema/multicodex.schema.json`: every type of the protocol under `$defs` (JSON Schema 2020-12),
/// for generators.
pub fn bundle() -> Value {
    let mut schemas = Schemas::with_definitions_at("/$defs");
    let methods = methods(&mut schemas);
    let notifications = notifications(&mut schemas);
    schemas.of_result::<ErrorData>();
    schemas.of_result::<Failed>();
    let mut by_method = Map::new();
    for method in methods {
        if let (Some(name), params, Some(result)) =
            (method["name"].as_str(), &method["x-params"], method.get("result"))
        {
            by_method.insert(name.to_owned(), json!({"params": params, "result": result["schema"]}));
        }
    }
    let by_notification: Map<String, Value> = notifications
        .iter()
        .filter_map(|notification| {
            Some((notification["name"].as_str()?.to_owned(), notification["params"].clone()))
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "multicodex protocol",
        "$defs": schemas.into_definitions(),
        "x-methods": by_method,
        "x-notifications": by_notification,
    })
}

fn methods(schemas: &mut Schemas) -> Vec<Value> {
    let mut complete = method::<Complete>(schemas);
    complete["x-subscription"] = json!({
        "notification": "complete",
        "params": {
            "type": "object",
            "required": ["subscription", "result"],
            "properties": {"subscription": {"type": "string"}, "result": schemas.of_result::<Notice<'static>>()},
        },
        "cancel": CompleteCancel::NAME,
    });
    vec![
        method::<Initialize>(schemas),
        bare_method(
            "shutdown",
            "Begins the end: requests in flight are answered, and afterwards only `exit` is accepted.",
        ),
        method::<RpcDiscover>(schemas),
        method::<Accounts>(schemas),
        method::<AccountsUse>(schemas),
        method::<AccountsRemove>(schemas),
        method::<AccountsDisable>(schemas),
        method::<AccountsEnable>(schemas),
        method::<AccountsLabel>(schemas),
        method::<AccountsResetCredit>(schemas),
        method::<AccountsImport>(schemas),
        method::<Login>(schemas),
        method::<Reauth>(schemas),
        method::<LoginSubmit>(schemas),
        method::<LoginWait>(schemas),
        method::<LoginCancel>(schemas),
        method::<AccountsToken>(schemas),
        method::<Refresh>(schemas),
        method::<ShowRotation>(schemas),
        method::<SetRotation>(schemas),
        method::<Reset>(schemas),
        method::<ShowStatus>(schemas),
        method::<ShowFooter>(schemas),
        method::<SetFooter>(schemas),
        method::<Verify>(schemas),
        method::<History>(schemas),
        method::<Command>(schemas),
        method::<CommandSuggest>(schemas),
        method::<ShowPaths>(schemas),
        complete,
        method::<CompleteCancel>(schemas),
        method::<CompleteCollect>(schemas),
        method::<GatewayStart>(schemas),
        method::<GatewayStop>(schemas),
    ]
}

/// Returns the errors that any request can be answered with. Those of the transport have no [`ErrorKind`].
fn common_errors() -> Vec<Value> {
    let transport = [
        (-32700, "parse_error", "The message is not JSON."),
        (-32600, "invalid_request", "The message is not a request, or not allowed now."),
        (-32600, "message_too_large", "The message is larger than `--max-message-bytes`."),
        (-32601, "method_not_found", "No method has this name."),
        (-32001, "overloaded", "`--max-requests` requests are in flight; try again."),
        (-32800, "cancelled", "`$/cancelRequest` named this request, or the sidecar ends."),
    ];
    let transport = transport.map(|(code, kind, meaning)| error(code, meaning, kind));
    let common = [ErrorKind::InvalidParams, ErrorKind::Internal];
    let common = common.map(|kind| error(kind.code(), kind.meaning(), &kind.name()));
    transport.into_iter().chain(common).collect()
}

fn error(code: i32, meaning: &str, kind: &str) -> Value {
    json!({"code": code, "message": meaning, "data": {"kind": kind}})
}

fn method<M: Method>(schemas: &mut Schemas) -> Value {
    let params = schemas.of_params::<M::Params>();
    let descriptors = schemas.descriptors(&params);
    // One param may also come by position; with more, `schema/protocol.md` promises names only.
    let structure = if descriptors.len() <= 1 { "either" } else { "by-name" };
    let mut method = json!({
        "name": M::NAME,
        "summary": M::SUMMARY,
        "paramStructure": structure,
        "params": descriptors,
        "result": {"name": "result", "schema": schemas.of_result::<M::Result>()},
        "errors": M::ERRORS.iter().map(|kind| error(kind.code(), kind.meaning(), &kind.name())).collect::<Vec<_>>(),
        "x-params": params,
    });
    if !M::DESCRIPTION.is_empty() {
        method["description"] = M::DESCRIPTION.into();
    }
    method
}

fn bare_method(name: &str, summary: &str) -> Value {
    json!({"name": name, "summary": summary, "params": [], "result": {"name": "result", "schema": {"type": "null"}}})
}

fn notifications(schemas: &mut Schemas) -> Vec<Value> {
    fn one<N: Notification>(schemas: &mut Schemas) -> Value {
        json!({"name": N::NAME, "summary": N::SUMMARY, "from": "server", "params": schemas.of_result::<N::Params>()})
    }
    let cancel = json!({
        "name": "$/cancelRequest", "from": "client",
        "summary": "Cancels a request in flight, which is then answered -32800.",
        "params": {"type": "object", "required": ["id"], "properties": {"id": {"type": ["string", "integer"]}}},
    });
    let exit = json!({
        "name": "exit", "from": "client",
        "summary": "Ends the process: exit code 0 after `shutdown`, else 1.",
        "params": {"type": "object"},
    });
    vec![
        one::<AccountsChanged>(schemas),
        one::<StatusChanged>(schemas),
        one::<LoginCompleted>(schemas),
        one::<Warning>(schemas),
        one::<RefreshProgress>(schemas),
        cancel,
        exit,
    ]
}

/// Two generators over one set of definitions: clients may leave out members that have defaults, answers hold them.
struct Schemas {
    params: SchemaGenerator,
    results: SchemaGenerator,
}

impl Schemas {
    fn with_definitions_at(path: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = path.into();
            settings.meta_schema = None;
        });
        Schemas {
            params: settings.clone().for_deserialize().into_generator(),
            results: settings.for_serialize().into_generator(),
        }
    }

    fn of_params<T: JsonSchema>(&mut self) -> Value {
        self.params.subschema_for::<T>().to_value()
    }

    fn of_result<T: JsonSchema>(&mut self) -> Value {
        self.results.subschema_for::<T>().to_value()
    }

    /// Returns one content descriptor per member of the params object that `params` refers to.
    fn descriptors(&self, params: &Value) -> Vec<Value> {
        let name = params["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let Some(definition) = self.params.definitions().get(name) else { return Vec::new() };
        let required: Vec<&str> =
            definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        definition["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| {
                json!({"name": name, "required": required.contains(&name.as_str()), "schema": schema})
            })
            .collect()
    }

    fn into_definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.params.take_definitions(true);
        for (name, schema) in self.results.take_definitions(true) {
            // A type that occurs in params and in results is described as in results.
            definitions.insert(name, schema);
        }
        definitions
    }
}
