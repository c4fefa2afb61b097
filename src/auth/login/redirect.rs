//! What the authorization server sent the browser back with: a code, or a refusal. It is read from the callback's query
//! or from a paste, and accepted only with the state of its login.

use url::form_urlencoded;

use super::LoginError;
use crate::secret::Secret;

/// The members of a redirect that are used.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Redirect {
    pub state: Option<Secret>,
    /// Absent when it holds neither a code nor an error.
    pub answer: Option<Result<Secret, LoginError>>,
}

impl Redirect {
    pub(super) fn from_query(query: &str) -> Self {
        let mut redirect = Redirect::default();
        let (mut error, mut description) = (None, String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                // Codex appends hints to the state, like `.onboarding_entrypoint=…`; our states have no dot.
                "state" => redirect.state = value.split('.').next().map(Secret::new),
                "code" if !value.is_empty() => redirect.answer = Some(Ok(Secret::new(value))),
                "error" => error = Some(value.into_owned()),
                "error_description" => description = value.into_owned(),
                _ => {}
            }
        }
        if let Some(error) = error {
            redirect.answer = Some(Err(denial(&error, &description)));
        }
        redirect
    }
}

fn denial(error: &str, description: &str) -> LoginError {
    if description.contains("missing_codex_entitlement") {
        return LoginError::NotEntitled;
    }
    // Other members of an address must not get into messages and logs.
    let is_word = !error.is_empty()
        && error.len() <= 64
        && error.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let error = if is_word { error } else { "no reason given" };
    match presentable(description) {
        Some(description) => LoginError::Denied(format!("{error}: {description}")),
        None => LoginError::Denied(error.to_owned()),
    }
}

/// Returns the server's own text if it is short and printable, and nothing in it looks like a token or markup.
fn presentable(description: &str) -> Option<String> {
    const LONGEST: usize = 200;
    const LONGEST_WORD: usize = 40;
    let text = description.trim();
    let is_prose = |c: char| c.is_alphanumeric() || " .,;:'’()!?/_-".contains(c);
    let words = text.split(' ').all(|word| word.len() <= LONGEST_WORD);
    let fits = !text.is_empty() && text.len() <= LONGEST && words && text.chars().all(is_prose);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_a_code_or_a_refusal() {
        let check = |query: &str, state: Option<&str>, answer: Option<Result<&str, LoginError>>| {
            let expected =
                Redirect { state: state.map(Secret::new), answer: answer.map(|code| code.map(Secret::new)) };
            assert_eq!(Redirect::from_query(query), expected, "{query}");
        };
        check("code=ac_1&state=s", Some("s"), Some(Ok("ac_1")));
        check("state=s.onboarding_entrypoint=life_sciences&code=a%2Bb", Some("s"), Some(Ok("a+b")));
        check("state=s&scope=x", Some("s"), None);
        check("code=&state=s", Some("s"), None);
        check("", None, None);
        check(
            "error=access_denied&state=s",
            Some("s"),
            Some(Err(LoginError::Denied("access_denied".to_owned()))),
        );
        // A code beside an error is not used.
        check("error=x&code=a&state=s", Some("s"), Some(Err(LoginError::Denied("x".to_owned()))));
        check(
            "error=access_denied&error_description=Your+region+is+not+supported.&state=s",
            Some("s"),
            Some(Err(LoginError::Denied("access_denied: Your region is not supported.".to_owned()))),
        );
        check(
            "error=access_denied&error_description=<b>x</b>&state=s",
            Some("s"),
            Some(Err(LoginError::Denied("access_denied".to_owned()))),
        );
        check(
            "error=server_error&error_description=eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9aaaaaaaaaaaaaaaaaaaa&state=s",
            Some("s"),
            Some(Err(LoginError::Denied("server_error".to_owned()))),
        );
        check(
            "error=<script>&state=s",
            Some("s"),
            Some(Err(LoginError::Denied("no reason given".to_owned()))),
        );
        check(
            "error=access_denied&error_description=missing_codex_entitlement&state=s",
            Some("s"),
            Some(Err(LoginError::NotEntitled)),
        );
    }
}
