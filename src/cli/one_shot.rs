//! A sidecar that lives as long as one command: started in this process, used, and ended in order.

use std::process::ExitCode;
use std::sync::Arc;

use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::{Methods, MethodsError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tracing::level_filters::LevelFilter;

use super::directories::have_directories;
use super::logging::{Reader, start_logging};
use super::options::ServeOptions;
use super::print::{self, print_error};
use super::runtime::on_a_runtime;
use super::signals::run_or_interrupt;
use super::start::sidecar_options;
use super::terminal::text_style;
use crate::protocol::{ErrorData, Method, NoParams, RpcError, ShowFooter};
use crate::render::{TextStyle, clean};
use crate::sidecar::{self, Sidecar, Start};

pub(super) struct OneShot {
    pub(super) sidecar: Arc<Sidecar>,
    methods: Methods,
}

/// How a command starts its sidecar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    pub(super) start: Start,
    /// Log lines from this level on are shown to the person.
    pub(super) least: LevelFilter,
    /// A damaged accounts file is an error, not "no accounts".
    pub(super) accounts: bool,
}

impl Needs {
    /// pi's login is merged first, and the accounts file must be readable.
    pub(super) const ACCOUNTS: Needs =
        Needs { start: Start::Merging, least: LevelFilter::WARN, accounts: true };
}

/// Runs `work` with a sidecar. Returns its exit code; 1 and a message on stderr when it fails; 130 when it is
/// interrupted, after results in progress were stored.
///
/// # Errors
///
/// The reason why the sidecar cannot start.
pub(super) fn one_shot(
    options: ServeOptions,
    needs: Needs,
    work: impl AsyncFnOnce(&OneShot) -> Result<ExitCode, String>,
) -> Result<ExitCode, String> {
    // Before the log file, which may be in a directory that this creates.
    if needs.start != Start::ReadOnly {
        have_directories(&options.paths)?;
    }
    start_logging(&options, Reader::Person(needs.least))?;
    rustls::crypto::ring::default_provider().install_default().ok();
    on_a_runtime(async {
        let options = sidecar::Options { start: needs.start, ..sidecar_options(options) };
        let sidecar = Sidecar::start(options);
        let methods = sidecar::methods(sidecar.clone()).map_err(|error| error.to_string())?;
        let one_shot = OneShot { sidecar: sidecar.clone(), methods };
        let working = async {
            match sidecar.accounts_unreadable() {
                Some(why) if needs.accounts => Err(why),
                _ => work(&one_shot).await,
            }
        };
        Ok(match run_or_interrupt(&sidecar, working).await {
            Ok(ended) => ended.unwrap_or_else(|message| {
                print_error(&format!("multicodex: {message}"));
                ExitCode::FAILURE
            }),
            Err(interrupted) => interrupted,
        })
    })
}

impl OneShot {
    /// Returns how text is laid out on this terminal.
    pub(super) async fn text_style(&self) -> Result<TextStyle, CallError> {
        Ok(text_style(self.call::<ShowFooter>(&NoParams {}).await?.usage_mode))
    }

    /// Calls one method.
    ///
    /// # Errors
    ///
    /// The method's error.
    pub(super) async fn call<M: Method>(&self, params: &M::Params) -> Result<M::Result, CallError>
    where
        M::Params: Serialize,
        M::Result: DeserializeOwned,
    {
        struct Named(Box<RawValue>);
        impl ToRpcParams for Named {
            fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
                Ok(Some(self.0))
            }
        }
        let params = Named(to_raw_value(params).map_err(|error| error.to_string())?);
        self.methods.call(M::NAME, params).await.map_err(CallError::from)
    }
}

/// A method's error: its message with the hint, and its kind for the exit code.
#[derive(Debug)]
pub(super) struct CallError {
    message: String,
    /// The kind of upstream's failure if there was one, else the kind of the error.
    pub(super) kind: String,
}

impl CallError {
    fn new(message: &str, hint: Option<&str>, kind: String) -> Self {
        let message = match hint {
            Some(hint) => format!("{message}; {hint}"),
            None => message.to_owned(),
        };
        CallError { message: clean(&message).into_owned(), kind }
    }
}

impl From<MethodsError> for CallError {
    fn from(error: MethodsError) -> Self {
        let MethodsError::JsonRpc(answer) = error else {
            return CallError::from(error.to_string());
        };
        match answer.data().and_then(|data| serde_json::from_str::<ErrorData>(data.get()).ok()) {
            Some(ErrorData { kind, cause, hint, .. }) => {
                CallError::new(answer.message(), hint.as_deref(), cause.unwrap_or_else(|| kind.into_owned()))
            }
            None => CallError::new(answer.message(), None, String::new()),
        }
    }
}

impl From<RpcError> for CallError {
    fn from(error: RpcError) -> Self {
        let ErrorData { kind, cause, hint, .. } = *error.data;
        CallError::new(&error.message, hint.as_deref(), cause.unwrap_or_else(|| kind.into_owned()))
    }
}

impl From<String> for CallError {
    fn from(message: String) -> Self {
        CallError { message, kind: String::new() }
    }
}

impl From<CallError> for String {
    fn from(error: CallError) -> Self {
        error.message
    }
}

/// Prints on its own thread: the reader of stdout may be slow, and the command can be interrupted meanwhile.
pub(super) async fn print(text: String) -> Result<(), String> {
    let printed = tokio::task::spawn_blocking(move || print::print(&text)).await;
    printed.unwrap_or_else(|error| Err(error.to_string()))
}

pub(super) async fn print_json(answer: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(answer).map_err(|error| error.to_string())?;
    print(format!("{text}\n")).await
}
