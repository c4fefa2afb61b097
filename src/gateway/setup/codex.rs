//! The Codex CLI's settings of a provider. The name must be exactly "OpenAI", because it turns on remote compaction.
//! The key comes from a command, so it is in no file, argument or variable. Only the gateway repeats requests.

use serde_json::Value;

/// The provider's name in Codex's configuration.
pub(super) const PROVIDER: &str = "multicodex";

/// The members of the provider, with their values in TOML.
pub(super) fn provider(url: &str) -> [(&'static str, String); 4] {
    [
        ("name", quoted("OpenAI")),
        ("base_url", quoted(&format!("{url}/v1"))),
        ("wire_api", quoted("responses")),
        ("request_max_retries", "0".to_owned()),
    ]
}

/// The members of the provider's `auth`. Codex asks for the key again only after a 401.
pub(super) fn auth(key_command: &[String]) -> Vec<(&'static str, String)> {
    let (program, arguments) =
        key_command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let arguments: Vec<String> = arguments.iter().map(|argument| quoted(argument)).collect();
    vec![
        ("command", quoted(program)),
        ("args", format!("[{}]", arguments.join(", "))),
        ("refresh_interval_ms", "0".to_owned()),
    ]
}

/// The arguments that make one run of Codex use the gateway, whatever its configuration holds.
pub(super) fn overrides(url: &str, key_command: &[String]) -> Vec<String> {
    let inline = |members: &[(&str, String)]| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut members = provider(url).to_vec();
    members.push(("auth", inline(&auth(key_command))));
    vec![
        "-c".to_owned(),
        format!("model_provider={}", quoted(PROVIDER)),
        "-c".to_owned(),
        format!("model_providers.{PROVIDER}={}", inline(&members)),
    ]
}

/// A TOML string. TOML reads JSON strings, except for DEL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_name_the_provider_and_the_command_that_prints_the_key() {
        let command = ["/bin/a b\"c", "gateway", "key"].map(str::to_owned);
        assert_eq!(
            overrides("http://127.0.0.1:1", &command),
            [
                "-c",
                r#"model_provider="multicodex""#,
                "-c",
                r#"model_providers.multicodex={name="OpenAI",base_url="http://127.0.0.1:1/v1",wire_api="responses",request_max_retries=0,auth={command="/bin/a b\"c",args=["gateway", "key"],refresh_interval_ms=0}}"#,
            ]
        );
        assert_eq!(quoted("a\u{7f}\n"), "\"a\\u007F\\n\"");
    }
}
