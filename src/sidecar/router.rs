//! The table of methods: which function answers which name.

use std::sync::Arc;

use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::{Methods, RpcModule};

use crate::protocol::{
    Accounts, AccountsDisable, AccountsEnable, AccountsImport, AccountsLabel, AccountsRemove,
    AccountsResetCredit, AccountsToken, AccountsUse, Command, CommandSuggest, CompleteCancel,
    CompleteCollect, History, Initialize, Login, LoginCancel, LoginSubmit, LoginWait, Method, Reauth,
    Refresh, Reset, RpcDiscover, RpcError, SetFooter, SetRotation, ShowFooter, ShowPaths, ShowRotation,
    ShowStatus, Verify,
};
use crate::sidecar::completion::{collect, run};
use crate::sidecar::methods::{
    accounts, discover, footer, history, import, initialize, login, paths, refresh, reset, reset_credit,
    rotation, status,
};
use crate::sidecar::{Sidecar, command, error, params, verify};

/// Every method of the sidecar, ready to be served.
///
/// # Errors
///
/// When two methods have one name, which a test excludes.
pub fn methods(sidecar: Arc<Sidecar>) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::from_arc(sidecar.clone());
    on::<Initialize>(&mut module, &sidecar, initialize::initialize)?;
    on::<RpcDiscover>(&mut module, &sidecar, discover::discover)?;
    on::<ShowPaths>(&mut module, &sidecar, paths::paths)?;
    on_waiting::<Accounts, _>(&mut module, accounts::list)?;
    on_waiting::<AccountsUse, _>(&mut module, accounts::use_account)?;
    on_waiting::<AccountsRemove, _>(&mut module, accounts::remove)?;
    on_waiting::<AccountsDisable, _>(&mut module, accounts::disable)?;
    on_waiting::<AccountsEnable, _>(&mut module, accounts::enable)?;
    on_waiting::<AccountsLabel, _>(&mut module, accounts::label)?;
    on_waiting::<AccountsResetCredit, _>(&mut module, reset_credit::reset_credit)?;
    on_waiting::<AccountsImport, _>(&mut module, import::import)?;
    on_waiting::<Login, _>(&mut module, login::login)?;
    on_waiting::<Reauth, _>(&mut module, login::reauth)?;
    on_waiting::<LoginSubmit, _>(&mut module, login::submit)?;
    on_waiting::<LoginWait, _>(&mut module, login::wait)?;
    on::<LoginCancel>(&mut module, &sidecar, login::cancel)?;
    on_waiting::<AccountsToken, _>(&mut module, accounts::token)?;
    on_waiting::<Refresh, _>(&mut module, refresh::refresh)?;
    on::<ShowRotation>(&mut module, &sidecar, rotation::show)?;
    on_waiting::<SetRotation, _>(&mut module, rotation::set)?;
    on_waiting::<Reset, _>(&mut module, reset::reset)?;
    on::<ShowStatus>(&mut module, &sidecar, status::show)?;
    on::<ShowFooter>(&mut module, &sidecar, footer::show)?;
    on_waiting::<SetFooter, _>(&mut module, footer::set)?;
    on_waiting::<Verify, _>(&mut module, verify::verify)?;
    on_waiting::<History, _>(&mut module, history::history)?;
    on_waiting::<Command, _>(&mut module, command::command)?;
    on_waiting::<CommandSuggest, _>(&mut module, command::suggest)?;
    on_waiting::<CompleteCollect, _>(&mut module, collect::collect)?;
    run::register(&mut module)?;
    on::<CompleteCancel>(&mut module, &sidecar, run::cancel)?;
    Ok(module.into())
}

type Handler<M> = fn(&Arc<Sidecar>, <M as Method>::Params) -> Result<<M as Method>::Result, RpcError>;

/// A method that answers at once.
fn on<M: Method>(
    module: &mut RpcModule<Sidecar>,
    sidecar: &Arc<Sidecar>,
    handler: Handler<M>,
) -> Result<(), RegisterMethodError>
where
    M::Params: 'static,
    M::Result: Clone + Send + 'static,
{
    let sidecar = sidecar.clone();
    module.register_method(M::NAME, move |params, _, _| {
        let params = params::parse::<M::Params>(&params)?;
        handler(&sidecar, params).map_err(error::answer::<M>)
    })?;
    Ok(())
}

/// A method that waits for a file or for upstream.
fn on_waiting<M, F>(
    module: &mut RpcModule<Sidecar>,
    handler: impl Fn(Arc<Sidecar>, M::Params) -> F + Copy + Send + Sync + 'static,
) -> Result<(), RegisterMethodError>
where
    M: Method,
    M::Params: Send + 'static,
    M::Result: Clone + Send + 'static,
    F: Future<Output = Result<M::Result, RpcError>> + Send + 'static,
{
    module.register_async_method(M::NAME, move |params, sidecar, _| async move {
        handler(sidecar, params::parse::<M::Params>(&params)?).await.map_err(error::answer::<M>)
    })?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pool::PollSchedule;
    use crate::protocol::openrpc;
    use crate::sidecar::{LoginOptions, Options, Start};
    use crate::store::{PathOptions, Paths, ProcessEnv};

    #[test]
    fn what_is_answered_is_what_the_document_lists() {
        let nowhere = ProcessEnv {
            home: Some("/nowhere".into()),
            state_dir: Some("/nowhere/state".into()),
            current_dir: "/".into(),
        };
        let sidecar = Sidecar::start(Options {
            paths: Paths::resolve(&PathOptions::default(), |_| None, &nowhere).unwrap(),
            upstream_url: "https://localhost".parse().unwrap(),
            auth_url: "https://localhost".parse().unwrap(),
            refresh_spacing: Duration::ZERO,
            login: LoginOptions::default(),
            upkeep_interval: Duration::MAX,
            usage_schedule: PollSchedule::every(Duration::MAX),
            start: Start::ReadOnly,
        });
        let methods = methods(sidecar).unwrap();
        let mut answered: Vec<&str> = methods.method_names().collect();
        let document = openrpc::document();
        let listed = document["methods"].as_array().unwrap().iter();
        // That one belongs to the connection, and others to the gateway.
        let mut listed: Vec<&str> = listed
            .filter_map(|it| it["name"].as_str())
            .filter(|name| *name != "shutdown" && !name.starts_with("gateway/"))
            .collect();
        answered.sort_unstable();
        listed.sort_unstable();
        assert_eq!(answered, listed);
    }
}
