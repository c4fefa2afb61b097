//! `accounts/import`: the login of pi or of the Codex CLI, or of a file of the same form.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::protocol::{ImportAnswer, ImportParams, ImportSource, RpcError};
use crate::sidecar::Sidecar;
use crate::sidecar::import::foreign_login::read_copy;

pub(crate) async fn import(sidecar: Arc<Sidecar>, params: ImportParams) -> Result<ImportAnswer, RpcError> {
    let paths = &sidecar.options.paths;
    let path = params.path.map(PathBuf::from);
    match params.from.unwrap_or_default() {
        ImportSource::Pi => match path.filter(|path| !is_same_file(path, &paths.auth_file)) {
            None => sidecar.imports.import_from_pi().await,
            Some(path) => sidecar.imports.import_copy(move || read_copy(&path, ImportSource::Pi)).await,
        },
        ImportSource::Codex => {
            let path = path.unwrap_or_else(|| paths.codex_auth_file.clone());
            sidecar.imports.import_copy(move || read_copy(&path, ImportSource::Codex)).await
        }
    }
}

fn is_same_file(path: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(path) == real(other)
}
