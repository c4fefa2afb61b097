//! The OpenAI SDKs for Python and Node, pi's own provider, and opencode, each over `multicodex run`.

use std::fs;
use std::path::Path;

use multicodex::sim::{Behaviour, Route, Rule, SimAccount, Spoken, StreamPlan};
use serde_json::{Value, json};

use super::programs::{Ended, command, end, installed};
use crate::env::TestEnv;
use crate::gateway::running::two_accounts;

/// Each SDK and its script.
const SDKS: [(&str, &str); 2] = [("python", "sdk.py"), ("node", "sdk.mjs")];

/// Runs a script of the tests. Returns its output, and how many completions reached the gateway.
async fn run(env: &TestEnv, bin: &Path, program: &str, script: &str, case: &str) -> (Ended, usize) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway-clients/scripts");
    let script = scripts.join(script);
    let script = script.to_str().expect("UTF-8");
    let log = env.agent_dir().join("gateway.log");
    let mut command = command(env, bin, &["run", "--", program, script, case]);
    command.env("CLIENTS", bin.parent().expect("a directory"));
    command.env("MULTICODEX_LOG", "multicodex::gateway=debug").env("MULTICODEX_LOG_FILE", &log);
    let ended = end(command).await;
    let log_text = fs::read_to_string(&log).expect("a log");
    fs::remove_file(log).expect("our own");
    (ended, log_text.lines().filter(|line| line.contains("POST") && line.contains("/responses")).count())
}

#[tokio::test]
async fn sdks_get_whole_answers_streams_and_models() {
    let Some(bin) = installed() else { return };
    for (program, script) in SDKS {
        for case in ["whole", "streamed"] {
            let env = two_accounts();
            // The account that is asked first is at its limit, which the client does not notice.
            env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
            let (ended, posts) = run(&env, bin, program, script, case).await;
            assert!(ended.stdout.starts_with("You asked: “Hello”."), "{program} {case}: {ended:?}");
            assert_eq!(
                (posts, env.sim().posts("ada"), env.sim().posts("bob")),
                (1, 1, 1),
                "{program} {case}"
            );
        }
        let (ended, _) = run(&two_accounts(), bin, program, script, "listed").await;
        assert_eq!(
            ended.stdout, "gpt-6.2-sol gpt-6.2-astra gpt-6.1-sol gpt-6.1-terra gpt-6-astra\n",
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn sdks_run_a_tool_loop() {
    let Some(bin) = installed() else { return };
    let env = TestEnv::new([SimAccount::named("ada")]);
    let item = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "answer",
        "arguments": "{}", "status": "completed"});
    let said = [
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": {
            "id": "r", "object": "response", "created_at": 0, "model": "m", "status": "completed", "output": []}}),
    ];
    let said = said.iter().map(Value::to_string).collect();
    let plan = StreamPlan { spoken: Spoken::Events(said), ..StreamPlan::default() };
    for (program, script) in SDKS {
        env.sim().add_rule(Rule::next(1, Behaviour::Stream(plan.clone())));
        let (ended, posts) = run(&env, bin, program, script, "tool_loop").await;
        assert!(ended.stdout.contains("Simulated"), "{program}: {ended:?}");
        assert_eq!(posts, 2, "{program}");
        let sent: Value = serde_json::from_str(&env.sim().log().pop().expect("requests").body).expect("JSON");
        assert_eq!(sent["input"][1]["output"], "42", "{program}");
    }
}

#[tokio::test]
async fn sdks_ask_once_when_all_are_out() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    env.sim().add_rule(Rule::always(Behaviour::usage_limit_for(7200)));
    for (program, script) in SDKS {
        let (ended, posts) = run(&env, bin, program, script, "refused").await;
        let said: Vec<&str> = ended.stdout.split_whitespace().collect();
        assert_eq!(said[..2], ["429", "usage_limit_reached"], "{program}: {ended:?}");
        assert!(said[2].parse::<u32>().is_ok_and(|seconds| seconds > 7000), "{program}: {ended:?}");
        assert_eq!(posts, 1, "{program} asks once");
    }
}

#[tokio::test]
async fn pis_own_provider_gets_an_answer_and_asks_once_when_all_are_out() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit_for(1)));
    let (ended, posts) = run(&env, bin, "node", "pi.mjs", "").await;
    assert!(ended.stdout.starts_with("stop You asked: “Hello”."), "{ended:?}");
    assert_eq!(posts, 1);
    env.sim().add_rule(Rule::always(Behaviour::usage_limit_for(7200)));
    let (ended, posts) = run(&env, bin, "node", "pi.mjs", "").await;
    assert!(ended.stdout.starts_with("error") && ended.stdout.contains("quota exceeded"), "{ended:?}");
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn opencode_gets_an_answer_and_keeps_its_session() {
    let Some(bin) = installed() else { return };
    let env = two_accounts();
    let mut opencode =
        command(&env, bin, &["run", "--", "opencode", "run", "--model", "openai/gpt-6.1-sol", "Hello"]);
    // The list of models that it would read.
    let limit = json!({"context": 272_000, "output": 32_000});
    let model = json!({"name": "gpt-6.1-sol", "reasoning": true, "tool_call": true, "limit": limit});
    let provider = json!({"npm": "@ai-sdk/openai", "name": "OpenAI", "models": {"gpt-6.1-sol": model}});
    let config = json!({"provider": {"openai": provider}, "small_model": "openai/gpt-6.1-sol"});
    fs::write(env.agent_dir().join("work/opencode.json"), config.to_string()).expect("written");
    opencode.env("OPENCODE_DISABLE_MODELS_FETCH", "1").env("OPENCODE_DISABLE_AUTOUPDATE", "1");
    env.sim().add_rule(Rule::next(1, Behaviour::usage_limit()));
    let ended = end(opencode).await;
    assert!(ended.stdout.contains("You asked"), "{ended:?}");
    let log = env.sim().log().into_iter().filter(|logged| logged.route == Some(Route::Responses));
    let served: Vec<_> = log.filter(|logged| logged.status == Some(200)).collect();
    assert!(!served.is_empty());
    for logged in &served {
        assert!(logged.headers["session-id"].starts_with("ses_"), "{:?}", logged.headers);
        assert_eq!(logged.account, served[0].account);
    }
}
