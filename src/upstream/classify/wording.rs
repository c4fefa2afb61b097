//! Messages for people: their meaning as the last resort, and how they are made safe to show.

use crate::pool::FailureKind::{self, *};

const MAX_MESSAGE_CHARS: usize = 500;

/// About the backend's machines, not about an account's limit.
const CAPACITY: [&str; 11] = [
    "overloaded",
    "at capacity",
    "over capacity",
    "no capacity",
    "out of capacity",
    "insufficient capacity",
    "capacity constraints",
    "capacity exceeded",
    "due to capacity",
    "high demand",
    "too busy",
];

/// Returns what the words suggest. Used only when neither a code nor the status has decided.
pub(super) fn kind_of_message(message: &str) -> Option<FailureKind> {
    let text = message.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    let about_parameter = says(&["parameter", "unsupported value"]);
    if says(&["deactivated"]) {
        Some(Deactivated)
    } else if says(&["context window", "context length", "maximum context"]) {
        Some(ContextLengthExceeded)
    } else if says(&CAPACITY) {
        Some(Overloaded)
    } else if !about_parameter && refuses_model(&text) {
        Some(ModelUnsupported)
    } else if says(&["usage limit", "limit has been reached", "limit reached", "hit your limit"])
        && !says(&["rate limit reached"])
    {
        Some(UsageLimit)
    } else if says(&["out of credits", "exceeded your current quota"]) {
        Some(Credits)
    } else if says(&["capacity"]) {
        Some(Overloaded)
    } else if says(&["rate limit", "too many requests", "try again in"]) {
        Some(RateLimit)
    } else {
        None
    }
}

/// Cuts the text, and removes everything that looks like a token or controls a terminal.
pub fn presentable(message: &str) -> String {
    let message = message.replace(|c: char| c.is_control(), " ");
    let mut shown = String::new();
    let mut after_bearer = false;
    for word in message.split_inclusive(|c: char| c.is_whitespace() || "\"',;:()[]{}<>=`".contains(c)) {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if looks_secret(bare) || (after_bearer && bare.len() > 8) {
            shown.push_str("[redacted]");
            shown.push_str(&word[bare.len()..]);
        } else {
            shown.push_str(word);
        }
        after_bearer = bare.eq_ignore_ascii_case("bearer") || (after_bearer && bare.is_empty());
    }
    match shown.char_indices().nth(MAX_MESSAGE_CHARS) {
        None => shown,
        Some((cut, _)) => format!("{}…", &shown[..cut]),
    }
}

fn refuses_model(text: &str) -> bool {
    const REFUSALS: [&str; 7] = [
        "not supported",
        "does not exist",
        "not found",
        "not available",
        "unavailable",
        "do not have access",
        "don't have access",
    ];
    let named = text.contains("model is not")
        || text.contains("the model")
        || text.contains("model not")
        || text.contains("requested model");
    text.contains("unsupported model")
        || text.contains("unknown model")
        || (named && REFUSALS.iter().any(|refusal| text.contains(refusal)))
}

/// How JWTs, API keys and refresh tokens begin.
fn looks_secret(word: &str) -> bool {
    (word.starts_with("eyJ") && word.len() > 20)
        || (["sk-", "rt_", "sess-"].iter().any(|start| word.starts_with(start)) && word.len() > 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_suggest_a_kind() {
        let check = |message: &str, expected: Option<FailureKind>| {
            assert_eq!(kind_of_message(message), expected, "{message}");
        };
        check("You've hit your usage limit.", Some(UsageLimit));
        check("The usage limit has been reached", Some(UsageLimit));
        check("You've hit your limit · resets 3pm", Some(UsageLimit));
        check("5-hour limit reached", Some(UsageLimit));
        check("Rate limit reached for gpt-5.1. Please try again in 1.5s.", Some(RateLimit));
        check("Too Many Requests", Some(RateLimit));
        check("You exceeded your current quota, please check your plan", Some(Credits));
        check("Your OpenAI account has been deactivated, please check your email", Some(Deactivated));
        check(
            "The 'gpt-5.1-codex' model is not supported when using Codex with a ChatGPT account.",
            Some(ModelUnsupported),
        );
        check("The model `gpt-9` does not exist or you do not have access to it.", Some(ModelUnsupported));
        check("Unsupported parameter: 'temperature' is not supported with this model.", None);
        check("Unsupported value: 'effort' does not support 'none' with the model, not supported.", None);
        check("Your input exceeds the context window of this model.", Some(ContextLengthExceeded));
        check("Selected model is at capacity", Some(Overloaded));
        check("The model has no capacity left right now", Some(Overloaded));
        check("We're experiencing high demand, sorry", Some(Overloaded));
        check("Capacity exceeded", Some(Overloaded));
        check("The requested model is not available due to capacity", Some(Overloaded));
        check("You've hit your usage limit. Upgrade for more capacity.", Some(UsageLimit));
        check("Context length exceeds the capacity", Some(ContextLengthExceeded));
        check("The server had an error while processing your request", None);
        check("", None);
    }

    #[test]
    fn messages_are_capped_and_hold_no_token() {
        let check = |message: &str, expected: &str| assert_eq!(presentable(message), expected);
        check("plain, with: punctuation", "plain, with: punctuation");
        check("Incorrect API key provided: sk-abcdefgh1234.", "Incorrect API key provided: [redacted].");
        check("token \"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.\" bad", "token \"[redacted].\" bad");
        check("Authorization: Bearer access-1-xyz refused", "Authorization: Bearer [redacted] refused");
        check("refresh_token=rt_0123456789", "refresh_token=[redacted]");
        check("bearer of news", "bearer of news");
        check("a\u{1b}]0;title\u{7} line\r\nline\u{9b}2J", "a ]0;title  line  line 2J");
        check(&"ü".repeat(500), &"ü".repeat(500));
        check(&"ü".repeat(501), &format!("{}…", "ü".repeat(500)));
    }
}
