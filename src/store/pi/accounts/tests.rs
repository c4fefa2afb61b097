#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::pool::At;
use crate::secret::Secret;

struct Bench {
    dir: tempfile::TempDir,
    file: AccountsFile,
}

impl Bench {
    fn empty() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let file = AccountsFile::new(dir.path().join("agent/codex-accounts.json"), &dir.path().join("state"));
        Bench { dir, file }
    }

    fn with(content: &[u8]) -> Bench {
        let bench = Bench::empty();
        fs::create_dir(bench.dir.path().join("agent")).unwrap();
        fs::write(bench.file.path(), content).unwrap();
        bench
    }

    fn content(&self) -> Vec<u8> {
        fs::read(self.file.path()).unwrap()
    }
}

fn account(label: &str) -> FileAccount {
    FileAccount {
        email: label.to_owned(),
        access: Secret::new("access-1"),
        refresh: Secret::new("refresh-1"),
        expires_at: At(1),
        account_id: None,
        last_used_at: None,
        quota_exhausted_until: None,
        linked: true,
        needs_reauth: false,
    }
}

#[test]
fn a_missing_file_is_empty_and_is_made_private_by_the_first_change() {
    let bench = Bench::empty();
    let empty = Loaded {
        accounts: vec![],
        active_email: None,
        problems: vec![],
        read_only: false,
        permissions: PermissionFinding::Missing,
    };
    assert_eq!(bench.file.load().unwrap(), empty);
    assert!(!bench.dir.path().join("agent").exists(), "reading makes nothing");

    bench.file.change(|document| document.put(&account("ada"))).unwrap();
    let loaded = bench.file.load().unwrap();
    assert_eq!(loaded.accounts, [account("ada")]);
    assert_eq!(loaded.permissions, PermissionFinding::Private);
    for dir in ["agent", "state"] {
        assert_eq!(
            fs::metadata(bench.dir.path().join(dir)).unwrap().permissions().mode() & 0o777,
            0o700,
            "{dir}"
        );
    }
}

#[test]
fn a_change_that_changes_nothing_does_not_write() {
    let bench = Bench::with(br#"{"accounts":[],"activeEmail":"ada"}"#);
    let inode = fs::metadata(bench.file.path()).unwrap().ino();
    bench.file.change(|document| document.set_active(Some("ada"))).unwrap();
    assert_eq!(fs::metadata(bench.file.path()).unwrap().ino(), inode);
    assert_eq!(bench.content(), br#"{"accounts":[],"activeEmail":"ada"}"#);
    let missing = Bench::empty();
    missing.file.change(|document| document.set_active(None)).unwrap();
    assert!(!missing.file.path().exists());
}

#[test]
fn wide_permissions_are_found_and_a_change_narrows_them() {
    let bench = Bench::with(br#"{"accounts":[]}"#);
    fs::set_permissions(bench.file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(bench.file.load().unwrap().permissions, PermissionFinding::Wide { mode: 0o644 });
    bench.file.change(|document| document.set_active(Some("ada"))).unwrap();
    assert_eq!(bench.file.load().unwrap().permissions, PermissionFinding::Private);
}

#[test]
fn a_file_from_the_future_is_read_and_not_changed() {
    let content =
        br#"{"version":2,"accounts":[{"email":"ada","accessToken":"a","refreshToken":"r","expiresAt":1}]}"#;
    let bench = Bench::with(content);
    let loaded = bench.file.load().unwrap();
    assert_eq!((loaded.accounts.len(), loaded.read_only), (1, true));
    let refused = bench.file.change(|document| document.remove("ada")).unwrap_err();
    assert!(matches!(&refused, StorageError::Future { version, .. } if version == "2"), "{refused}");
    assert_eq!(bench.content(), content);
}

#[test]
fn what_does_not_parse_is_told_with_its_position_and_left_alone() {
    fn check(content: &[u8], position: (usize, usize), expected: &str) {
        let bench = Bench::with(content);
        for outcome in
            [bench.file.load().map(drop), bench.file.change(|document| document.set_active(Some("x")))]
        {
            match outcome {
                Err(StorageError::Corrupt { line, column, message, .. }) => {
                    assert_eq!(((line, column), message.as_str()), (position, expected), "{content:?}");
                }
                other => panic!("{content:?}: {other:?}"),
            }
        }
        assert_eq!(bench.content(), content);
    }
    let shape = "expected an object with one list of `accounts`";
    check(b"", (1, 0), "EOF while parsing a value");
    check(b"{\n  \"accounts\": [\n  nope", (3, 4), "expected ident");
    check(b"{\"accounts\": \"canary\"}", (1, 21), shape);
    check(b"\"canary\"", (1, 8), shape);
    check(b"{\"version\": 1}", (1, 14), shape);
    check("\u{feff}{\"accounts\": 1}".as_bytes(), (1, 14), shape);
    check(b"{\"accounts\":\n[\"\xff\"]}", (2, 3), "it is not UTF-8");
}

#[test]
fn a_byte_order_mark_is_tolerated() {
    let bench = Bench::with("\u{feff}{\"accounts\": []}".as_bytes());
    bench.file.change(|document| document.put(&account("ada"))).unwrap();
    assert_eq!(bench.file.load().unwrap().accounts, [account("ada")]);
}

#[test]
fn changes_made_at_the_same_time_are_all_kept() {
    let bench = Bench::empty();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let file = bench.file.clone();
            std::thread::spawn(move || {
                for round in 0..10 {
                    file.change(|document| document.put(&account(&format!("{writer}-{round}")))).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let mut labels: Vec<_> =
        bench.file.load().unwrap().accounts.into_iter().map(|account| account.email).collect();
    labels.sort();
    let expected: Vec<_> =
        (0..4).flat_map(|writer| (0..10).map(move |round| format!("{writer}-{round}"))).collect();
    assert_eq!(labels, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic_and_are_never_overwritten(
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            "[{}\\[\\]\",:a-c0-9 ]{0,40}".prop_map(String::into_bytes),
        ],
    ) {
        let bench = Bench::with(&content);
        if bench.file.load().is_err() {
            prop_assert!(bench.file.change(|document| document.put(&account("ada"))).is_err());
            prop_assert_eq!(bench.content(), content);
        }
    }

    #[test]
    fn a_file_cut_short_is_never_overwritten(cut in 0usize..90) {
        let whole = br#"{"accounts":[{"email":"ada","accessToken":"a","refreshToken":"r","expiresAt":1}],"new":{}}"#;
        let content = &whole[..cut.min(whole.len() - 1)];
        let bench = Bench::with(content);
        prop_assert!(bench.file.load().is_err());
        prop_assert!(bench.file.change(|document| document.put(&account("ada"))).is_err());
        prop_assert_eq!(bench.content(), content);
    }
}

#[test]
fn behind_a_holder_that_hangs_only_the_first_waits_its_whole_time() {
    let mut bench = Bench::empty();
    bench.file.patience = Duration::from_millis(600);
    let held = LockGuard::acquire(&bench.file.lock_file, Duration::ZERO).unwrap();
    #[expect(clippy::disallowed_methods, reason = "how long the test itself waits")]
    let started = std::time::Instant::now();
    for _ in 0..10 {
        let refused = bench.file.change(|_| ()).unwrap_err();
        assert!(matches!(refused, StorageError::Locked { .. }), "{refused}");
    }
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(600) && waited < Duration::from_millis(4_000), "{waited:?}");
    drop(held);
    bench.file.change(|_| ()).unwrap();
    assert!(!bench.file.held_up.load(Ordering::Relaxed), "the next one is patient again");
}
