//! The clients, installed once in cargo's directory for temporary files.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::process::Command;

use crate::env::{TestEnv, skip};

/// The start of a client, or one answer, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where the clients are; `None` where they cannot be installed.
pub fn installed() -> Option<&'static Path> {
    static INSTALLED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's own directory");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway-clients/install.sh");
        let output = std::process::Command::new(script).arg(target.join("gateway-clients")).output().ok()?;
        let home = String::from_utf8(output.stdout).expect("a path");
        output.status.success().then(|| PathBuf::from(home.trim()).join("bin"))
    });
    if installed.is_none() {
        skip::skip_unless("npm and python3, and clients that they can install");
    }
    installed.as_deref()
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command of multicodex that finds the clients.
pub fn command(env: &TestEnv, bin: &Path, arguments: &[&str]) -> Command {
    at_home(env.async_command(arguments), env, bin)
}

/// A client alone, with the same variables.
pub fn program(env: &TestEnv, bin: &Path, name: &str) -> Command {
    let mut command = Command::new(bin.join(name));
    let like = env.async_command(&[]);
    let variables = like.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.env_clear().envs(variables);
    at_home(command, env, bin)
}

/// With its own home directory, which finds the clients. Codex's home is there, as its installation makes it.
fn at_home(mut command: Command, env: &TestEnv, bin: &Path) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_multicodex")).parent().expect("a directory");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path = [bin, own].into_iter().map(Path::to_owned).chain(std::env::split_paths(&others));
    let (home, work) = (env.agent_dir().join("home"), env.agent_dir().join("work"));
    for dir in [&home, &work, &codex_home(env)] {
        std::fs::create_dir_all(dir).expect("a directory");
    }
    command
        .env("PATH", std::env::join_paths(path).expect("a path"))
        .env("HOME", &home)
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub fn codex_home(env: &TestEnv) -> PathBuf {
    env.agent_dir().join("codex")
}

pub async fn end(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
