//! `paths`: where the files are.

use std::path::Path;
use std::sync::Arc;

use crate::protocol::{NoParams, Paths, RpcError};
use crate::sidecar::Sidecar;
use crate::store;

pub(crate) fn paths(sidecar: &Arc<Sidecar>, _: NoParams) -> Result<Paths, RpcError> {
    Ok(of(&sidecar.options.paths))
}

pub(crate) fn of(paths: &store::Paths) -> Paths {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    Paths {
        agent_dir: text(&paths.agent_dir),
        accounts_file: text(&paths.accounts_file),
        auth_file: text(&paths.auth_file),
        settings_file: text(&paths.settings_file),
        state_dir: text(&paths.state_dir),
        log_file: paths.log_file.as_deref().map(text),
        codex_auth_file: text(&paths.codex_auth_file),
    }
}
