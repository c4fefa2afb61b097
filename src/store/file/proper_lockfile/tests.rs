use std::os::unix::fs::symlink;

use super::*;

const STALE_HERE: Duration = Duration::from_millis(400);

fn set_age(path: &Path, age: Duration) {
    let then =
        UNIX_EPOCH + Duration::from_millis(u64::try_from(clock::now().millis()).expect("after 1970")) - age;
    File::open(path)
        .and_then(|dir| dir.set_times(FileTimes::new().set_modified(then)))
        .expect("the time of a directory can be set");
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn the_lock_is_an_empty_directory_beside_the_real_file_and_goes_away() {
    let (dir, elsewhere) = (tempfile::tempdir().expect("a dir"), tempfile::tempdir().expect("a dir"));
    let check = |file: &Path, expected: PathBuf| {
        let held = LockDirectory::acquire(file, Duration::ZERO).expect("the lock is free");
        assert_eq!(held.held.path, expected);
        assert!(held.is_still_ours() && names(&expected).is_empty());
        let modified = fs::metadata(&expected).expect("the lock is there").mtime_nsec();
        assert_eq!(modified % 1_000_000, 0, "whole milliseconds");
        drop(held);
        assert!(!expected.exists());
    };
    let here = fs::canonicalize(dir.path()).expect("a path");
    check(&dir.path().join("missing.json"), here.join("missing.json.lock"));
    fs::write(dir.path().join("auth.json"), "{}").expect("written");
    check(&dir.path().join("auth.json"), here.join("auth.json.lock"));
    let target = fs::canonicalize(elsewhere.path()).expect("a path").join("real.json");
    fs::write(&target, "{}").expect("written");
    symlink(&target, dir.path().join("link.json")).expect("linked");
    check(&dir.path().join("link.json"), elsewhere.path().join("real.json.lock"));
}

#[test]
fn a_live_lock_is_waited_for_and_not_touched() {
    let dir = tempfile::tempdir().expect("a dir");
    let file = dir.path().join("auth.json");
    let lock = lock_path(&file).expect("a path");
    fs::create_dir(&lock).expect("made");
    for age in [Duration::ZERO, STALE - Duration::from_secs(2)] {
        set_age(&lock, age);
        let before = mark_of(&lock).expect("the lock");
        let refused = LockDirectory::acquire(&file, Duration::from_millis(30)).expect_err("held");
        assert!(matches!(&refused, StorageError::Locked { path } if *path == lock), "{refused}");
        assert_eq!(mark_of(&lock).expect("the lock stays"), before);
    }
    let waiter = std::thread::spawn({
        let file = file.clone();
        move || LockDirectory::acquire(&file, Duration::from_secs(20)).map(drop)
    });
    std::thread::sleep(Duration::from_millis(30));
    assert!(!waiter.is_finished());
    fs::remove_dir(&lock).expect("let go");
    waiter.join().expect("no panic").expect("the lock is free now");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_stale_lock_is_taken_over() {
    let dir = tempfile::tempdir().expect("a dir");
    let file = dir.path().join("auth.json");
    let lock = lock_path(&file).expect("a path");
    fs::create_dir(&lock).expect("made");
    set_age(&lock, STALE + Duration::from_secs(1));
    let held = LockDirectory::acquire(&file, Duration::ZERO).expect("stale");
    assert!(held.is_still_ours());
    assert_eq!(names(dir.path()), ["auth.json.lock"]);
}

/// As in a directory that is not writable. There is no free name to move this lock to, for any user who runs the test.
#[test]
fn a_stale_lock_that_cannot_be_taken_over_is_told_and_not_tried_for_ever() {
    let dir = tempfile::tempdir().expect("a dir");
    let file = dir.path().join("x".repeat(250));
    let lock = lock_path(&file).expect("a path");
    fs::create_dir(&lock).expect("made");
    set_age(&lock, STALE + Duration::from_secs(1));
    let (told, heard) = channel();
    std::thread::spawn(move || told.send(LockDirectory::acquire(&file, Duration::from_millis(20)).map(drop)));
    let refused = heard.recv_timeout(Duration::from_secs(20)).expect("it gives up").expect_err("it stays");
    assert!(matches!(&refused, StorageError::Io { path, .. } if *path == lock), "{refused}");
    assert!(lock.exists());
}

#[test]
fn one_that_is_taken_from_us_is_not_ours_and_not_removed() {
    let dir = tempfile::tempdir().expect("a dir");
    let file = dir.path().join("auth.json");
    let held = LockDirectory::acquire(&file, Duration::ZERO).expect("free");
    let lock = held.held.path.clone();
    set_age(&lock, Duration::from_secs(3));
    assert!(!held.is_still_ours(), "someone else's time");
    assert!(!held.held.keep(), "it is not touched again");
    drop(held);
    assert!(lock.exists(), "it is theirs");

    fs::remove_dir(&lock).expect("removed");
    let held = LockDirectory::acquire(&file, Duration::ZERO).expect("free");
    fs::rename(&lock, dir.path().join("aside")).expect("moved");
    assert!(!held.is_still_ours());
    fs::create_dir(&lock).expect("made anew");
    assert!(!held.is_still_ours());
    drop(held);
    assert!(lock.exists());
}

#[test]
fn touching_keeps_a_lock_from_going_stale() {
    let dir = tempfile::tempdir().expect("a dir");
    let held = LockDirectory::acquire(&dir.path().join("auth.json"), Duration::ZERO).expect("free");
    let first = mark_of(&held.held.path).expect("the lock");
    let deadline = tokio::time::Instant::now() + TOUCH * 3;
    while mark_of(&held.held.path).expect("the lock") == first {
        assert!(tokio::time::Instant::now() < deadline, "it was not touched");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(held.is_still_ours());
}

#[test]
fn one_of_many_waiters_at_a_time_whether_locks_are_let_go_or_left_behind() {
    let dir = tempfile::tempdir().expect("a dir");
    let lock = dir.path().join("auth.json.lock");
    let inside = std::sync::atomic::AtomicUsize::new(0);
    let turns = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for waiter in 0..6 {
            let (lock, inside, turns) = (&lock, &inside, &turns);
            scope.spawn(move || {
                for turn in 0..5 {
                    let held = LockDirectory::acquire_at(lock.clone(), Duration::from_secs(60), STALE_HERE)
                        .expect("the lock comes round");
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    if waiter == 0 && turn == 2 {
                        // As with a process that died: the lock is neither touched nor removed.
                        set_age(lock, Duration::from_millis(1));
                    }
                    drop(held);
                }
            });
        }
    });
    assert_eq!(turns.into_inner(), 30);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_lock_from_the_future_is_stale_once_it_has_not_moved_for_long_enough() {
    for ahead in [Duration::from_secs(60), Duration::from_secs(86_400), Duration::from_secs(3_000_000_000)] {
        let dir = tempfile::tempdir().expect("a dir");
        let file = dir.path().join("auth.json");
        let lock = lock_path(&file).expect("a path");
        fs::create_dir(&lock).expect("made");
        let set_ahead = |more: Duration| {
            let now = Duration::from_millis(u64::try_from(clock::now().millis()).expect("after 1970"));
            let times = FileTimes::new().set_modified(UNIX_EPOCH + now + ahead + more);
            File::open(&lock).and_then(|dir| dir.set_times(times)).expect("set");
        };
        set_ahead(Duration::ZERO);
        let attempt = || LockDirectory::acquire_at(lock.clone(), Duration::from_millis(150), STALE_HERE);
        assert!(attempt().is_err());
        // A living holder touches it.
        set_ahead(Duration::from_secs(1));
        assert!(attempt().is_err() && attempt().is_err());
        // The observation counts over several waits.
        let taken = (0..20).find_map(|_| attempt().ok());
        assert!(taken.is_some_and(|held| held.is_still_ours()), "{ahead:?}");
    }
}
