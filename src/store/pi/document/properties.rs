//! For any file and any edit: what is not ours keeps its bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::secret::Secret;

const LABELS: [&str; 5] = ["ada", "bob", "carol", "dan", "eve"];

/// Values that other programs may write, with forms that parsing would not preserve.
fn value() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "null",
        "true",
        "-0.0",
        "1e400",
        "12345678901234567890123",
        "1.50",
        r#""\u0061\ud800""#,
        r#""é\/""#,
        "[ ]",
        "{ }",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}\n]", items.join(" ,"))),
            prop::collection::vec(inner, 0..3).prop_map(|items| {
                let members: Vec<_> =
                    items.iter().enumerate().map(|(place, item)| format!("\"k{place}\" : {item}")).collect();
                format!("{{{}\t}}", members.join(","))
            }),
        ]
    })
}

fn unknown_members(prefix: &'static str) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(value(), 0..3).prop_map(move |values| {
        values.iter().enumerate().map(|(place, value)| format!("\"{prefix}{place}\": {value}")).collect()
    })
}

fn entry() -> impl Strategy<Value = String> {
    let good =
        (select(LABELS.to_vec()), unknown_members("u"), unknown_members("v")).prop_map(|(label, u, v)| {
            let known = [
                format!("\"email\": \"{label}\""),
                "\"accessToken\": \"access-1\"".to_owned(),
                "\"refreshToken\": \"refresh-1\"".to_owned(),
                "\"expiresAt\": 1.7e12".to_owned(),
            ];
            let members: Vec<_> = u.into_iter().chain(known).chain(v).collect();
            format!("{{{}}}", members.join(", "))
        });
    prop_oneof![4 => good, 1 => value()]
}

fn file() -> impl Strategy<Value = String> {
    (
        unknown_members("a"),
        prop::collection::vec(entry(), 0..5),
        unknown_members("b"),
        select(vec!["", ",\"version\":1", ",\"activeEmail\":\"ada\",\"activeEmail\":\"bob\""]),
    )
        .prop_map(|(before, entries, after, more)| {
            let accounts = format!("\"accounts\": [{}]", entries.join(",\n"));
            let members: Vec<_> = before.into_iter().chain([accounts]).chain(after).collect();
            format!("{{{}{more}}}", members.join(",\n"))
        })
}

#[derive(Clone, Debug)]
enum Edit {
    Put(&'static str, i64),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    SetActive(Option<&'static str>),
    NeedsReauth(&'static str, bool),
    Quota(&'static str, Option<i64>),
    Linked(&'static str, bool),
    Credential(&'static str, i64),
    LastUsed(&'static str, i64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let label = || select(LABELS.to_vec());
    prop_oneof![
        (label(), 0..9i64).prop_map(|(label, at)| Edit::Put(label, at)),
        (label(), label()).prop_map(|(old, new)| Edit::Rename(old, new)),
        label().prop_map(Edit::Remove),
        prop::option::of(label()).prop_map(Edit::SetActive),
        (label(), any::<bool>()).prop_map(|(label, needed)| Edit::NeedsReauth(label, needed)),
        (label(), prop::option::of(0..9i64)).prop_map(|(label, at)| Edit::Quota(label, at)),
        (label(), any::<bool>()).prop_map(|(label, linked)| Edit::Linked(label, linked)),
        (label(), 0..9i64).prop_map(|(label, at)| Edit::Credential(label, at)),
        (label(), 0..9i64).prop_map(|(label, at)| Edit::LastUsed(label, at)),
    ]
}

impl Edit {
    fn make(&self, document: &mut Document) {
        let credential = |at| Credential {
            access: Secret::new(format!("access-{at}")),
            refresh: Secret::new(format!("refresh-{at}")),
            expires_at: At(at),
        };
        // A refused edit is a valid case, too.
        let _ = match *self {
            Edit::Put(label, at) => {
                let Credential { access, refresh, expires_at } = credential(at);
                document.put(&FileAccount {
                    email: label.to_owned(),
                    access,
                    refresh,
                    expires_at,
                    account_id: Some("w-1".to_owned()),
                    last_used_at: None,
                    quota_exhausted_until: Some(At(at)),
                    linked: false,
                    needs_reauth: at == 0,
                });
                Ok(())
            }
            Edit::Rename(old, new) => document.rename(old, new),
            Edit::Remove(label) => document.remove(label),
            Edit::SetActive(label) => {
                document.set_active(label);
                Ok(())
            }
            Edit::NeedsReauth(label, needed) => document.set_needs_reauth(label, needed),
            Edit::Quota(label, at) => document.set_quota_exhausted_until(label, at.map(At)),
            Edit::Linked(label, linked) => document.set_linked(label, linked),
            Edit::Credential(label, at) => document.set_credential(label, &credential(at)),
            Edit::LastUsed(label, at) => document.set_last_used(label, At(at)),
        };
    }

    fn touches(&self, label: &str) -> bool {
        match *self {
            Edit::Rename(old, new) => old == label || new == label,
            Edit::SetActive(_) => false,
            Edit::Put(of, _)
            | Edit::Remove(of)
            | Edit::NeedsReauth(of, _)
            | Edit::Quota(of, _)
            | Edit::Linked(of, _)
            | Edit::Credential(of, _)
            | Edit::LastUsed(of, _) => of == label,
        }
    }
}

/// Returns the members that are not ours, and the entries that no edit named, in their order and byte for byte.
fn foreign(document: &Document, edits: &[Edit]) -> (Vec<(String, String)>, Vec<String>) {
    let members = document
        .members
        .iter()
        .filter(|(name, _)| !["version", "accounts", "activeEmail"].contains(name))
        .map(|(name, value)| (name.to_owned(), value.get().to_owned()))
        .collect();
    let untouched = |label: &str| !edits.iter().any(|edit| edit.touches(label));
    let entries = document.entries.iter().filter_map(|entry| match entry {
        Entry::Bad { raw, label, .. } => label.as_deref().is_none_or(untouched).then(|| raw.get().to_owned()),
        Entry::Account(members) => {
            let Field::Present(label) = members.string("email") else { return None };
            untouched(&label).then(|| serde_json::to_string(members).unwrap())
        }
    });
    (members, entries.collect())
}

/// Returns the members of an account that are not ours.
fn unknown_of(document: &Document, label: &str) -> Option<Vec<(String, String)>> {
    let Entry::Account(members) = document.entries.get(document.position(label)?)? else { return None };
    let unknown = members.iter().filter(|(name, _)| name.starts_with(['u', 'v']));
    Some(unknown.map(|(name, value)| (name.to_owned(), value.get().to_owned())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_no_edit_is_about_survives_any_edits(text in file(), edits in prop::collection::vec(edit(), 0..8)) {
        let mut document: Document = text.parse().unwrap();
        let before = foreign(&document, &edits);
        for edit in &edits {
            edit.make(&mut document);
        }
        prop_assert_eq!(&foreign(&document, &edits), &before);
        let written: Document = document.to_json().parse().unwrap();
        prop_assert_eq!(foreign(&written, &edits), before);
    }

    #[test]
    fn an_edited_account_keeps_the_members_that_are_not_ours(
        text in file(),
        edits in prop::collection::vec(edit(), 0..8),
        label in select(LABELS.to_vec()),
    ) {
        let mut document: Document = text.parse().unwrap();
        let before = unknown_of(&document, label);
        let moved = |edit: &Edit| matches!(*edit, Edit::Remove(of) if of == label) || matches!(*edit, Edit::Rename(..));
        for edit in edits.iter().filter(|edit| !moved(edit)) {
            edit.make(&mut document);
        }
        if before.is_some() {
            prop_assert_eq!(unknown_of(&document, label), before);
        }
    }

    #[test]
    fn writing_what_was_written_changes_nothing(text in file()) {
        let document: Document = text.parse().unwrap();
        let once = document.to_json();
        let again: Document = once.parse().unwrap();
        prop_assert_eq!(again.to_json(), once);
        prop_assert_eq!(again.accounts().collect::<Vec<_>>(), document.accounts().collect::<Vec<_>>());
        prop_assert_eq!(again.problems(), document.problems());
        prop_assert_eq!(again.active_email(), document.active_email());
    }

    #[test]
    fn what_was_edited_is_what_is_read_again(text in file(), edits in prop::collection::vec(edit(), 0..8)) {
        let mut document: Document = text.parse().unwrap();
        for edit in &edits {
            edit.make(&mut document);
        }
        let again: Document = document.to_json().parse().unwrap();
        prop_assert_eq!(again.accounts().collect::<Vec<_>>(), document.accounts().collect::<Vec<_>>());
        prop_assert_eq!(again.problems(), document.problems());
        prop_assert_eq!(again.active_email(), document.active_email());
    }
}
