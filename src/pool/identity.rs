//! The identity of an account: the pair (workspace id, user id), never the e-mail.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The id of an account for clients: `acc_` and 16 hex digits derived from its [`Identity`], so that it survives label
/// changes, new logins and restarts. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AccountId(Arc<str>);

impl From<String> for AccountId {
    fn from(id: String) -> Self {
        AccountId(Arc::from(id))
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl AccountId {
    pub fn new(id: impl AsRef<str>) -> Self {
        AccountId(Arc::from(id.as_ref()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One user in one workspace (schema/upstream.md, claims). The same e-mail in two workspaces, and two users in one
/// workspace, are different accounts. Every part may be missing in a token. Parts are compared only with parts of the
/// same kind, the strongest kind first: a token that lacks a claim contradicts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// `chatgpt_account_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// `chatgpt_user_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `user_id`, which usually repeats `chatgpt_user_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_user_id: Option<String>,
    /// `chatgpt_account_user_id`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seat_id: Option<String>,
    /// `sub`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The e-mail claim, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The e-mail that labels the entry of a token without claims, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelled_email: Option<String>,
}

/// The result of a comparison of two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    Same,
    /// They have no kind of user claim in common, or one names no workspace.
    Unknown,
    Different,
}

/// The number of kinds of claims that can stand for the user.
const KINDS: usize = 6;

impl Identity {
    pub fn compare(&self, other: &Identity) -> Likeness {
        if self == other && *self != Identity::default() {
            return Likeness::Same;
        }
        let if_same_user = match (&self.workspace_id, &other.workspace_id) {
            (Some(a), Some(b)) if a != b => return Likeness::Different,
            (a, b) if a == b => Likeness::Same,
            _ => Likeness::Unknown,
        };
        let mut pairs = self.user_claims().into_iter().zip(other.user_claims());
        match pairs.find_map(|(a, b)| a.zip(b)) {
            Some((a, b)) if a == b => if_same_user,
            Some(_) => Likeness::Different,
            None => Likeness::Unknown,
        }
    }

    /// Returns the claim that stands for the user, with the position of its kind: 0 is the strongest.
    pub fn user(&self) -> Option<(usize, &str)> {
        self.user_claims().into_iter().enumerate().find_map(|(kind, claim)| Some((kind, claim?)))
    }

    /// Returns whether this says more about who it is than `other` does.
    pub fn tells_more_than(&self, other: &Identity) -> bool {
        let weight = |identity: &Identity| {
            let user = identity.user().map_or(0, |(kind, _)| KINDS - kind);
            user + if identity.workspace_id.is_some() { KINDS } else { 0 }
        };
        weight(self) > weight(other)
    }

    /// Returns this with what `other`, which is of the same account, says beyond it. An e-mail may change; the newer one
    /// is that of `other`.
    #[must_use]
    pub fn completed_by(&self, other: &Identity) -> Identity {
        let either =
            |first: &Option<String>, second: &Option<String>| first.clone().or_else(|| second.clone());
        Identity {
            workspace_id: either(&self.workspace_id, &other.workspace_id),
            user_id: either(&self.user_id, &other.user_id),
            other_user_id: either(&self.other_user_id, &other.other_user_id),
            seat_id: either(&self.seat_id, &other.seat_id),
            subject: either(&self.subject, &other.subject),
            email: either(&other.email, &self.email),
            labelled_email: either(&other.labelled_email, &self.labelled_email),
        }
    }

    fn user_claims(&self) -> [Option<&str>; KINDS] {
        let claims = [
            &self.user_id,
            &self.other_user_id,
            &self.seat_id,
            &self.subject,
            &self.email,
            &self.labelled_email,
        ];
        claims.map(Option::as_deref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(workspace: &str, claims: [&str; KINDS]) -> Identity {
        let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [user_id, other_user_id, seat_id, subject, email, labelled_email] = claims.map(known);
        let workspace_id = known(workspace);
        Identity { workspace_id, user_id, other_user_id, seat_id, subject, email, labelled_email }
    }

    #[test]
    fn claims_are_compared_with_claims_of_the_same_kind() {
        let check = |a: Identity, b: Identity, expected: Likeness| {
            assert_eq!((a.compare(&b), b.compare(&a)), (expected, expected), "{a:?} {b:?}");
        };
        let full = || identity("w", ["u", "u", "s", "sub", "a@x", ""]);
        check(full(), full(), Likeness::Same);
        // The strongest common kind decides: people change their e-mail and the way they sign in.
        check(full(), identity("w", ["u", "", "", "other", "b@x", ""]), Likeness::Same);
        check(full(), identity("w", ["v", "", "", "sub", "a@x", ""]), Likeness::Different);
        for weaker in [["", "u", "", "", "", ""], ["", "", "s", "", "", ""], ["", "", "", "sub", "", ""]] {
            check(full(), identity("w", weaker), Likeness::Same);
            check(full(), identity("other", weaker), Likeness::Different);
            check(full(), identity("", weaker), Likeness::Unknown);
        }
        check(full(), identity("w", ["", "", "", "", "b@x", ""]), Likeness::Different);
        check(full(), identity("w", [""; KINDS]), Likeness::Unknown);
        // A value never matches one of another kind.
        let (user, subject) = (["x", "", "", "", "", ""], ["", "", "", "x", "", ""]);
        check(identity("w", user), identity("w", subject), Likeness::Unknown);
        check(full(), identity("w", ["", "", "", "", "", "b@x"]), Likeness::Unknown);
        check(identity("w", [""; KINDS]), identity("w", [""; KINDS]), Likeness::Same);
        check(Identity::default(), Identity::default(), Likeness::Unknown);
    }

    #[test]
    fn an_identity_keeps_what_a_later_token_lacks() {
        let old = identity("w", ["u", "", "", "", "a@x", ""]);
        let new = identity("w", ["", "", "s", "", "b@x", ""]);
        assert_eq!(old.completed_by(&new), identity("w", ["u", "", "s", "", "b@x", ""]));
        assert!(old.tells_more_than(&new) && !new.tells_more_than(&old));
    }
}
