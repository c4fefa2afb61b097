//! The refresh sequence with each of its steps failing once: what was sent, what is stored, what is in memory, and that
//! the next refresh works when the cause is gone.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use crate::auth::TokenRefreshError;
use crate::pool::{AccountId, Credential, Failure, FailureKind, HealthStatus, RefreshMode};
use crate::sidecar::testing::{NOW, Owners, access, pi_login, write_json};
use crate::store::{LockDirectory, LockGuard};

async fn refresh(owners: &Owners, name: &str) -> Result<Credential, Failure> {
    let seen = owners.held(name).access;
    owners.refresher.refresh(&owners.id(name), &seen, RefreshMode::Needed).await
}

/// Nothing was sent and nothing changed; then the cause is removed, and the refresh works.
async fn check_not_sent(owners: &Owners, kind: FailureKind, mend: impl FnOnce()) {
    let before = owners.held("ada");
    let failure = refresh(owners, "ada").await.unwrap_err();
    assert_eq!(failure.kind, kind, "{failure:?}");
    assert_eq!(owners.endpoint.sent(), Vec::<String>::new());
    assert_eq!(owners.held("ada"), before);
    mend();
    owners.endpoint.answer_tokens("ada", 1);
    refresh(owners, "ada").await.unwrap();
    assert_eq!(owners.endpoint.sent(), ["refresh-ada-0"]);
    assert_eq!(owners.held("ada").refresh.expose(), "refresh-ada-1");
}

/// Makes `path` a link into a directory that does not exist: it reads as missing and cannot be written.
fn make_unwritable(path: &Path) {
    let _ = fs::remove_file(path);
    symlink("missing/file", path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn refresh_stores_the_new_credential_and_reports_it() {
    let owners = Owners::with_accounts(&[("ada", 1), ("bob", 1)]);
    owners.endpoint.answer_tokens("ada", 1);
    let changed = owners.notifier.next_change();
    let refreshed = refresh(&owners, "ada").await.unwrap();
    assert_eq!(refreshed.refresh.expose(), "refresh-ada-1");
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
    assert_eq!(owners.stored("bob").as_deref(), Some("refresh-bob-0"));
    changed.await;
    assert!(owners.registry.is_consumed(&crate::secret::Secret::new("refresh-ada-0")));
    assert!(!owners.registry.is_consumed(&refreshed.refresh));
}

#[tokio::test(start_paused = true)]
async fn refresh_sends_nothing_while_the_lane_is_taken() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let held = owners.refresher.journal().enter(&AccountId::new("other"), Default::default()).unwrap();
    check_not_sent(&owners, FailureKind::Storage, || drop(held)).await;
}

#[tokio::test(start_paused = true)]
async fn refresh_sends_nothing_while_the_credential_is_locked() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let lock = owners.paths.guard_dir.join(format!("credential-{}.lock", owners.id("ada")));
    let held = LockGuard::acquire(&lock, Default::default()).unwrap();
    check_not_sent(&owners, FailureKind::Storage, || drop(held)).await;
}

#[tokio::test(start_paused = true)]
async fn refresh_of_a_linked_account_sends_nothing_while_pi_holds_its_lock() {
    let owners = Owners::with_accounts(&[]);
    write_json(&owners.paths.auth_file, &pi_login("ada", 0, NOW));
    owners.imports.merge_at_start();
    let held = LockDirectory::acquire(&owners.paths.auth_file, Default::default()).unwrap();
    check_not_sent(&owners, FailureKind::Storage, || drop(held)).await;
    let pi = fs::read_to_string(&owners.paths.auth_file).unwrap();
    assert!(pi.contains("refresh-ada-1"), "{pi}");
}

#[tokio::test(start_paused = true)]
async fn refresh_sends_nothing_when_the_accounts_file_cannot_be_read() {
    for broken in ["{\"accounts\": [", "[]", "{\"version\": 99, \"accounts\": []}"] {
        let owners = Owners::with_accounts(&[("ada", 1)]);
        let file = owners.paths.accounts_file.clone();
        let good = fs::read_to_string(&file).unwrap();
        fs::write(&file, broken).unwrap();
        check_not_sent(&owners, FailureKind::Storage, || fs::write(&file, good).unwrap()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_adopts_a_newer_credential_instead_of_sending() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let newer = Owners::with_accounts(&[("ada", 600)]);
    let text = fs::read_to_string(&newer.paths.accounts_file).unwrap();
    fs::write(&owners.paths.accounts_file, text.replace("refresh-ada-0", "refresh-ada-7")).unwrap();
    let adopted = refresh(&owners, "ada").await.unwrap();
    assert_eq!(adopted.refresh.expose(), "refresh-ada-7");
    assert_eq!(owners.endpoint.sent(), Vec::<String>::new());
    assert_eq!(owners.held("ada"), adopted);
}

#[tokio::test(start_paused = true)]
async fn refresh_sends_nothing_whose_result_could_not_be_stored() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let file = owners.paths.accounts_file.clone();
    let good = fs::read_to_string(&file).unwrap();
    make_unwritable(&file);
    check_not_sent(&owners, FailureKind::Storage, || {
        fs::remove_file(&file).unwrap();
        fs::write(&file, good).unwrap();
    })
    .await;
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
}

#[tokio::test(start_paused = true)]
async fn refresh_sends_nothing_whose_intent_could_not_be_recorded() {
    // After a refresh of bob the journal has been read, and the refresh of ada pauses before it writes its intent.
    let owners = Owners::with_spacing(&[("ada", 1), ("bob", 1)], Duration::from_secs(10));
    owners.endpoint.answer_tokens("bob", 1);
    refresh(&owners, "bob").await.unwrap();
    let journal = owners.paths.guard_dir.join("redeems.json");
    let good = fs::read(&journal).unwrap();
    let breaking = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        fs::remove_file(&journal).unwrap();
        fs::create_dir(&journal).unwrap();
    };
    let (refreshed, ()) = tokio::join!(refresh(&owners, "ada"), breaking);
    assert_eq!(refreshed.unwrap_err().kind, FailureKind::Storage);
    assert_eq!(owners.endpoint.sent(), ["refresh-bob-0"]);
    fs::remove_dir(&journal).unwrap();
    fs::write(&journal, good).unwrap();
    owners.endpoint.answer_tokens("ada", 1);
    refresh(&owners, "ada").await.unwrap();
    assert_eq!(owners.endpoint.sent(), ["refresh-bob-0", "refresh-ada-0"]);
}

#[tokio::test(start_paused = true)]
async fn refused_refresh_marks_the_account_by_what_upstream_said() {
    let terminal = |code: &str| TokenRefreshError::Terminal {
        code: Some(code.to_owned()),
        status: 400,
        message: "no".to_owned(),
    };
    let transient =
        TokenRefreshError::Transient { status: Some(500), message: "no".to_owned(), retry_after: None };
    let lost = TokenRefreshError::OutcomeUnknown { message: "cut".to_owned() };
    // The failure; whether a login is needed then; whether the outcome is unknown.
    for (answer, kind, needs_login, uncertain) in [
        (terminal("refresh_token_reused"), FailureKind::LoginRequired, true, false),
        (terminal("account_deactivated"), FailureKind::Deactivated, false, false),
        (transient, FailureKind::TokenUnavailable, false, false),
        (lost, FailureKind::OutcomeUnknown, false, true),
    ] {
        let owners = Owners::with_accounts(&[("ada", 1)]);
        owners.endpoint.answer(Err(answer));
        let failure = refresh(&owners, "ada").await.unwrap_err();
        assert_eq!(failure.kind, kind);
        let id = owners.id("ada");
        let (standing, unknown) = owners.registry.decide(|pool, _| {
            let account = pool.get(&id).unwrap();
            (account.health.standing.clone(), account.refresh_uncertain.is_some())
        });
        assert_eq!(matches!(standing, HealthStatus::NeedsLogin(_)), needs_login, "{kind:?}");
        assert_eq!(unknown, uncertain, "{kind:?}");
        assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-0"), "{kind:?}");
        // None of them may be sent again at once.
        assert!(refresh(&owners, "ada").await.is_err());
        assert_eq!(owners.endpoint.sent().len(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn refresh_keeps_a_new_refresh_token_that_came_without_an_access_token() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let refresh_token = crate::secret::Secret::new("refresh-ada-1");
    owners.endpoint.answer(Err(TokenRefreshError::AccessTokenMissing { refresh: refresh_token }));
    assert_eq!(refresh(&owners, "ada").await.unwrap_err().kind, FailureKind::TokenUnavailable);
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
    assert_eq!(owners.held("ada").refresh.expose(), "refresh-ada-1");
}

#[tokio::test(start_paused = true)]
async fn refresh_stores_nothing_of_another_identity() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    owners.endpoint.answer_tokens("eve", 1);
    let failure = refresh(&owners, "ada").await.unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("identity_mismatch"));
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-0"));
    assert_eq!(owners.held("ada").refresh.expose(), "refresh-ada-0");
}

#[tokio::test(start_paused = true)]
async fn credential_that_could_not_be_written_waits_in_memory_until_the_file_takes_it() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let file = owners.paths.accounts_file.clone();
    let good = fs::read_to_string(&file).unwrap();
    owners.endpoint.answer_tokens("ada", 1);
    let broken = file.clone();
    owners.endpoint.before_answer(move || fs::write(broken, "{").unwrap());
    refresh(&owners, "ada").await.unwrap();
    assert_eq!(owners.held("ada").refresh.expose(), "refresh-ada-1");
    let id = owners.id("ada");
    assert!(owners.registry.pending().is_waiting_for_accounts_file(&id));
    owners.refresher.flush_pending(Default::default()).await;
    assert!(owners.registry.pending().is_waiting_for_accounts_file(&id));
    fs::write(&file, good).unwrap();
    owners.refresher.flush_pending(Default::default()).await;
    assert!(!owners.registry.pending().is_waiting_for_accounts_file(&id));
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
    assert_eq!(owners.endpoint.sent(), ["refresh-ada-0"]);
}

#[tokio::test(start_paused = true)]
async fn login_of_pi_that_could_not_be_written_back_is_written_later() {
    let owners = Owners::with_accounts(&[]);
    let file = owners.paths.auth_file.clone();
    write_json(&file, &pi_login("ada", 0, NOW));
    owners.imports.merge_at_start();
    let good = fs::read_to_string(&file).unwrap();
    owners.endpoint.answer_tokens("ada", 1);
    let broken = file.clone();
    // pi's file is written in place, so a directory in its place is what keeps it from being written.
    owners.endpoint.before_answer(move || {
        fs::remove_file(&broken).unwrap();
        fs::create_dir(&broken).unwrap();
    });
    refresh(&owners, "ada").await.unwrap();
    let id = owners.id("ada");
    assert!(owners.registry.pending().is_waiting_for_pi(&id));
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
    fs::remove_dir(&file).unwrap();
    fs::write(&file, good).unwrap();
    owners.refresher.flush_pending(Default::default()).await;
    assert!(!owners.registry.pending().is_waiting_for_pi(&id));
    assert!(fs::read_to_string(&file).unwrap().contains("refresh-ada-1"));
}

#[tokio::test(start_paused = true)]
async fn refresh_whose_result_could_not_be_recorded_is_stored_nevertheless() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    let journal = owners.paths.guard_dir.join("redeems.json");
    owners.endpoint.answer_tokens("ada", 1);
    let broken = journal.clone();
    owners.endpoint.before_answer(move || {
        fs::remove_file(&broken).unwrap();
        fs::create_dir(&broken).unwrap();
    });
    refresh(&owners, "ada").await.unwrap();
    assert_eq!(owners.stored("ada").as_deref(), Some("refresh-ada-1"));
    // Without a journal nothing is known, so nothing more is sent.
    let held = owners.held("ada").access;
    let again = owners.refresher.refresh(&owners.id("ada"), &held, RefreshMode::Forced).await;
    assert_eq!(again.unwrap_err().kind, FailureKind::Storage);
    assert_eq!(owners.endpoint.sent(), ["refresh-ada-0"]);
}

#[tokio::test(start_paused = true)]
async fn callers_at_the_same_time_share_one_refresh() {
    let owners = Owners::with_accounts(&[("ada", 1)]);
    owners.endpoint.answer_tokens("ada", 1);
    let (first, second) = tokio::join!(refresh(&owners, "ada"), refresh(&owners, "ada"));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(owners.endpoint.sent(), ["refresh-ada-0"]);
    assert_eq!(owners.held("ada").access.expose(), access("ada", 1, owners.held("ada").expires_at));
}
