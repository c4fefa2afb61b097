//! The last check before an upstream answer reaches a client: removes secrets that the sidecar knows.

use std::borrow::Cow;

use crate::pool::Pool;

/// Returns `text` with every access and refresh token of the pool replaced.
pub(crate) fn redact<'a>(pool: &Pool, text: &'a str) -> Cow<'a, str> {
    strike_out(pool, text, false)
}

/// The same for a text that was cut: it may end within a token.
pub(crate) fn redact_cut<'a>(pool: &Pool, text: &'a str) -> Cow<'a, str> {
    strike_out(pool, text, true)
}

fn strike_out<'a>(pool: &Pool, text: &'a str, cut: bool) -> Cow<'a, str> {
    let credentials = pool.accounts().iter().map(|account| &account.credential);
    let secrets = credentials.flat_map(|credential| [&credential.access, &credential.refresh]);
    secrets.fold(Cow::Borrowed(text), |text, secret| secret.strike_out(text, cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::{Account, AccountId, At, Credential, Identity, RotationSettings};
    use crate::secret::Secret;

    #[test]
    fn tokens_of_every_account_are_struck_out_and_the_rest_is_unchanged() {
        let mut pool = Pool::new(RotationSettings::default());
        let credential = Credential {
            access: Secret::new("canary-a"),
            refresh: Secret::new("canary-r"),
            expires_at: At(1),
        };
        let account =
            Account::new(AccountId::new("acc_1"), Identity::default(), "ada".to_owned(), credential);
        pool.sync(vec![account], At(0));
        assert_eq!(
            redact(&pool, r#"{"a":"Bearer canary-a","b":"canary-r"}"#),
            r#"{"a":"Bearer [redacted]","b":"[redacted]"}"#
        );
        assert!(matches!(redact(&pool, "nothing"), Cow::Borrowed("nothing")));
        assert_eq!(redact(&pool, "up to canary-"), "up to canary-");
    }
}
