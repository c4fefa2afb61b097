//! No token leaks: in every flow around refreshing, the whole stdout, the log at `trace`, the state directory and the
//! process arguments are searched for every token.

mod logins;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::env::{TestEnv, email, expired, expiring};

#[tokio::test]
async fn no_token_is_seen_outside_the_files_and_accounts_token() {
    let names = ["ada", "bob", "cleo", "dan", "eve"];
    let env = TestEnv::new(names.map(|name| if name == "eve" { expiring(name) } else { expired(name) }));
    let mut tokens = tokens(&env.read_accounts());
    let of = |name: &str, member: &str| {
        let file = env.read_accounts();
        let entries = file["accounts"].as_array().expect("a list").clone();
        let entry = entries.into_iter().find(|entry| entry["email"] == json!(email(name))).expect("an entry");
        entry[member].as_str().expect("text").to_owned()
    };
    // Upstream repeats what it received, wherever it can.
    let echo = |name: &str, status: u16| {
        let token = of(name, "refreshToken");
        let body = json!({"error": {"code": token, "message": token, "type": token}, "refresh_token": token});
        Rule::always(Behaviour::Answer(Answer::json(status, body))).of(name).on(Route::Token)
    };
    env.sim().add_rule(echo("bob", 401));
    env.sim().add_rule(echo("cleo", 500));
    env.sim().add_rule(Rule::always(Behaviour::Cut).of("dan").on(Route::Token));
    let usage = json!({"error": {"message": format!("bad bearer {}", of("eve", "accessToken"))}});
    env.sim().add_rule(Rule::always(Behaviour::Answer(Answer::json(401, usage))).of("eve").on(Route::Usage));

    let mut child = env
        .async_command(&["serve", "--log", "trace"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the sidecar starts");
    let arguments =
        fs::read_to_string(format!("/proc/{}/cmdline", child.id().expect("it runs"))).unwrap_or_default();
    let (mut stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let mut stderr = child.stderr.take().expect("a pipe");
    let log = tokio::spawn(async move {
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.expect("the log is text");
        text
    });
    let mut told = String::new();
    let mut lines = BufReader::new(stdout).lines();
    let mut handed_out = None;
    for (id, (method, params)) in [
        ("initialize", json!({})),
        ("accounts", json!({"refreshUsage": true})),
        ("refresh", json!({})),
        ("refresh", json!({"force": true})),
        ("accounts/use", json!({"account": email("bob")})),
        ("accounts/use", json!({"account": email("cleo")})),
        ("accounts/token", json!({"account": email("ada")})),
        ("accounts/token", json!({"account": email("dan")})),
        ("accounts/token", json!({"account": of("ada", "accessToken")})),
        ("accounts", json!({})),
        ("complete/collect", json!({"request": {"model": "gpt-6.1-sol", "input": []}})),
        ("verify", json!({"online": true})),
        ("history", json!({})),
        ("command", json!({"line": "verify online"})),
        ("command", json!({"line": "show"})),
        ("shutdown", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        tokens.extend(self::tokens(&env.read_accounts()));
        let request = json!({"id": id, "method": method, "params": params});
        stdin.write_all(format!("{request}\n").as_bytes()).await.expect("it reads");
        loop {
            let line = lines.next_line().await.expect("stdout is text").expect("an answer");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            let answered = message["id"] == json!(id);
            if answered && message["result"]["accessToken"].is_string() {
                handed_out = Some(message["result"]["accessToken"].clone());
            } else {
                told.push_str(&line);
            }
            if answered {
                break;
            }
        }
    }
    drop(stdin);
    assert!(child.wait().await.expect("it ends").success());
    let log = log.await.expect("the log is read");
    assert_eq!(handed_out, Some(json!(of("ada", "accessToken"))));
    assert!(log.contains("refreshing") && log.len() > 10_000, "the log is at trace: {} bytes", log.len());
    tokens.extend(self::tokens(&env.read_accounts()));
    assert!(tokens.len() >= 13, "{}", tokens.len());

    let mut places = vec![("stdout", told), ("stderr", log), ("arguments", arguments)];
    for file in files(&env.state_dir()) {
        places.push((
            "the state dir",
            String::from_utf8_lossy(&fs::read(file).expect("readable")).into_owned(),
        ));
    }
    for (place, text) in places {
        for token in &tokens {
            assert!(!text.contains(token.as_str()), "a token is in {place}: {}", &token[..12]);
        }
        // Also none that were replaced.
        assert!(!text.contains("rt_sim_"), "a refresh token is in {place}");
        assert!(!text.contains("eyJ"), "a JWT is in {place}");
    }
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&env.accounts_file()), mode(&env.state_dir())), (0o600, 0o700));
    for file in files(&env.state_dir()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn wide_permissions_are_narrowed() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    fs::set_permissions(env.accounts_file(), fs::Permissions::from_mode(0o644)).expect("set");
    let sidecar = env.sidecar().await;
    assert_eq!(sidecar.accounts().await.len(), 1);
    let mode = fs::metadata(env.accounts_file()).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn a_token_is_not_seen_in_part_where_a_long_answer_is_cut() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let file = fs::read_to_string(env.accounts_file()).expect("the accounts file");
    let file: Value = serde_json::from_str(&file).expect("it parses");
    let token = file["accounts"][0]["accessToken"].as_str().expect("text");
    // 64 KiB end within the token.
    let error = json!({"code": "invalid_prompt", "message": format!("{} {token} {}", "x".repeat(65_400), "y".repeat(5_000))});
    let mut peer = env.raw_client();
    for (status, body) in
        [(400, json!({ "error": error })), (200, json!({ "id": "r", "status": "failed", "error": error }))]
    {
        let answer = Answer::json(status, body);
        env.sim().add_rule(Rule::next(1, Behaviour::Answer(answer)).of("ada").on(Route::Responses));
        let params = json!({"request": {"model": "gpt-6.1-sol", "input": []}});
        let refused = peer.call("complete/collect", params).expect_err("it is refused");
        let body = refused["data"]["body"].as_str().expect("upstream's words");
        assert!(refused["data"]["bodyTruncated"] == true && body.len() > 65_000, "{status}: {}", body.len());
        assert!(!body.contains(&token[..8]), "{status}: {}", &body[65_000..]);
    }
}

fn tokens(file: &Value) -> BTreeSet<String> {
    let accounts = file["accounts"].as_array().expect("a list");
    let members = |account: &Value| [account["accessToken"].clone(), account["refreshToken"].clone()];
    accounts.iter().flat_map(members).map(|token| token.as_str().expect("text").to_owned()).collect()
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(dir).expect("the state dir").map(|entry| entry.expect("an entry").path()).collect()
}
