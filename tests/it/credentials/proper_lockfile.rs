//! The lock on pi's files against npm's real `proper-lockfile`, in Node, as holder and as waiter.
//!
//! Needs node and npm. Without them these tests say on stderr that they were skipped; with `CI=true` they fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use multicodex::store::{LockDirectory, StorageError};
use tokio::time::Instant;

use crate::env::skip;

const PATIENCE: Duration = Duration::from_secs(60);

/// Installed once into cargo's directory for temporary files, and kept there for the next run.
pub fn module() -> Option<&'static Path> {
    static MODULE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let module = MODULE.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proper-lockfile");
        let module = home.join("node_modules/proper-lockfile");
        if !module.exists() {
            fs::create_dir_all(&home).expect("cargo's directory is writable");
            let mut npm = Command::new("npm");
            npm.args([
                "install",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "proper-lockfile@4.1.2",
                "--prefix",
            ]);
            let installed = npm.arg(&home).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !installed.is_ok_and(|status| status.success()) {
                return None;
            }
        }
        let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
        node.is_ok_and(|status| status.success()).then_some(module)
    });
    if module.is_none() {
        skip::skip_unless("node, or a proper-lockfile that npm can install");
    }
    module.as_deref()
}

pub fn node(module: &Path, file: &Path, task: &str, number: u32) -> Command {
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/credentials/proper_lockfile/worker.js");
    let mut command = Command::new("node");
    command.arg(worker).arg(module).arg(file).arg(task).arg(number.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// The result of a single try in Node.
fn try_once(module: &Path, file: &Path, stale_ms: u32) -> String {
    let output = node(module, file, "try", stale_ms).output().expect("node runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

fn holder(module: &Path, file: &Path) -> Child {
    let mut holder = node(module, file, "hold", 0).spawn().expect("node runs");
    let mut said = String::new();
    BufReader::new(holder.stdout.as_mut().expect("piped")).read_line(&mut said).expect("a line");
    assert_eq!(said, "held\n");
    holder
}

fn a_file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("auth.json");
    fs::write(&file, content).expect("written");
    (dir, file)
}

fn count(file: &Path, turns: u32) {
    for _ in 0..turns {
        let held = LockDirectory::acquire(file, PATIENCE).expect("the lock comes round");
        let seen: u32 = fs::read_to_string(file).expect("read").parse().expect("a number");
        std::thread::sleep(Duration::from_millis(1));
        assert!(held.is_still_ours());
        fs::write(file, (seen + 1).to_string()).expect("written");
    }
}

fn entries(file: &Path) -> usize {
    fs::read_dir(file.parent().expect("a directory")).expect("listed").count()
}

#[test]
fn neither_side_loses_a_turn_of_the_other() {
    let Some(module) = module() else { return };
    let (_dir, file) = a_file("0");
    let turns = 40;
    let mut others: Vec<Child> =
        (0..2).map(|_| node(module, &file, "count", turns).spawn().expect("node runs")).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| count(&file, turns));
        }
    });
    for other in &mut others {
        assert!(other.wait().expect("a child").success());
    }
    assert_eq!(fs::read_to_string(&file).expect("read"), (5 * turns).to_string());
    assert_eq!(entries(&file), 1, "nothing is left beside the file");
}

#[test]
fn a_live_lock_of_the_other_side_is_waited_for() {
    let Some(module) = module() else { return };
    let (_dir, file) = a_file("0");
    let mut theirs = holder(module, &file);
    let refused = LockDirectory::acquire(&file, Duration::from_millis(50)).expect_err("it is held");
    assert!(matches!(refused, StorageError::Locked { .. }), "{refused}");
    drop(theirs.stdin.take());
    let ours = LockDirectory::acquire(&file, PATIENCE).expect("let go");
    assert!(theirs.wait().expect("a child").success());

    assert_eq!(try_once(module, &file, 30_000), "ELOCKED");
    // pi's synchronous readers take a lock that is 10 s old. A lock that is kept is never that old; 5 s is the smallest
    // limit they allow.
    let until = Instant::now() + Duration::from_secs(6);
    while Instant::now() < until {
        assert_eq!(try_once(module, &file, 5_000), "ELOCKED");
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(ours.is_still_ours());
    drop(ours);
    assert_eq!(try_once(module, &file, 30_000), "free");
}

#[test]
fn what_a_dead_holder_leaves_is_taken_over_by_either_side() {
    let Some(module) = module() else { return };
    let (_dir, file) = a_file("0");
    let mut theirs = holder(module, &file);
    theirs.kill().expect("killed");
    theirs.wait().expect("a child");
    let lock = fs::canonicalize(&file).expect("a path").with_file_name("auth.json.lock");
    let age = |seconds| {
        #[expect(clippy::disallowed_methods, reason = "a time on disk, which another program reads")]
        let then = SystemTime::now() - Duration::from_secs(seconds);
        let times = fs::FileTimes::new().set_modified(then);
        fs::File::open(&lock)
            .and_then(|dir| dir.set_times(times))
            .expect("the time of a directory can be set");
    };
    age(28);
    LockDirectory::acquire(&file, Duration::from_millis(20)).expect_err("the holder may live");
    age(31);
    drop(LockDirectory::acquire(&file, Duration::ZERO).expect("the holder is dead"));
    assert_eq!(entries(&file), 1);

    fs::create_dir(&lock).expect("made");
    age(31);
    assert_eq!(try_once(module, &file, 30_000), "free");
    assert_eq!(entries(&file), 1);
}
