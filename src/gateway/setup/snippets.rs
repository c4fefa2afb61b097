//! The configuration that lets a program use the permanent gateway. No snippet holds the key.

use super::codex;

/// A program that can use the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Codex,
    Opencode,
    Zed,
    Pi,
    Sdk,
}

/// Returns the text for a file of the program; `url` is the gateway's address, `key_command` prints its key.
pub fn snippet(client: Client, url: &str, key_command: &[String]) -> String {
    let words = key_command.iter().map(String::as_str);
    // Only a NUL cannot be quoted, and arguments hold none.
    let key = shlex::try_join(words).unwrap_or_default();
    match client {
        Client::Codex => codex(url, key_command),
        Client::Opencode => opencode(url, &key),
        Client::Zed => zed(url, &key),
        Client::Pi => pi(url, &key),
        Client::Sdk => sdk(url, &key),
    }
}

fn codex(url: &str, key_command: &[String]) -> String {
    let lines = |members: &[(&str, String)]| {
        members.iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<String>()
    };
    format!(
        "# ~/.codex/config.toml; a login of Codex's own is not needed\n\
         model_provider = \"{provider}\"\n\n\
         [model_providers.{provider}]\n{members}\n\
         [model_providers.{provider}.auth]\n{auth}",
        provider = codex::PROVIDER,
        members = lines(&codex::provider(url)),
        auth = lines(&codex::auth(key_command)),
    )
}

fn opencode(url: &str, key: &str) -> String {
    format!(
        r#"// opencode.json; a login for OpenAI of opencode's own must be removed (`opencode auth logout`), else it is used instead.
// Start it with MULTICODEX_KEY=$({key})
{{
  "provider": {{
    "openai": {{
      "options": {{ "baseURL": "{url}/v1", "apiKey": "{{env:MULTICODEX_KEY}}" }}
    }}
  }},
  "model": "openai/gpt-6.1-sol"
}}
"#
    )
}

fn zed(url: &str, key: &str) -> String {
    format!(
        r#"// settings.json; the key is entered in the settings of the provider, or is in MULTICODEX_API_KEY: {key}
{{
  "language_models": {{
    "openai_compatible": {{
      "multicodex": {{
        "api_url": "{url}/v1",
        "available_models": [
          {{
            "name": "gpt-6.1-sol",
            "max_tokens": 272000,
            "capabilities": {{ "tools": true, "images": true, "parallel_tool_calls": true, "prompt_cache_key": true, "chat_completions": false }}
          }}
        ]
      }}
    }}
  }}
}}
"#
    )
}

fn pi(url: &str, key: &str) -> String {
    format!(
        r#"// ~/.pi/agent/models.json; start pi with MULTICODEX_KEY=$({key})
{{
  "providers": {{
    "multicodex": {{
      "baseUrl": "{url}/v1",
      "api": "openai-responses",
      "apiKey": "$MULTICODEX_KEY",
      "models": [
        {{ "id": "gpt-6.1-sol", "name": "gpt-6.1-sol", "reasoning": true, "input": ["text", "image"], "contextWindow": 272000, "maxTokens": 128000, "cost": {{ "input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0 }} }}
      ]
    }}
  }}
}}
"#
    )
}

fn sdk(url: &str, key: &str) -> String {
    format!(
        "# for the OpenAI SDKs, in the environment of the program\n\
         export OPENAI_BASE_URL={url}/v1\n\
         export OPENAI_API_KEY=\"$({key})\"\n"
    )
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn key_command() -> Vec<String> {
        ["multicodex", "gateway", "key"].map(str::to_owned).into()
    }

    #[test]
    fn every_snippet_names_the_address() {
        for client in [Client::Codex, Client::Opencode, Client::Zed, Client::Pi, Client::Sdk] {
            let text = snippet(client, "http://127.0.0.1:41455", &key_command());
            assert!(text.contains("http://127.0.0.1:41455/v1"), "{text}");
            assert!(text.ends_with('\n'), "{text}");
            assert!(client == Client::Codex || text.contains("multicodex gateway key"), "{text}");
        }
    }

    #[test]
    fn snippets_in_json_are_json_below_their_comments() {
        for client in [Client::Opencode, Client::Zed, Client::Pi] {
            let text = snippet(client, "http://127.0.0.1:1", &key_command());
            let json: String = text.lines().filter(|line| !line.starts_with("//")).collect();
            serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
        }
    }

    #[test]
    fn the_snippet_for_codex_is_a_provider_with_a_command_for_the_key() {
        assert_eq!(
            snippet(Client::Codex, "http://127.0.0.1:41455", &key_command()),
            r#"# ~/.codex/config.toml; a login of Codex's own is not needed
model_provider = "multicodex"

[model_providers.multicodex]
name = "OpenAI"
base_url = "http://127.0.0.1:41455/v1"
wire_api = "responses"
request_max_retries = 0

[model_providers.multicodex.auth]
command = "multicodex"
args = ["gateway", "key"]
refresh_interval_ms = 0
"#
        );
    }
}
