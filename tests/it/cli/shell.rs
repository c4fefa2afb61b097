//! The features of `/multicodex` and the clients in a shell: each command changes what it says.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use multicodex::sim::{Behaviour, Route, Rule, SimAccount};
use serde_json::{Value, json};

use crate::env::skip::skip_unless;
use crate::env::{TestEnv, email, expired};
use crate::login::get;

/// Returns exit code, stdout and stderr of a command with empty stdin.
fn run(env: &TestEnv, arguments: &[&str]) -> (i32, String, String) {
    ended(&mut env.command(arguments))
}

fn ended(command: &mut Command) -> (i32, String, String) {
    let output = command.stdin(Stdio::null()).output().expect("the binary starts");
    texts(&output)
}

fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

fn stdout(env: &TestEnv, arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(env, arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}: {stdout}");
    stdout
}

fn json_of(env: &TestEnv, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(env, arguments)).expect("JSON")
}

fn two_accounts() -> TestEnv {
    TestEnv::new([SimAccount::named("ada"), SimAccount::named("bob")])
}

#[test]
fn use_pins_an_account_and_clear_removes_the_pin() {
    let env = two_accounts();
    let pinned = || json_of(&env, &["accounts", "--json"])["pinned"].clone();
    assert_eq!(stdout(&env, &["use", "BOB@example.com"]), "bob@example.com is used until it meets a limit\n");
    let bob = json_of(&env, &["accounts", "--json"])["accounts"][1]["id"].clone();
    assert_eq!(pinned(), bob);
    assert!(stdout(&env, &["use"]).starts_with("ACCOUNT"), "without an account it lists them");
    assert_eq!(stdout(&env, &["use", "--clear"]), "no account is pinned any more\n");
    assert_eq!(pinned(), Value::Null);
    assert_eq!(stdout(&env, &["use", "--clear"]), "no account was pinned\n");
    let (code, said, mistake) = run(&env, &["use", "carol"]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(mistake.contains("carol") && mistake.contains("bob@example.com"), "{mistake}");
}

#[test]
fn show_tells_about_all_accounts_and_about_one() {
    let env = two_accounts();
    let all = stdout(&env, &["show"]);
    let (head, table) = all.split_once('\n').expect("lines");
    assert!(head.starts_with("active: ") && head.ends_with("@example.com; 2 of 2 ready"), "{all}");
    assert!(table.starts_with("ACCOUNT") && table.lines().count() == 3, "{all}");
    let one = stdout(&env, &["show", &email("bob")]);
    assert!(one.starts_with("bob@example.com\n  id: acc_"), "{one}");
    assert_eq!(run(&env, &["show", "carol"]).0, 1);
}

#[test]
fn disable_and_enable_take_an_account_out_and_back() {
    let env = two_accounts();
    let states = || {
        let list = json_of(&env, &["accounts", "--json"]);
        [0, 1].map(|at| list["accounts"][at]["state"].as_str().expect("a state").to_owned())
    };
    assert_eq!(stdout(&env, &["disable", &email("ada")]), "ada@example.com is out of rotation\n");
    assert_eq!(states(), ["disabled", "ready"]);
    assert_eq!(stdout(&env, &["enable", &email("ada")]), "ada@example.com is in rotation\n");
    assert_eq!(states(), ["ready", "ready"]);
}

#[test]
fn label_renames_and_refuses_a_name_that_is_taken() {
    let env = two_accounts();
    assert_eq!(stdout(&env, &["label", &email("ada"), "Ada at work"]), "the account is called Ada at work\n");
    assert_eq!(env.read_accounts()["accounts"][0]["email"], "Ada at work");
    let (code, _, mistake) = run(&env, &["label", &email("bob"), "ada AT work"]);
    assert_eq!(code, 1, "{mistake}");
    assert_eq!(env.read_accounts()["accounts"][1]["email"], email("bob"));
    assert!(stdout(&env, &["show", "Ada at work"]).starts_with("Ada at work\n"));
}

#[test]
fn remove_needs_a_yes() {
    let env = two_accounts();
    let count = || env.read_accounts()["accounts"].as_array().map(Vec::len);
    let (code, said, mistake) = run(&env, &["remove", &email("ada")]);
    assert_eq!((code, said.as_str(), count()), (1, "", Some(2)));
    assert!(mistake.contains("--yes"), "{mistake}");
    assert_eq!(stdout(&env, &["remove", &email("ada"), "--yes"]), "ada@example.com was removed\n");
    assert_eq!(count(), Some(1));
    assert_eq!(run(&env, &["remove", &email("ada"), "--yes"]).0, 1);
}

#[test]
fn remove_asks_on_a_terminal() {
    if Command::new("script").arg("--version").output().is_err() {
        return skip_unless("script");
    }
    let env = two_accounts();
    let answer = |line: &str| {
        let remove = env.command(&["remove", "ada@example.com"]);
        let program = remove.get_program().to_str().expect("UTF-8").to_owned();
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &format!("{program} remove ada@example.com"), "/dev/null"]);
        terminal.envs(remove.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a terminal");
        child.stdin.take().expect("piped").write_all(line.as_bytes()).expect("it listens");
        texts(&child.wait_with_output().expect("it ends"))
    };
    for no in ["n\n", "\n", "yess\n"] {
        let (code, shown, _) = answer(no);
        assert_eq!(code, 1, "{no:?}: {shown}");
        assert!(shown.contains("Remove this account and its tokens? [y/N]"), "{shown}");
    }
    assert_eq!(env.read_accounts()["accounts"].as_array().map(Vec::len), Some(2));
    let (code, shown, _) = answer("y\n");
    assert!(code == 0 && shown.contains("ada@example.com was removed"), "{code}: {shown}");
    assert_eq!(env.read_accounts()["accounts"].as_array().map(Vec::len), Some(1));
}

#[test]
fn status_is_one_line_and_changes_nothing() {
    let env = two_accounts();
    let line = stdout(&env, &["status"]);
    assert!(line.starts_with("Codex · ") && line.ends_with("@example.com · 5h:-- · 7d:--\n"), "{line}");
    assert_eq!(line.lines().count(), 1);
    assert!(!env.state_dir().exists(), "it only reads");
    let status = json_of(&env, &["status", "--json"]);
    assert_eq!(status["segments"][0]["text"], "Codex");
}

#[test]
fn one_setting_turns_the_percentages_of_every_text() {
    let env = TestEnv::new([SimAccount::named("ada")]);
    let table = stdout(&env, &["refresh"]);
    assert!(table.contains("5H LEFT") && table.contains("88%"), "{table}");
    let check = |expected: [&str; 4]| {
        let status = stdout(&env, &["status"]);
        assert!(status.contains(expected[0]), "{status}");
        let table = stdout(&env, &["accounts"]);
        assert!(table.contains(expected[1]) && table.contains(expected[2]), "{table}");
        let shown = stdout(&env, &["show", &email("ada")]);
        assert!(shown.contains(expected[3]), "{shown}");
    };
    check(["5h:88% left", "5H LEFT", "88%", "5h: 88% left"]);
    assert!(stdout(&env, &["verify", "--online"]).contains("5h: 88% left"));
    stdout(&env, &["footer", "usageMode=used"]);
    check(["5h:12% used", "5H USED", "12%", "5h: 12% used"]);
    assert!(stdout(&env, &["verify", "--online"]).contains("5h: 12% used"));
}

#[test]
fn rotation_and_footer_show_and_change_settings() {
    let env = two_accounts();
    let rotation = stdout(&env, &["rotation"]);
    assert!(rotation.contains("strategy: round-robin\n"), "{rotation}");
    let changed = json_of(&env, &["rotation", "strategy=least-used", "maxAttempts=3", "--json"]);
    assert_eq!(changed["settings"]["strategy"], "least-used");
    assert_eq!(changed["settings"]["maxAttempts"], 3);
    assert!(stdout(&env, &["rotation"]).contains("strategy: least-used\n"));
    stdout(&env, &["rotation", "priority=bob@example.com", "5"]);
    let priorities = json_of(&env, &["rotation", "--json"])["settings"]["priority"].clone();
    assert_eq!(priorities.as_array().map(Vec::len), Some(1), "{priorities}");

    let footer = stdout(&env, &["footer", "showReset=off"]);
    assert!(footer.contains("showReset: off\n") && footer.ends_with("7d:--\n"), "{footer}");
    assert_eq!(json_of(&env, &["footer", "--json"])["showReset"], false);
    let settings: Value =
        serde_json::from_str(&fs::read_to_string(env.settings_file()).expect("saved")).expect("JSON");
    assert_eq!(settings["pi-multicodex"]["rotation"]["strategy"], "least-used");
    // A mistake on the command line, so nothing is started.
    for mistake in [&["rotation", "maxAttempts=many"][..], &["footer", "order"], &["footer", "colour=red"]] {
        assert_eq!(run(&env, mistake).0, 2, "{mistake:?}");
    }
}

#[test]
fn reset_ends_a_cooldown() {
    let env = two_accounts();
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()).on(Route::Responses));
    assert_eq!(run(&env, &["complete", "Hello"]).0, 0);
    assert_eq!(stdout(&env, &["reset", "quota"]), "1 account is tried again\n");
    assert_eq!(stdout(&env, &["reset", "quota"]), "no account was cooling\n");
    assert_eq!(stdout(&env, &["reset", "manual"]), "no account was pinned\n");
    assert_eq!(stdout(&env, &["reset"]), "no account was pinned\nno account was cooling\n");
}

#[test]
fn paths_names_the_files() {
    let env = two_accounts();
    let paths = json_of(&env, &["paths", "--json"]);
    assert_eq!(paths["accountsFile"], env.accounts_file().to_str().expect("UTF-8"));
    let text = stdout(&env, &["paths"]);
    assert!(text.contains("accountsFile") && text.contains("codex-accounts.json\n"), "{text}");
}

#[test]
fn refresh_of_many_answers_as_the_method_does() {
    let env = TestEnv::new(["ada", "bob", "cleo", "dan", "eve", "fay"].map(expired));
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    env.sim().add_rule(Rule::always(behaviour).of("eve").on(Route::Token));
    let (code, stdout, _) = run(&env, &["refresh", "--json"]);
    let answer: Value = serde_json::from_str(&stdout).expect("JSON");
    let results = answer["results"].as_array().expect("results");
    let labels: Vec<&str> = results.iter().filter_map(|it| it["account"]["label"].as_str()).collect();
    assert_eq!((code, &answer["needsLogin"]), (1, &json!(1)));
    assert_eq!(labels, ["ada", "bob", "cleo", "dan", "eve", "fay"].map(email));
    let active = results.iter().filter(|it| it["account"]["active"] == true).count();
    assert_eq!(active, 1, "{stdout}");
}

#[test]
fn completions_and_man_pages_come_from_the_same_declaration() {
    let env = two_accounts();
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef multicodex"),
        ("fish", "complete -c"),
        ("powershell", "Register-"),
    ] {
        let script = stdout(&env, &["completions", shell]);
        assert!(script.contains(sign) && script.contains("agent-dir"), "{shell}");
    }
    assert_eq!(run(&env, &["completions", "tcsh"]).0, 2);
    let page = stdout(&env, &["man"]);
    assert!(page.contains(".TH multicodex 1") && page.contains("complete"), "{page}");
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("UTF-8");
    stdout(&env, &["man", path]);
    assert!(dir.path().join("multicodex-complete.1").exists());
    assert_eq!(run(&env, &["man", &format!("{path}/missing")]).0, 2);
}

#[test]
fn a_log_file_may_lie_in_a_state_dir_that_is_not_there_yet() {
    for command in [&["accounts"][..], &["status"], &["verify"], &["serve"], &["history"]] {
        for place in ["own.log", "logs/own.log"] {
            let env = two_accounts();
            let log = env.state_dir().join(place);
            let mut command = env.command(command);
            command.args(["--log", "trace", "--log-file"]).arg(&log);
            let (code, _, errors) = ended(&mut command);
            assert_eq!((code, errors.as_str()), (0, ""), "{command:?}");
            assert!(log.exists(), "{command:?}");
        }
        let env = two_accounts();
        let log = env.state_dir().join("own.log");
        assert_eq!(ended(env.command(command).env("MULTICODEX_LOG_FILE", &log)).0, 0);
    }
    // Other commands report a missing directory as a mistake.
    let env = two_accounts();
    let (code, _, errors) = run(&env, &["accounts", "--log-file", "/nowhere/own.log"]);
    assert!(code == 2 && errors.contains("/nowhere/own.log"), "{code}: {errors}");
}

#[test]
fn reauth_renews_the_account_that_needs_it_and_says_which() {
    let env = TestEnv::new([SimAccount::named("ada"), expired("bob")]);
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    env.sim().add_rule(Rule::next(1, behaviour).of("bob").on(Route::Token));
    assert_eq!(run(&env, &["refresh", &email("bob")]).0, 1);
    let mut reauth = env.command(&["reauth", "--no-open"]);
    reauth.env("MULTICODEX_TEST_CALLBACK_PORTS", "0");
    let mut child = reauth
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut reader = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let mut next_line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).expect("text");
        line
    };
    assert_eq!(next_line(), "Logging bob@example.com in again.\n");
    let url = loop {
        let line = next_line();
        assert_ne!(line, "", "no address");
        if let Some(url) = line.trim().strip_prefix("http") {
            break format!("http{url}");
        }
    };
    // Answers like these are not codes; a wrong code would end the login.
    child.stdin.as_mut().expect("piped").write_all(b"y\nok\n1\n").expect("it listens");
    let mut errors = std::io::BufReader::new(child.stderr.take().expect("piped"));
    for _ in 0..3 {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut errors, &mut line).expect("text");
        assert!(line.starts_with("this is neither an address nor a code"), "{line}");
    }
    env.sim().set_visitor(Some("bob"));
    let (status, answer) = get(&url);
    assert_eq!(status, 302, "{answer}");
    let callback = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
    get(callback);
    assert_eq!(child.wait().expect("a child").code(), Some(0));
    assert_eq!(json_of(&env, &["accounts", "--json"])["accounts"][1]["state"], "ready");
}

#[test]
fn reauth_of_several_that_need_it_asks_which() {
    let env = TestEnv::new([SimAccount::named("ada"), expired("bob"), expired("cleo")]);
    let behaviour = Behaviour::row("invalid_grant").expect("a row");
    env.sim().add_rule(Rule::always(behaviour).on(Route::Token));
    assert_eq!(run(&env, &["refresh"]).0, 1);
    let (code, said, errors) = run(&env, &["reauth", "--no-open"]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(
        errors.contains("several accounts need a login") && errors.contains("is cleo@example.com"),
        "{errors}"
    );
}
