//! `verify` with planted faults: each gives exactly its check, and verifying repairs none.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use multicodex::protocol::{CheckId, CheckStatus, Verify, VerifyAnswer, VerifyParams};
use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use multicodex::store::LockGuard;
use serde_json::{Value, json};

use crate::env::{TestEnv, expired};

/// A port that nothing listens on.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The checks that do not pass, except the one about how changes are noticed, which depends on the machine.
fn findings(answer: &VerifyAnswer) -> Vec<(CheckId, CheckStatus)> {
    let told = answer.checks.iter().filter(|check| {
        assert_eq!(check.hint.is_some(), check.status != CheckStatus::Pass, "{check:?}");
        check.status != CheckStatus::Pass && check.id != CheckId::Watcher
    });
    told.map(|check| (check.id, check.status)).collect()
}

async fn look(env: &TestEnv, more: &[&str]) -> VerifyAnswer {
    let arguments = [&["verify", "--online", "--json"], more].concat();
    let before = tree(env.agent_dir());
    let output = env
        .async_command(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .await
        .expect("the binary starts");
    assert_eq!(tree(env.agent_dir()), before, "something was changed by looking");
    let answer: VerifyAnswer = serde_json::from_slice(&output.stdout).expect("an answer");
    let failed = answer.status == CheckStatus::Fail;
    assert_eq!(output.status.code(), Some(i32::from(failed)), "{answer:?}");
    answer
}

async fn check(env: &TestEnv, expected: &[(CheckId, CheckStatus)]) -> VerifyAnswer {
    let answer = look(env, &[]).await;
    assert_eq!(findings(&answer), expected, "{answer:#?}");
    answer
}

/// Mode, modification time, and content.
type Seen = (u32, i64, i64, String);

/// Every name below `dir` with its mode, its time and its content.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut found = BTreeMap::new();
    let mut to_see = vec![dir.to_owned()];
    while let Some(path) = to_see.pop() {
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        let mut content = String::new();
        if metadata.is_dir() {
            to_see
                .extend(fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path()));
        } else {
            content = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
        }
        found.insert(path, (metadata.mode(), metadata.mtime(), metadata.mtime_nsec(), content));
    }
    found
}

fn write(path: impl AsRef<Path>, content: &str) {
    fs::create_dir_all(path.as_ref().parent().expect("a folder")).expect("made");
    fs::write(&path, content).expect("written");
    set_mode(path, 0o600);
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
}

async fn two() -> TestEnv {
    let env = TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")]);
    set_mode(env.agent_dir(), 0o700);
    fs::create_dir(env.state_dir()).expect("made");
    set_mode(env.state_dir(), 0o700);
    env
}

#[tokio::test]
async fn nothing_is_amiss_and_no_token_is_refreshed_for_it() {
    let env = two().await;
    let answer = check(&env, &[]).await;
    let ids: Vec<CheckId> = answer.checks.iter().map(|check| check.id).collect();
    for id in [CheckId::Upstream, CheckId::AuthServer, CheckId::Clock, CheckId::AccountsFile] {
        assert_eq!(ids.iter().filter(|seen| **seen == id).count(), 1, "{id:?}");
    }
    for id in [CheckId::AccountLogin, CheckId::AccountToken, CheckId::AccountUsage] {
        assert_eq!(ids.iter().filter(|seen| **seen == id).count(), 2, "{id:?}");
    }
    let asked =
        ["ada", "bob"].map(|name| (env.sim().requests(name, Route::Usage), env.sim().refreshes(name)));
    assert_eq!(asked, [(1, 0), (1, 0)]);
}

#[tokio::test]
async fn without_any_file_there_is_only_an_account_to_be_had() {
    let env = TestEnv::new([]);
    fs::remove_file(env.accounts_file()).expect("removed");
    check(&env, &[(CheckId::Accounts, CheckStatus::Warn)]).await;
    assert!(!env.state_dir().exists());
}

#[tokio::test]
async fn wide_permissions() {
    let env = two().await;
    write(env.auth_file(), "{}");
    write(env.state_dir().join("state.json"), "{}");
    check(&env, &[]).await;
    for (path, mode, status) in [
        (env.accounts_file(), 0o644, CheckStatus::Fail),
        (env.auth_file(), 0o640, CheckStatus::Fail),
        (env.state_dir().join("state.json"), 0o604, CheckStatus::Warn),
        (env.state_dir(), 0o755, CheckStatus::Warn),
        (env.agent_dir().to_owned(), 0o770, CheckStatus::Fail),
    ] {
        let good = fs::metadata(&path).expect("there").mode();
        set_mode(&path, mode);
        let answer = check(&env, &[(CheckId::Permissions, status)]).await;
        let named =
            answer.checks.iter().find(|check| check.status == status).and_then(|check| check.hint.clone());
        let hint = named.expect("a hint");
        assert!(hint.starts_with("chmod ") && hint.contains(&*path.to_string_lossy()), "{hint}");
        set_mode(&path, good);
    }
    // pi creates its folder like this.
    set_mode(env.agent_dir(), 0o755);
    check(&env, &[]).await;
}

#[tokio::test]
async fn damaged_files() {
    let env = two().await;
    let good = fs::read_to_string(env.accounts_file()).expect("there");
    write(env.accounts_file(), "{\n  \"accounts\": [,]\n}");
    let answer = check(&env, &[(CheckId::AccountsFile, CheckStatus::Fail)]).await;
    assert!(answer.checks[0].message.contains("line 2, column 16"), "{:?}", answer.checks[0]);

    let mut file: Value = serde_json::from_str(&good).expect("JSON");
    file["accounts"].as_array_mut().expect("a list").push(json!({"email": "eve@example.com"}));
    write(env.accounts_file(), &file.to_string());
    let answer = check(&env, &[(CheckId::AccountsEntries, CheckStatus::Fail)]).await;
    assert!(answer.checks[1].message.contains("entry 3 (eve@example.com)"), "{:?}", answer.checks[1]);
    write(env.accounts_file(), &good);

    let settings = env.agent_dir().join("settings.json");
    write(&settings, "{");
    check(&env, &[(CheckId::SettingsFile, CheckStatus::Fail)]).await;
    write(&settings, r#"{"pi-multicodex":{"usageMode":"both"}}"#);
    check(&env, &[(CheckId::SettingsFile, CheckStatus::Warn)]).await;
    fs::remove_file(settings).expect("removed");

    for (name, content) in
        [("state.json", "["), ("redeems.json", "{\"tokens\":"), ("history.jsonl", "neither this\nnor that\n")]
    {
        let path = env.state_dir().join(name);
        write(&path, content);
        check(&env, &[(CheckId::StateFiles, CheckStatus::Warn)]).await;
        fs::remove_file(path).expect("removed");
    }

    write(env.auth_file(), "{\"openai-codex\": {");
    check(&env, &[(CheckId::AuthImport, CheckStatus::Fail)]).await;
}

#[tokio::test]
async fn tokens_and_logins() {
    let env = TestEnv::new([SimAccount::named("ada"), expired("bob")]);
    let answer = check(&env, &[(CheckId::AccountToken, CheckStatus::Warn)]).await;
    assert!(answer.checks.iter().any(|check| check.message.contains("of bob@example.com expired")));

    let env = two().await;
    env.sim().revoke_access("ada");
    let answer = check(&env, &[(CheckId::AccountToken, CheckStatus::Fail)]).await;
    let dead = answer.checks.iter().find(|check| check.status == CheckStatus::Fail).expect("it failed");
    assert!(dead.message.contains("ada@example.com"), "{dead:?}");
    assert!(
        dead.hint.as_deref().is_some_and(|hint| hint.contains("multicodex refresh ada@example.com --force"))
    );
    assert_eq!(env.sim().refreshes("ada"), 0);

    let env = two().await;
    let mut file = env.read_accounts();
    file["accounts"][1]["needsReauth"] = json!(true);
    env.replace_accounts(&file.to_string());
    check(&env, &[(CheckId::AccountLogin, CheckStatus::Fail)]).await;
    assert_eq!(env.sim().requests("bob", Route::Usage), 0);

    let env = two().await;
    let trouble = Behaviour::row("server_error").expect("a row");
    env.sim().add_rule(Rule::always(trouble).of("bob").on(Route::Usage));
    check(&env, &[(CheckId::AccountUsage, CheckStatus::Warn)]).await;
}

#[tokio::test]
async fn a_clock_that_is_off() {
    let env = two().await;
    for (ahead, expected, says) in [
        (30, None, "agrees"),
        (-30, None, "agrees"),
        (200, Some(CheckStatus::Warn), "behind"),
        (3600, Some(CheckStatus::Fail), "behind"),
        (-3600, Some(CheckStatus::Fail), "ahead of"),
    ] {
        env.sim().set_clock_ahead(ahead);
        let expected: Vec<_> = expected.map(|status| (CheckId::Clock, status)).into_iter().collect();
        let answer = check(&env, &expected).await;
        let clock = answer.checks.iter().find(|check| check.id == CheckId::Clock).expect("it was looked at");
        assert!(clock.message.contains(says), "{ahead}: {}", clock.message);
    }
}

#[tokio::test]
async fn servers_that_cannot_be_reached() {
    let env = two().await;
    let answer = look(&env, &["--upstream-url", NOWHERE]).await;
    assert_eq!(findings(&answer), [(CheckId::Upstream, CheckStatus::Fail)], "{answer:#?}");
    let answer = look(&env, &["--auth-url", NOWHERE]).await;
    assert_eq!(findings(&answer), [(CheckId::AuthServer, CheckStatus::Fail)], "{answer:#?}");
}

#[tokio::test]
async fn locks_that_are_held_or_left_behind() {
    let env = two().await;
    write(env.auth_file(), "{}");
    let lock = env.agent_dir().join("auth.json.lock");
    for (age_s, says) in [(0, "is locked"), (90, "left behind")] {
        fs::create_dir(&lock).expect("made");
        let touched = fs::metadata(&lock).and_then(|made| made.modified()).expect("a time");
        let folder = File::open(&lock).expect("opened");
        folder.set_modified(touched - Duration::from_secs(age_s)).expect("set");
        let answer = check(&env, &[(CheckId::PiAuthLock, CheckStatus::Warn)]).await;
        assert!(answer.checks.iter().any(|check| check.message.contains(says)), "{answer:#?}");
        fs::remove_dir(&lock).expect("removed");
    }
    let ours = env.state_dir().join("state.json.lock");
    let held = LockGuard::acquire(&ours, Duration::ZERO).expect("free");
    check(&env, &[(CheckId::Locks, CheckStatus::Warn)]).await;
    drop(held);
    check(&env, &[]).await;
}

#[tokio::test]
async fn refresh_tokens_with_two_owners() {
    let env = two().await;
    let entry = env.read_accounts()["accounts"][0].clone();
    let tokens = json!({"access_token": entry["accessToken"], "refresh_token": entry["refreshToken"]});
    write(env.agent_dir().join("codex/auth.json"), &json!({"tokens": tokens}).to_string());
    check(&env, &[(CheckId::SharedCredentials, CheckStatus::Warn)]).await;
    fs::remove_dir_all(env.agent_dir().join("codex")).expect("removed");

    env.log_pi_in(&env.sim().sign_in("ada").expect("known"));
    let answer = check(&env, &[(CheckId::AuthImport, CheckStatus::Warn)]).await;
    assert!(answer.checks.iter().any(|check| check.message.contains("(ada@example.com) is not imported")));
}

#[tokio::test]
async fn a_running_sidecar_looks_without_mending_or_refreshing() {
    let env = two().await;
    let sidecar = env.sidecar().await;
    env.sim().revoke_access("ada");
    write(env.agent_dir().join("settings.json"), "{");
    let before = tree(env.agent_dir());
    let params = VerifyParams { online: Some(true) };
    let answer = sidecar.client.request::<Verify>(&params).await.expect("an answer");
    let expected = [(CheckId::SettingsFile, CheckStatus::Fail), (CheckId::AccountToken, CheckStatus::Fail)];
    assert_eq!(findings(&answer), expected, "{answer:#?}");
    let after = tree(env.agent_dir());
    // Meanwhile the sidecar works in its own folder.
    let shared = |tree: &BTreeMap<PathBuf, Seen>| {
        let ours = env.state_dir();
        let files = tree.iter().filter(|(path, _)| !path.starts_with(&ours) && path.is_file());
        files.map(|(path, file)| (path.clone(), file.clone())).collect::<Vec<_>>()
    };
    assert_eq!(shared(&before), shared(&after));
    assert_eq!((env.sim().refreshes("ada"), sidecar.account("ada").await.usage), (0, None));
}
