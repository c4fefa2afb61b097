//! `multicodex accounts`, `refresh`, `token`, `import`, `verify`, `history` and `stats`, as a person runs them.

use std::fs;
use std::process::Stdio;

use jsonrpsee::core::client::Error;
use multicodex::protocol::{AccountsToken, CompleteCollect, TokenParams};
use multicodex::sim::{Behaviour, Route, Rule, SimAccount, SimLogin};
use serde_json::{Value, json};

use crate::env::{Refused, TestEnv, email, eventually, expired};

async fn run(env: &TestEnv, arguments: &[&str]) -> (i32, String, String) {
    let output = env
        .async_command(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn accounts_are_listed_for_people_and_for_programs() {
    let env = TestEnv::new([SimAccount::named("ada"), expired("bob")]);
    let (code, table, _) = run(&env, &["accounts"]).await;
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(code, 0);
    assert_eq!(lines[0], ["ACCOUNT", "PLAN", "STATE", "TOKEN", "5H", "LEFT", "7D", "LEFT", "NOTE"]);
    assert_eq!(lines[1][..6], ["ada@example.com", "plus", "ready", "valid", "?", "?"]);
    assert_eq!(lines[2][..6], ["bob@example.com", "plus", "ready", "expired", "?", "?"]);
    assert_eq!(table.matches("active").count(), 1, "{table}");
    let (code, json, _) = run(&env, &["accounts", "--json"]).await;
    let list: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &list["accounts"][1]["label"]), (0, &Value::from(email("bob"))));
    let (code, told, _) = run(&env, &["refresh"]).await;
    assert_eq!((code, told.matches("active").count()), (0, 1), "{told}");
}

#[tokio::test]
async fn refresh_renews_and_says_what_it_could_not() {
    let env = TestEnv::new([expired("ada"), expired("bob")]);
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    env.sim().add_rule(Rule::always(behaviour).of("bob").on(Route::Token));
    let (code, told, _) = run(&env, &["refresh"]).await;
    assert_eq!(code, 1, "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[1].contains("valid") && lines[1].contains("88%"), "{told}");
    assert!(lines[2].contains("needs login"), "{told}");
    assert!(lines[3].starts_with("bob@example.com: ") && lines[3].contains("invalid_grant"), "{told}");
    let (code, json, _) = run(&env, &["refresh", &email("ada"), "--json", "--force"]).await;
    let answer: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, answer["results"].as_array().map(Vec::len)), (0, Some(1)), "{json}");
    assert_eq!((env.sim().refreshes("ada"), env.sim().refreshes("bob"), env.sim().reused()), (2, 1, 0));
}

#[tokio::test]
async fn token_prints_a_token_and_nothing_else() {
    let env = TestEnv::new([expired("ada")]);
    let (code, told, errors) = run(&env, &["token", &email("ada")]).await;
    let stored = env.read_accounts()["accounts"][0]["accessToken"].as_str().expect("text").to_owned();
    assert_eq!((code, told.trim_end(), errors.as_str()), (0, stored.as_str(), ""));
    let (code, told, _) = run(&env, &["token"]).await;
    assert_eq!((code, told.trim_end()), (0, stored.as_str()));
    let (code, told, errors) = run(&env, &["token", "nobody"]).await;
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("nobody"), "{errors}");
}

#[tokio::test]
async fn import_takes_over_pi_s_login_and_says_what_became_of_it() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    let import = |told: &'static str| {
        let env = &env;
        async move {
            assert_eq!(run(env, &["import"]).await, (0, format!("{told}\n"), String::new()));
        }
    };
    import("nothing to import: pi holds no login, or its account was removed here").await;
    let auth_file = env.accounts_file().with_file_name("auth.json");
    let write = |login: &SimLogin| {
        let entry = json!({
            "type": "oauth", "access": login.access_token, "refresh": login.refresh_token,
            "expires": login.expires_at,
        });
        fs::write(&auth_file, json!({"openai-codex": entry}).to_string()).expect("written");
    };
    let mut login = env.sim().add_account(expired("ada"));
    write(&login);
    import("added: ada@example.com").await;
    import("unchanged: ada@example.com").await;
    let accounts = env.read_accounts();
    assert_eq!(accounts["accounts"][1]["importSource"], "pi-openai-codex");
    assert_eq!(accounts["accounts"][1]["accessToken"], login.access_token.as_str());
    login = env.sim().sign_in("ada").expect("known");
    login.expires_at += 60_000;
    write(&login);
    import("updated: ada@example.com").await;

    fs::write(&auth_file, "{\"openai-codex\": 7}").expect("written");
    let (code, told, errors) = run(&env, &["import"]).await;
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.starts_with("multicodex: ") && errors.contains("auth.json"), "{errors}");
    let (code, told, errors) = run(&env, &["import", "--from", "codex"]).await;
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("does not exist; log in with the Codex CLI first"), "{errors}");
}

#[tokio::test]
async fn a_copy_of_codex_s_login_is_taken_with_a_warning() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    let (code, told, errors) = run(&env, &["import", "--from", "codex"]).await;
    assert_eq!((code, told.as_str()), (1, ""));
    assert!(errors.contains("codex/auth.json"), "{errors}");
    let login = env.sim().add_account(SimAccount::named("ada"));
    let tokens = json!({
        "access_token": login.access_token, "refresh_token": login.refresh_token, "id_token": login.id_token,
    });
    let elsewhere = env.accounts_file().with_file_name("copy.json");
    let path = elsewhere.to_str().expect("UTF-8");
    fs::write(&elsewhere, json!({"tokens": tokens}).to_string()).expect("written");
    let (code, told, errors) = run(&env, &["import", "--from", "codex", "--path", path]).await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((code, lines.len(), lines[0]), (0, 2, "added: ada@example.com"), "{told}{errors}");
    assert!(lines[1].starts_with("warning: ") && lines[1].contains("`reauth`"), "{told}");
    let (code, told, _) = run(&env, &["import", "--from=codex", "--path", path, "--json"]).await;
    let answer: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((code, &answer["warning"]["kind"]), (0, &json!("shared_credential")));
    assert_eq!((&answer["changed"], answer["unchanged"].as_array().map(Vec::len)), (&json!(false), Some(1)));

    // It was refreshed here, so the copy in the other file is not imported.
    assert_eq!(run(&env, &["refresh", &email("ada"), "--force"]).await.0, 0);
    let before = env.read_accounts();
    let (code, told, _) = run(&env, &["import", "--from", "codex", "--path", path]).await;
    assert_eq!((code, told.starts_with("warning: ")), (1, true), "{told}");
    assert_eq!(env.read_accounts(), before);
}

#[tokio::test]
async fn logins_of_other_programs_are_told_by_their_shape() {
    let env = TestEnv::new([]);
    let copy = env.agent_dir().join("copy.json");
    let path = copy.to_str().expect("UTF-8");
    for (name, from) in [("ada", "pi"), ("bob", "codex"), ("carol", "codex"), ("dan", "pi")] {
        let login = env.sim().add_account(SimAccount::named(name));
        let (access, refresh, expires) = (&login.access_token, &login.refresh_token, login.expires_at);
        let codex = json!({"access_token": access, "refresh_token": refresh, "id_token": login.id_token});
        let oauth = json!({"type": "oauth", "access": access, "refresh": refresh, "expires": expires});
        let content = match name {
            "ada" => json!({ "tokens": codex }),
            "bob" => json!({ "openai-codex": oauth }),
            "carol" => codex,
            _ => json!({ "openai": oauth }),
        };
        fs::write(&copy, content.to_string()).expect("written");
        let (code, told, errors) = run(&env, &["import", "--from", from, "--path", path]).await;
        let added = format!("added: {}", email(name));
        assert_eq!((code, told.lines().next()), (0, Some(added.as_str())), "{name}: {told}{errors}");
        assert_eq!(run(&env, &["refresh", &email(name), "--force"]).await.0, 0, "{name}");
    }
}

#[tokio::test]
async fn a_file_without_a_login_is_not_called_damaged() {
    let env = TestEnv::new([]);
    let api_key = env.agent_dir().join("api-key.json");
    fs::write(&api_key, r#"{"OPENAI_API_KEY":"sk-mine","tokens":null}"#).expect("written");
    let missing = env.agent_dir().join("missing.json");
    let empty = env.agent_dir().join("empty.json");
    fs::write(&empty, "{}").expect("written");
    for (from, path, said) in [
        (
            "codex",
            &api_key,
            "holds an API key, which is not a ChatGPT login; sign in with `multicodex login`",
        ),
        ("codex", &empty, "holds no ChatGPT login; log in with the Codex CLI first, or name another file"),
        (
            "codex",
            &missing,
            "does not exist; log in with the Codex CLI first, or name another file. A login that Codex keeps in the \
             system's keyring is not read: sign in with `multicodex login`",
        ),
        ("pi", &api_key, "holds an API key, which is not a ChatGPT login; sign in with `multicodex login`"),
        ("pi", &empty, "holds no ChatGPT login; name another file"),
        ("pi", &missing, "does not exist; name another file"),
    ] {
        let path = path.to_str().expect("UTF-8");
        let (code, told, errors) = run(&env, &["import", "--from", from, "--path", path]).await;
        assert_eq!((code, told.as_str()), (1, ""), "{from} {path}");
        assert_eq!(errors, format!("multicodex: {path} {said}\n"));
    }
}

#[tokio::test]
async fn a_switch_that_means_nothing_is_refused() {
    let env = TestEnv::new([]);
    for arguments in [
        &["token", "--json"][..],
        &["accounts", "--force"],
        &["accounts", "ada"],
        &["accounts", "--from", "pi"],
        &["import", "--force"],
        &["import", "ada"],
        &["import", "--from", "claude"],
    ] {
        let (code, told, errors) = run(&env, arguments).await;
        assert_eq!((code, told.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.starts_with("multicodex: "), "{errors}");
    }
    assert_eq!(run(&env, &["accounts"]).await.1, "there are no accounts yet; `login` adds one\n");
}

#[tokio::test]
async fn accounts_that_cannot_be_read_are_not_taken_for_none() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    fs::write(env.accounts_file(), "{\"accounts\": [ {").expect("writable");
    for arguments in [&["accounts"][..], &["accounts", "--json"], &["refresh"], &["token"], &["import"]] {
        let (code, told, errors) = run(&env, arguments).await;
        assert_eq!((code, told.as_str()), (1, ""), "{arguments:?}");
        let last = errors.lines().last().unwrap_or_default();
        assert!(last.starts_with("multicodex: ") && last.contains("is damaged at line 1"), "{errors}");
    }
    let sidecar = env.sidecar().await;
    let token = sidecar.client.request::<AccountsToken>(&TokenParams::default()).await;
    let completion = serde_json::from_str(r#"{"request": {"model": "m", "input": []}}"#).expect("params");
    let completion = sidecar.client.request::<CompleteCollect>(&completion).await;
    for refused in [token.err(), completion.err()] {
        let Some(Error::Call(refused)) = refused else { panic!("not refused: {refused:?}") };
        assert!(refused.message().contains("is damaged at line 1"), "{refused}");
        let hint = Refused::from(Error::Call(refused)).data["hint"].clone();
        assert_eq!(hint, "`verify` says what is wrong with the files");
    }
    env.replace_accounts(r#"{"accounts": []}"#);
    eventually("the file is read again", async || {
        let refused = sidecar.client.request::<AccountsToken>(&TokenParams::default()).await.err();
        matches!(refused, Some(Error::Call(refused)) if refused.message() == "there are no accounts yet")
    })
    .await;
    sidecar.end().await;
}

#[tokio::test]
async fn a_person_is_warned_in_plain_words_and_whoever_asks_for_a_log_gets_one() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let settings = env.accounts_file().with_file_name("settings.json");
    fs::write(&settings, "{\"pi-multicodex\": {\"rotation\": 7}}").expect("written");
    let (code, _, warned) = run(&env, &["accounts"]).await;
    let what = "settings.json: pi-multicodex.rotation must be an object";
    assert_eq!((code, warned), (0, format!("multicodex: warning: {what}\n")));
    for chosen in [["--log", "warn"], ["--log-format", "json"]] {
        let (_, _, logged) = run(&env, &[&["accounts"], &chosen[..]].concat()).await;
        assert!(logged.contains("multicodex::sidecar") && logged.contains(what), "{chosen:?}: {logged}");
    }
    // The report has it.
    let (_, told, warned) = run(&env, &["verify"]).await;
    assert!(told.contains("pi-multicodex.rotation must be an object"), "{told}");
    assert_eq!(warned, "");
    // With several accounts it says which one.
    fs::remove_file(&settings).expect("gone");
    let behaviour = Behaviour::row("refresh_token_expired").expect("a row");
    env.sim().add_rule(Rule::always(behaviour).on(Route::Token));
    let (_, _, warned) = run(&env, &["refresh", "--force"]).await;
    assert!(warned.contains("warning: the refresh token was not refreshed (acc_"), "{warned}");
    // Content of a file stays on its line.
    env.replace_accounts(r#"{"accounts": [{"email": "ada\n\u001b[31m", "accessToken": 7}]}"#);
    let (_, _, warned) = run(&env, &["history"]).await;
    assert!(
        warned.starts_with("multicodex: warning: codex-accounts.json, ada\u{fffd}\u{fffd}[31m: "),
        "{warned}"
    );
    assert_eq!(warned.lines().count(), 1, "{warned}");
}

#[tokio::test]
async fn what_is_no_directory_is_refused() {
    let env = TestEnv::new([]);
    let file = env.agent_dir().join("a-file");
    fs::write(&file, "").expect("writable");
    let file = file.to_str().expect("UTF-8");
    for subcommand in ["serve", "accounts", "refresh", "token", "import", "history", "stats", "login"] {
        for flag in ["--agent-dir", "--state-dir"] {
            let (code, told, errors) = run(&env, &[subcommand, flag, file]).await;
            assert_eq!((code, told.as_str()), (2, ""), "{subcommand} {flag}: {errors}");
            let expected = format!("multicodex: {file} is not a directory; {flag} names another\n");
            assert_eq!(errors, expected, "{subcommand}");
        }
    }
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is_one() {
    let env = TestEnv::new([expired("ada")]);
    let told_nobody = async |arguments: &[&str], stdout: Stdio| {
        let mut command = env.async_command(arguments);
        let started = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).spawn();
        let output = started.expect("the binary starts").wait_with_output().await.expect("an end");
        (output.status.code(), String::from_utf8(output.stderr).expect("text"))
    };
    for arguments in [
        &["--help"][..],
        &["help"],
        &["--version"],
        &["accounts"],
        &["accounts", "--json"],
        &["refresh"],
        &["token"],
        &["import"],
        &["verify"],
        &["history"],
        &["stats"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(told_nobody(arguments, writer.into()).await, (Some(0), String::new()), "{arguments:?}");
        let full = fs::File::create("/dev/full").expect("a device");
        let (code, errors) = told_nobody(arguments, full.into()).await;
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {code:?}");
        assert!(errors.starts_with("multicodex: stdout cannot be written to: "), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
    assert_eq!((env.sim().refreshes("ada"), env.sim().reused()), (1, 0));
}

#[tokio::test]
async fn verify_says_what_is_amiss_and_its_exit_code_says_whether_anything_is() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let (code, told, errors) = run(&env, &["verify", "--online"]).await;
    assert_eq!((code, errors.as_str()), (0, ""), "{told}");
    assert!(told.contains("ok    upstream accepts the access token of ada@example.com\n"), "{told}");
    assert!(!env.state_dir().exists(), "looking has made the state dir");
    env.sim().revoke_access("ada");
    let (code, told, _) = run(&env, &["verify", "--online"]).await;
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("FAIL  upstream refuses the access token of ada@example.com"), "{told}");
    assert!(told.contains("      → multicodex refresh ada@example.com --force"), "{told}");
    let (code, json, _) = run(&env, &["verify", "--online", "--json"]).await;
    let answer: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((code, &answer["status"]), (1, &json!("fail")));
    // Without a request nothing is known of it.
    assert_eq!(run(&env, &["verify"]).await.0, 0);
}

#[tokio::test]
async fn history_and_stats_tell_what_sidecars_did() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    assert_eq!(run(&env, &["history"]).await.1, "there are no attempts yet\n");
    assert_eq!(run(&env, &["stats"]).await.1, "there are no attempts yet\n");
    let sidecar = env.sidecar().await;
    crate::accounts::history::complete(&sidecar, &crate::accounts::history::order("Hello", "s")).await;
    sidecar.end().await;
    let (code, told, errors) = run(&env, &["history"]).await;
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((code, errors.as_str()), (0, ""));
    assert_eq!(lines[0], ["AGO", "ACCOUNT", "MODEL", "OUTCOME", "IN", "CACHE", "OUT", "FIRST", "TOTAL"]);
    assert_eq!(lines[1][1..4], ["ada@example.com", "gpt-6.1-sol", "ok"]);
    let (_, json, _) = run(&env, &["history", &email("ada"), "--limit", "1", "--json"]).await;
    let answer: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(answer["attempts"][0]["outcome"], "completed");
    let (_, told, _) = run(&env, &["stats", "--days", "3"]).await;
    assert!(told.contains("ada@example.com") && told.contains('█'), "{told}");
    for arguments in
        [&["history", "--days", "3"][..], &["stats", "--limit", "1"], &["history", "--limit", "x"]]
    {
        assert_eq!(run(&env, arguments).await.0, 2, "{arguments:?}");
    }
    assert_eq!(run(&env, &["history", "--limit", "1001"]).await.0, 1);
}
