//! The command that prints the key of a gateway.

use crate::store::GatewayFile;

/// Returns the program and its arguments. They work in any directory and environment.
pub fn key_command(file: &GatewayFile) -> Vec<String> {
    let program =
        std::env::current_exe().map_or("multicodex".to_owned(), |path| path.to_string_lossy().into_owned());
    let instance = file.pid().map(|pid| ["--instance".to_owned(), pid.to_string()]);
    let state_dir = ["--state-dir".to_owned(), file.state_dir().to_string_lossy().into_owned()];
    [program, "gateway".to_owned(), "key".to_owned()]
        .into_iter()
        .chain(instance.into_iter().flatten())
        .chain(state_dir)
        .collect()
}
