//! A change of pi's auth.json from the event to the notification, without the echo of our own write.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use futures_util::FutureExt;

use crate::sidecar::testing::{NOW, Owners, pi_login, write_json};

#[tokio::test(start_paused = true)]
async fn change_of_pi_login_is_merged_and_notified_once() {
    let owners = Owners::with_accounts(&[("ada", 60)]);
    tokio::spawn(owners.imports.clone().run());
    for (name, number) in [("bob", 0), ("bob", 1), ("ada", 5)] {
        write_json(&owners.paths.auth_file, &pi_login(name, number, NOW + Duration::from_secs(7200)));
        let changed = owners.notifier.next_change();
        owners.imports.merge_soon();
        tokio::time::timeout(Duration::from_secs(5), changed).await.unwrap();
        assert_eq!(owners.held(name).refresh.expose(), format!("refresh-{name}-{number}"));
        let linked = owners.registry.decide(|pool, _| {
            pool.accounts().iter().filter(|it| it.linked).map(|it| it.label.clone()).collect::<Vec<_>>()
        });
        assert_eq!(linked.len(), 1, "{linked:?}");
        // The watcher reports both files that the merge touched.
        let revision = owners.registry.decide(|pool, _| pool.revision());
        let changed = owners.notifier.next_change();
        owners.registry.in_file_turn(|turn| turn.reload()).await.unwrap();
        owners.imports.merge_soon();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(owners.registry.decide(|pool, _| pool.revision()), revision);
        assert!(changed.now_or_never().is_none(), "the echo was notified");
    }
}

#[tokio::test(start_paused = true)]
async fn half_written_login_is_read_again_and_logs_no_one_out() {
    let owners = Owners::with_accounts(&[]);
    write_json(&owners.paths.auth_file, &pi_login("ada", 0, NOW + Duration::from_secs(7200)));
    owners.imports.merge_at_start();
    let whole = std::fs::read_to_string(&owners.paths.auth_file).unwrap();
    std::fs::write(&owners.paths.auth_file, &whole[..whole.len() / 2]).unwrap();
    let merging = tokio::spawn({
        let imports = owners.imports.clone();
        async move { imports.import_from_pi().await }
    });
    tokio::time::sleep(Duration::from_millis(25)).await;
    std::fs::write(&owners.paths.auth_file, whole.replace("refresh-ada-0", "refresh-ada-1")).unwrap();
    let answer = merging.await.unwrap().unwrap();
    assert!(answer.changed);
    assert_eq!(owners.held("ada").refresh.expose(), "refresh-ada-1");
}
