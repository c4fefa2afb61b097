#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// Longer than any report may take, so that only a missing one fails.
const DEADLINE: Duration = Duration::from_secs(10);

struct Bench {
    dir: tempfile::TempDir,
    _watch: Watch,
    reports: mpsc::Receiver<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// `prepare` runs before the watch starts; the watched file is `agent/f.json`.
    fn new(prepare: impl FnOnce(&Path)) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let (watch, reports) = Watch::start(vec![dir.path().join("agent/f.json")]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Bench { dir, _watch: watch, reports, runtime }
    }

    fn with_file() -> Bench {
        Bench::new(|dir| {
            fs::create_dir(dir.join("agent")).unwrap();
            fs::write(dir.join("agent/f.json"), "first").unwrap();
        })
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("agent/f.json")
    }

    fn expect_report(&mut self, what: &str) {
        let report =
            self.runtime.block_on(async { tokio::time::timeout(DEADLINE, self.reports.recv()).await });
        assert_eq!(report.unwrap_or_else(|_| panic!("no report: {what}")), Some(self.file()), "{what}");
    }

    /// Reads reports until the file was reported while it held `expected`, as a reader of the file would see it.
    fn expect_content(&mut self, expected: Option<&str>, what: &str) {
        loop {
            self.expect_report(what);
            if fs::read_to_string(self.file()).ok().as_deref() == expected {
                return;
            }
        }
    }

    fn expect_silence(&mut self, time: Duration) {
        let report = self.runtime.block_on(async { tokio::time::timeout(time, self.reports.recv()).await });
        assert!(report.is_err(), "{report:?}");
    }
}

fn replace(path: &Path, content: &str) {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, content).unwrap();
    fs::rename(temporary, path).unwrap();
}

#[test]
fn none_of_many_changes_is_missed_however_it_is_made() {
    fn check(name: &str, change: impl Fn(&Path, &str)) {
        let mut bench = Bench::with_file();
        for round in 0..20 {
            let content = format!("{name} {round}");
            change(&bench.file(), &content);
            bench.expect_content(Some(&content), &content);
        }
    }
    check("in place", |path, content| fs::write(path, content).unwrap());
    check("rename", replace);
    check("delete and make again", |path, content| {
        fs::remove_file(path).unwrap();
        fs::write(path, content).unwrap();
    });
    check("in two parts", |path, content| {
        let mut file = fs::File::create(path).unwrap();
        let (one, two) = content.split_at(content.len() / 2);
        file.write_all(one.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(15));
        file.write_all(two.as_bytes()).unwrap();
    });
    check("directory deleted and made again", |path, content| {
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    });
    check("directory moved away and made again", |path, content| {
        let dir = path.parent().unwrap();
        let away = dir.with_file_name(content);
        fs::rename(dir, away).unwrap();
        fs::create_dir(dir).unwrap();
        fs::write(path, content).unwrap();
    });
}

#[test]
fn a_file_that_goes_has_changed() {
    let mut bench = Bench::with_file();
    fs::remove_file(bench.file()).unwrap();
    bench.expect_content(None, "gone");
}

#[test]
fn a_directory_may_be_missing_at_first_with_its_parents() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a/b/c/f.json");
    let (_watch, reports) = Watch::start(vec![file.clone()]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut bench = Bench { dir, _watch, reports, runtime };
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "there").unwrap();
    let report =
        bench.runtime.block_on(async { tokio::time::timeout(DEADLINE, bench.reports.recv()).await }).unwrap();
    assert_eq!(report, Some(file));
    assert!(bench.dir.path().exists());
}

#[test]
fn the_target_of_a_link_is_watched_and_so_is_the_link() {
    let mut bench = Bench::new(|dir| {
        for name in ["agent", "elsewhere", "third"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        fs::write(dir.join("elsewhere/real.json"), "first").unwrap();
        fs::write(dir.join("third/real.json"), "third").unwrap();
        symlink("../elsewhere/real.json", dir.join("agent/f.json")).unwrap();
    });
    let target = bench.dir.path().join("elsewhere/real.json");
    replace(&target, "second");
    bench.expect_content(Some("second"), "the target is replaced");

    fs::remove_file(bench.file()).unwrap();
    symlink("../third/real.json", bench.file()).unwrap();
    bench.expect_content(Some("third"), "the link points elsewhere");
    fs::write(bench.dir.path().join("third/real.json"), "fourth").unwrap();
    bench.expect_content(Some("fourth"), "the new target is written");
}

#[test]
fn the_same_content_reading_and_neighbours_are_not_reported() {
    let mut bench = Bench::with_file();
    fs::write(bench.file(), "first").unwrap();
    fs::read(bench.file()).unwrap();
    fs::write(bench.dir.path().join("agent/other.json"), "x").unwrap();
    bench.expect_silence(Duration::from_millis(300));
}

#[test]
fn polling_alone_sees_two_writes_within_one_tick_of_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.json");
    fs::write(&path, "one").unwrap();
    let mut content = Content::of(&path);
    for round in 0..200 {
        let before = format!("{round:04}");
        fs::write(&path, &before).unwrap();
        assert!(content.changed(&path, false), "{round}");
        let after = format!("{:04}", round + 5000);
        fs::write(&path, &after).unwrap();
        assert!(content.changed(&path, false), "{round}, the second write");
        while content.changed(&path, false) {}
        assert!(!content.changed(&path, false));
    }
}

#[test]
fn the_thread_ends_with_the_watch() {
    let mut bench = Bench::with_file();
    let Bench { _watch: watch, reports, runtime, .. } = &mut bench;
    let (other, _) = Watch::start(vec![]).unwrap();
    drop(std::mem::replace(watch, other));
    let ended = runtime.block_on(async { tokio::time::timeout(DEADLINE, reports.recv()).await });
    assert_eq!(ended.unwrap(), None, "the thread lets go of its end of the channel");
}
