//! The same for logins of other programs: importing from pi and from the Codex CLI, whole and broken, refreshing the
//! token that pi shares, and logging its account in again.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use multicodex::sim::{Answer, Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};

use super::files;
use crate::env::TestEnv;
use crate::env::{email, eventually_blocking, expired};
use crate::import::pi_and_codex::{auth_file, auth_json, codex_auth_json, sign_in};
use crate::login::{command, get, redirect};

/// A sidecar whose whole output is kept.
struct Overheard {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    log: JoinHandle<String>,
    told: String,
    asked: u64,
}

impl Overheard {
    fn start(mut command: Command) -> Overheard {
        command.args(["--log", "trace"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the sidecar starts");
        let mut stderr = child.stderr.take().expect("a pipe");
        let log = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("the log is text");
            text
        });
        let (stdin, stdout) =
            (child.stdin.take().expect("a pipe"), BufReader::new(child.stdout.take().expect("a pipe")));
        Overheard { child, stdin, stdout, log, told: String::new(), asked: 0 }
    }

    /// Returns the whole answer. The answer of `accounts/token` does not count as a leak.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let request = json!({ "id": self.asked, "method": method, "params": params });
        writeln!(self.stdin, "{request}").expect("it reads");
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).expect("text") > 0, "it goes on");
            let message: Value = serde_json::from_str(&line).expect("JSON");
            let is_answer = message["id"] == json!(self.asked);
            if !(is_answer && method == "accounts/token") {
                self.told.push_str(&line);
            }
            if is_answer {
                return message;
            }
        }
    }

    fn result(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].take()
    }

    fn error(&mut self, method: &str, params: Value) -> i64 {
        let answer = self.ask(method, params);
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method}: {answer}"))
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn no_token_of_pi_or_of_codex_is_seen_outside_the_files_and_accounts_token() {
    let env = TestEnv::new([SimAccount::named("bob")]);
    let pi = auth_file(&env);
    let write_pi = |text: &str| {
        fs::write(&pi, text).expect("written");
        fs::set_permissions(&pi, fs::Permissions::from_mode(0o600)).expect("its mode is set");
    };
    let first = auth_json(&env.sim().add_account(expired("ada")));
    write_pi(&first);
    let mut command = command(&env);
    command.env("MULTICODEX_TEST_REDEEM_SPACING_MS", "0");
    let mut sidecar = Overheard::start(command);
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", sidecar.child.id())).unwrap_or_default();
    let ada = json!({ "account": email("ada") });
    let forced = json!({ "account": email("ada"), "force": true });
    // Upstream repeats what it received.
    let echo = |status: u16| {
        let form =
            env.sim().log().iter().rev().find(|it| it.route == Some(Route::Token)).map(|it| it.body.clone());
        let body = json!({"error": {"code": form, "message": format!("{form:?} rt_sim_ada_9 {}", "eyJhbGciOiJub25lIn0.eyJh.c2ln")}});
        env.sim().add_rule(
            Rule::next(1, Behaviour::Answer(Answer::json(status, body))).of("ada").on(Route::Token),
        );
    };

    sidecar.result("initialize", json!({}));
    // Refreshed under pi's lock, refused for good, refused for now, and lost.
    assert!(sidecar.result("accounts/token", ada.clone())["accessToken"].is_string());
    assert_eq!(sidecar.result("refresh", forced.clone())["results"][0]["ok"], true);
    echo(500);
    assert_eq!(sidecar.result("refresh", forced.clone())["results"][0]["ok"], false);
    env.sim().add_rule(Rule::next(1, Behaviour::Cut).of("ada").on(Route::Token));
    assert_eq!(sidecar.result("refresh", forced.clone())["results"][0]["ok"], false);
    assert_eq!(sidecar.result("refresh", forced.clone())["results"][0]["ok"], true);
    // pi's file, whole, consumed and broken in several ways, each with tokens in it.
    let whole = fs::read_to_string(&pi).expect("read");
    write_pi(&first);
    assert_eq!(sidecar.result("accounts/import", json!({}))["warning"]["kind"], "consumed_credential");
    // The good login is written back now, because otherwise that would happen while the file is broken on purpose.
    eventually_blocking("pi's login is written back", || fs::read_to_string(&pi).is_ok_and(|it| it == whole));
    for broken in [
        whole[..whole.len() - 40].to_owned(),
        whole.replace("\"oauth\"", "\"eyJhbGciOiJub25lIn0\""),
        whole.replace("\"openai-codex\": {", "\"openai-codex\": [").replace("}\n}", "]\n}"),
        whole.replace("\"access\": ", "\"access\": 7, \"rt_sim_\": "),
    ] {
        write_pi(&broken);
        assert_eq!(sidecar.error("accounts/import", json!({})), -32016, "{broken}");
    }
    write_pi(&whole);
    sidecar.result("accounts/import", json!({}));
    // The Codex CLI's file.
    let codex = pi.with_file_name("codex");
    fs::create_dir(&codex).expect("made");
    let whole = codex_auth_json(&sign_in(&env, "cleo"));
    for broken in [&whole[..whole.len() - 30], &whole.replace("refresh_token", "rt_sim_"), "\"rt_sim_\""] {
        fs::write(codex.join("auth.json"), broken).expect("written");
        assert_eq!(sidecar.error("accounts/import", json!({"from": "codex"})), -32016, "{broken}");
    }
    fs::write(codex.join("auth.json"), &whole).expect("written");
    assert_eq!(sidecar.result("accounts/import", json!({"from": "codex"}))["changed"], true);
    // pi's account is logged in again here, after its token was refused with everything that was sent.
    echo(401);
    // Text that is not a word is not a code, and a 401 without a code costs no login.
    assert_eq!(sidecar.result("refresh", forced.clone())["needsLogin"], 0);
    let refused = Behaviour::row("invalid_grant").expect("a row");
    env.sim().add_rule(Rule::next(1, refused).of("ada").on(Route::Token));
    assert_eq!(sidecar.result("refresh", forced)["needsLogin"], 1);
    let before = fs::read_to_string(&pi).expect("read");
    let started = sidecar.result("reauth", ada);
    assert_eq!(get(redirect(&env, &started, "ada").as_str()).0, 200);
    let ended = sidecar.result("login/wait", json!({ "loginId": started["loginId"] }));
    assert_eq!((&ended["account"]["state"], &ended["account"]["linked"]), (&json!("ready"), &json!(true)));
    assert_ne!(fs::read_to_string(&pi).expect("read"), before, "pi has the login");
    sidecar.result("accounts", json!({}));
    sidecar.result("shutdown", json!({}));
    let Overheard { mut child, stdin, mut stdout, log, mut told, .. } = sidecar;
    drop(stdin);
    stdout.read_to_string(&mut told).expect("text");
    assert!(child.wait().expect("it ends").success());
    let log = log.join().expect("the log is read");
    assert!(log.contains("refreshing") && log.len() > 10_000, "the log is at trace: {} bytes", log.len());
    assert!(told.contains("consumed_credential"), "what was told was heard: {told}");
    assert_eq!(env.sim().reused(), 0);

    let mut places = vec![("stdout", told), ("stderr", log), ("the arguments", arguments)];
    let state = env.accounts_file().with_file_name("state");
    for file in files(&state) {
        let content = fs::read(&file).expect("readable");
        places.push(("the state dir", String::from_utf8_lossy(&content).into_owned()));
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    for (place, text) in places {
        for secret in ["rt_sim_", "ac_sim_", "eyJ"] {
            let at = text.find(secret).map(|at| text[..at].chars().rev().take(200).collect::<String>());
            let before: Option<String> = at.map(|reversed| reversed.chars().rev().collect());
            assert_eq!(before, None, "{secret} is in {place}, after this");
        }
    }
    assert_eq!([mode(&pi), mode(&env.accounts_file()), mode(&state)], [0o600, 0o600, 0o700]);
}
