#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::secret::Secret;

fn parse(text: &str) -> Document {
    text.parse().unwrap()
}

fn account(label: &str) -> FileAccount {
    FileAccount {
        email: label.to_owned(),
        access: Secret::new("access-1"),
        refresh: Secret::new("refresh-1"),
        expires_at: At(1_700_000_000_000),
        account_id: None,
        last_used_at: None,
        quota_exhausted_until: None,
        linked: false,
        needs_reauth: false,
    }
}

/// An entry as a line of JSON, with `more` members after the required ones.
fn entry(label: &str, more: &str) -> String {
    format!(
        r#"{{"email":"{label}","accessToken":"access-1","refreshToken":"refresh-1","expiresAt":1700000000000{more}}}"#
    )
}

fn compact(document: &Document) -> String {
    serde_json::to_string(document).unwrap()
}

#[test]
fn a_new_file_is_written_as_the_extension_writes_it() {
    let mut document = Document::default();
    document.put(&account("ada@example.com"));
    document.set_active(Some("ada@example.com"));
    let expected = r#"{
  "version": 1,
  "accounts": [
    {
      "email": "ada@example.com",
      "accessToken": "access-1",
      "refreshToken": "refresh-1",
      "expiresAt": 1700000000000
    }
  ],
  "activeEmail": "ada@example.com"
}"#;
    assert_eq!(document.to_json(), expected);
}

#[test]
fn both_shapes_are_read() {
    fn check(more: &str, change: impl Fn(&mut FileAccount)) {
        let mut expected = account("ada");
        change(&mut expected);
        for text in [
            format!(r#"{{"accounts":[{}],"activeEmail":"ada"}}"#, entry("ada", more)),
            format!(
                r#"{{"$schema":"s","version":1,"accounts":[{}],"activeEmail":"ada"}}"#,
                entry("ada", more)
            ),
        ] {
            let document = parse(&text);
            assert_eq!(document.accounts().collect::<Vec<_>>(), std::slice::from_ref(&expected), "{text}");
            assert_eq!(
                (document.active_email().as_deref(), document.problems()),
                (Some("ada"), vec![]),
                "{text}"
            );
        }
    }
    check("", |_| ());
    check(r#","accountId":"w-1","lastUsed":5.9,"quotaExhaustedUntil":7e3"#, |account| {
        account.account_id = Some("w-1".to_owned());
        account.last_used_at = Some(At(5));
        account.quota_exhausted_until = Some(At(7000));
    });
    check(r#","importSource":"pi-openai-codex","importFingerprint":"f","needsReauth":true"#, |account| {
        account.linked = true;
        account.needs_reauth = true;
    });
    check(r#","accountId":null,"needsReauth":null,"importSource":"elsewhere""#, |_| ());
}

#[test]
fn a_bad_entry_costs_only_itself_and_is_told() {
    fn check(bad: &str, label: Option<&str>, message: &str) {
        let text = format!(r#"{{"version":1,"accounts":[{},{bad},{}]}}"#, entry("ada", ""), entry("bob", ""));
        let document = parse(&text);
        let labels: Vec<_> = document.accounts().map(|account| account.email).collect();
        assert_eq!(labels, ["ada", "bob"], "{bad}");
        let problem = EntryProblem {
            index: 1,
            label: label.map(str::to_owned),
            message: message.to_owned(),
            used: false,
        };
        assert_eq!(document.problems(), [problem], "{bad}");
        assert_eq!(compact(&document), text);
    }
    check("7", None, "it is not an object");
    check("null", None, "it is not an object");
    check("{ }", None, "`expiresAt` is not a number");
    check(r#"{"email":"x","expiresAt":"1"}"#, Some("x"), "`expiresAt` is not a number");
    check(r#"{"email":" ","expiresAt":1}"#, Some(" "), "`email` is not a non-empty string");
    check(
        r#"{"email":"x","expiresAt":1,"accessToken":""}"#,
        Some("x"),
        "`accessToken` is not a non-empty string",
    );
    check(
        r#"{"email":"x","expiresAt":1,"accessToken":"a","refreshToken":[]}"#,
        Some("x"),
        "`refreshToken` is not a non-empty string",
    );
    check(&entry("ADA", r#", "accountId": "w-2""#), Some("ADA"), "an earlier entry has the same `email`");
}

#[test]
fn of_two_records_of_one_login_the_one_that_lives_longer_is_kept() {
    fn record(label: &str, workspace: &str, number: u8, more: &str) -> String {
        format!(
            r#"{{"email":"{label}","accessToken":"access-{number}","refreshToken":"refresh-{number}","expiresAt":170000000000{number},"accountId":"{workspace}"{more}}}"#
        )
    }
    fn check(entries: &[String], expected: &[(&str, &str, bool)], problems: usize) {
        let document = parse(&format!(r#"{{"accounts":[{}]}}"#, entries.join(",")));
        let accounts: Vec<_> = document.accounts().collect();
        let found: Vec<_> = accounts
            .iter()
            .map(|account| (account.email.as_str(), account.refresh.expose(), account.linked))
            .collect();
        assert_eq!((found.as_slice(), document.problems().len()), (expected, problems), "{entries:?}");
    }
    let bob = record("bob", "w-9", 1, "");
    let linked = r#","importSource":"pi-openai-codex""#;
    check(
        &[record("ada", "w-1", 1, ""), bob.clone(), record("Ada", "w-1", 2, "")],
        &[("Ada", "refresh-2", false), ("bob", "refresh-1", false)],
        0,
    );
    check(&[record("ada", "w-1", 2, ""), record("ADA", "w-1", 1, linked)], &[("ada", "refresh-2", true)], 0);
    check(
        &[record("ada", "w-1", 1, linked), record("ada", "w-1", 3, ""), record("ada", "w-1", 2, "")],
        &[("ada", "refresh-3", true)],
        0,
    );
    // Another identity with the same label is kept as it is.
    check(&[record("ada", "w-1", 1, ""), record("ada", "w-2", 2, "")], &[("ada", "refresh-1", false)], 1);
}

#[test]
fn an_optional_member_of_a_wrong_type_is_left_out_and_told() {
    let document =
        parse(&format!(r#"{{"accounts":[{}]}}"#, entry("ada", r#","lastUsed":"x","needsReauth":1"#)));
    assert_eq!(document.accounts().collect::<Vec<_>>(), [account("ada")]);
    let told: Vec<_> =
        document.problems().into_iter().map(|problem| (problem.message, problem.used)).collect();
    assert_eq!(
        told,
        [
            ("`lastUsed` has the wrong type and is left out".to_owned(), true),
            ("`needsReauth` has the wrong type and is left out".to_owned(), true),
        ]
    );
}

#[test]
fn what_is_no_accounts_file_does_not_parse() {
    for text in [
        "",
        " ",
        "null",
        "[]",
        "7",
        "{}",
        r#"{"version":1}"#,
        r#"{"accounts":{}}"#,
        r#"{"accounts":null}"#,
        r#"{"accounts":[],"accounts":[]}"#,
        r#"{"accounts":[]} x"#,
        r#"{"accounts":[1,]}"#,
    ] {
        assert!(text.parse::<Document>().is_err(), "{text}");
    }
}

#[test]
fn only_a_later_version_is_one_from_the_future() {
    fn check(version: &str, future: Option<&str>, written: &str) {
        let document = parse(&format!(r#"{{"version":{version},"accounts":[]}}"#));
        assert_eq!(document.future_version().as_deref(), future, "{version}");
        assert_eq!(compact(&parse(&document.to_json())), format!(r#"{{"version":{written},"accounts":[]}}"#));
    }
    check("1", None, "1");
    check("1.0", None, "1.0");
    check("0", None, "1");
    check("\"1\"", None, "1");
    check("null", None, "1");
    check("2", Some("2"), "2");
    check("1.5", Some("1.5"), "1.5");
}

#[test]
fn a_version_is_put_before_the_accounts() {
    let document = parse(r#"{"$schema":"s","accounts":[],"activeEmail":"a"}"#);
    assert_eq!(
        compact(&parse(&document.to_json())),
        r#"{"$schema":"s","version":1,"accounts":[],"activeEmail":"a"}"#
    );
}

/// Each edit of one account, with the resulting entry.
#[test]
fn an_edit_changes_its_own_members_and_keeps_the_rest() {
    fn check(before: &str, edit: impl Fn(&mut Document), after: &str) {
        let file = |more: &str| {
            format!(
                r#"{{"version":1,"accounts":[{},{}],"new":[ 1 ]}}"#,
                entry("Ada", more),
                entry("bob", r#","b":{ }"#)
            )
        };
        let mut document = parse(&file(before));
        edit(&mut document);
        assert_eq!(compact(&document), file(after), "{before}");
    }
    check(r#","x":1.0"#, |d| d.set_needs_reauth("ada", true).unwrap(), r#","x":1.0,"needsReauth":true"#);
    check(r#","needsReauth":true,"x":1"#, |d| d.set_needs_reauth("ada", false).unwrap(), r#","x":1"#);
    check(
        r#","needsReauth":false"#,
        |d| d.set_last_used("ada", At(3)).unwrap(),
        r#","needsReauth":false,"lastUsed":3"#,
    );
    check(r#","lastUsed":3e0"#, |d| d.set_last_used("ada", At(3)).unwrap(), r#","lastUsed":3e0"#);
    check(
        r#","quotaExhaustedUntil":1,"x":1"#,
        |d| d.set_quota_exhausted_until("ada", Some(At(2))).unwrap(),
        r#","quotaExhaustedUntil":2,"x":1"#,
    );
    check(r#","quotaExhaustedUntil":1"#, |d| d.set_quota_exhausted_until("ada", None).unwrap(), "");
    check("", |d| d.set_linked("ada", true).unwrap(), r#","importSource":"pi-openai-codex""#);
    check(
        r#","importSource":"pi-openai-codex","importFingerprint":"f","x":1"#,
        |d| d.set_linked("ada", false).unwrap(),
        r#","x":1"#,
    );
    check(
        r#","importSource":"other""#,
        |d| d.set_linked("ada", false).unwrap(),
        r#","importSource":"other""#,
    );
    check(r#","x":"\u0041""#, |d| d.put(&account("Ada")), r#","x":"\u0041""#);
    check(
        r#","lastUsed":1,"x":1"#,
        |d| d.put(&FileAccount { account_id: Some("w-1".to_owned()), ..account("Ada") }),
        r#","x":1,"accountId":"w-1""#,
    );
}

#[test]
fn a_credential_is_replaced_as_a_whole() {
    let mut document = parse(&format!(r#"{{"accounts":[{}]}}"#, entry("ada", r#","x":1"#)));
    let credential =
        Credential { access: Secret::new("access-2"), refresh: Secret::new("refresh-2"), expires_at: At(9) };
    document.set_credential("ADA", &credential).unwrap();
    let expected = r#"{"accounts":[{"email":"ada","accessToken":"access-2","refreshToken":"refresh-2","expiresAt":9,"x":1}]}"#;
    assert_eq!(compact(&document), expected);
    assert_eq!(document.accounts().next().unwrap().credential(), credential);
}

#[test]
fn the_active_label_follows_a_rename_and_goes_with_its_account() {
    let file = format!(r#"{{"accounts":[{},{}],"activeEmail":"ada"}}"#, entry("ada", ""), entry("bob", ""));
    let mut document = parse(&file);
    assert_eq!(document.rename("nobody", "x"), Err(EditRefused::NoSuchLabel));
    assert_eq!(document.rename("ada", "BOB"), Err(EditRefused::LabelTaken));
    assert_eq!(compact(&document), file);
    document.rename("bob", "carol").unwrap();
    assert_eq!(document.active_email().as_deref(), Some("ada"));
    document.rename("ada", "Ada").unwrap();
    assert_eq!(document.active_email().as_deref(), Some("Ada"));
    document.remove("carol").unwrap();
    assert_eq!(document.active_email().as_deref(), Some("Ada"));
    document.remove("ADA").unwrap();
    assert_eq!(compact(&document), r#"{"accounts":[]}"#);
    assert_eq!(document.remove("ada"), Err(EditRefused::NoSuchLabel));
}

#[test]
fn a_second_entry_of_a_label_is_used_once_the_first_has_gone() {
    let file = format!(r#"{{"accounts":[{},{}]}}"#, entry("ada", r#","x":1"#), entry("ada", r#","x":2"#));
    let mut document = parse(&file);
    document.remove("ada").unwrap();
    document.put(&account("ada"));
    assert_eq!(compact(&document), format!(r#"{{"accounts":[{}]}}"#, entry("ada", r#","x":2"#)));
}

#[test]
fn what_is_written_fits_the_schema_of_the_extension() {
    let schema = include_str!("../../../../tests/data/pi-multicodex/codex-accounts.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let mut document = parse(&format!(r#"{{"$schema":"s","accounts":[{}]}}"#, entry("ada", "")));
    document.put(&FileAccount {
        account_id: Some("w-1".to_owned()),
        last_used_at: Some(At(1)),
        quota_exhausted_until: Some(At(2)),
        needs_reauth: true,
        ..account("bob")
    });
    document.set_active(Some("bob"));
    document.set_linked("ada", true).unwrap();
    document.set_linked("ada", false).unwrap();
    let errors = |document: &Document| {
        let written = serde_json::from_str(&document.to_json()).unwrap();
        validator.iter_errors(&written).map(|error| error.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(errors(&document), Vec::<String>::new());
    assert_eq!(errors(&Document::default()), Vec::<String>::new());

    document.set_linked("ada", true).unwrap();
    assert_eq!(
        errors(&document).len(),
        1,
        "the mark of a linked account is the one thing the schema does not know"
    );
}

#[test]
fn debug_shows_no_tokens() {
    let text = format!(r#"{{"accounts":[{},{{"accessToken":"access-1"}}]}}"#, entry("ada", ""));
    assert!(!format!("{:?}", parse(&text)).contains("access-1"));
}
