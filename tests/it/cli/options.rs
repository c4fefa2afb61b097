//! Mistakes on the command line: a message on stderr, exit code 2, and nothing on stdout.

use std::process::Stdio;

use crate::env::command;

#[test]
fn mistakes_are_named_on_stderr_and_end_with_2() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("a file");
    std::fs::write(&file, "").expect("writable");
    let file = file.to_str().expect("UTF-8");
    let check = |args: &[&str], said: &str| {
        let output = command(args).env("HOME", home.path()).stdin(Stdio::null()).output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    };
    check(&["--verbose"], "unknown option --verbose");
    check(&["serve", "--port", "1"], "unknown option --port");
    check(&["--agent-dir", file], "is not a directory");
    check(&["--agent-dir", &format!("{file}/below")], "cannot be used");
    check(&["--agent-dir", ""], "--agent-dir: a path is needed");
    check(&["--state-dir="], "--state-dir: a path is needed");
    check(&["import", "--path", ""], "--path: a path is needed");
    check(&["simulate", "--agent-dir", ""], "--agent-dir: a path is needed");
    check(&["--state-dir", file], "is not a directory; --state-dir names another");
    check(&["--max-requests", "0"], "--max-requests: must be at least 1");
    check(&["--max-message-bytes", "-1"], "--max-message-bytes: \"-1\" is not a number that fits");
    check(&["--log", "loud=quiet"], "--log:");
    check(&["--log", "multicodex=warn,wran"], "--log: \"wran\" is not a level");
    check(&["--log-format", "xml"], "neither text nor json");
    check(&["--upstream-url", "http://example.com"], "--upstream-url: only https://");
    check(&["serve", "again"], "unexpected argument");
    check(&["reserve"], "unknown subcommand \"reserve\"");
    check(&["acounts"], "did you mean accounts?; see multicodex --help\n");
    check(&["verify", "--onlin"], "did you mean --online?; see multicodex verify --help\n");
    check(&["rotation", "stratgy=priority"], "did you mean strategy?");
    check(&["footer", "usageMode=up"], "\"up\" is no value of usageMode");
}

#[test]
fn the_page_of_the_command_line_names_every_command_flag_and_variable() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/command-line.md"))
        .expect("the page is there");
    let help = command(&["--help"]).output().expect("it starts");
    let help = String::from_utf8(help.stdout).expect("text");
    let (commands, options) = help.split_once("Options:").expect("options");
    let commands = commands.split_once("Commands:").expect("commands").1;
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names: Vec<&str> =
        commands.lines().filter(is_name).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names.iter().filter(|name| !["help", "demo", "simulate"].contains(name)) {
        assert!(page.contains(&format!("`{name}")), "{name} is not on the page");
    }
    let words = options.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    let documented = words.filter(|word| {
        word.starts_with("--") && !["--help", "--version"].contains(word)
            || ["MULTICODEX_", "CODEX_HOME", "PI_"].iter().any(|start| word.starts_with(start))
    });
    for word in documented {
        assert!(page.contains(&format!("`{word}`")), "{word} is not on the page");
    }
}
