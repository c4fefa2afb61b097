#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// Longer than any report takes, so that only a missing one fails.
const DEADLINE: Duration = Duration::from_secs(10);

/// One way of noticing changes, without the other.
type Way = (Notices, Duration);
const NOTICES: Way = (Notices::Wanted, Duration::from_secs(3600));
const POLLING: Way = (Notices::Unwanted, Duration::from_millis(5));

struct Bench {
    dir: tempfile::TempDir,
    _watch: Watch,
    reports: mpsc::Receiver<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// `prepare` runs before the watch starts; the watched file is `pi/agent/f.json`.
    fn new((notices, poll): Way, prepare: impl FnOnce(&Path)) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let (watch, reports) =
            Watch::start_with(vec![dir.path().join("pi/agent/f.json")], notices, poll).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Bench { dir, _watch: watch, reports, runtime }
    }

    fn with_file(way: Way) -> Bench {
        Bench::new(way, |dir| {
            fs::create_dir_all(dir.join("pi/agent")).unwrap();
            fs::write(dir.join("pi/agent/f.json"), "first").unwrap();
        })
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("pi/agent/f.json")
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
        for (way, rounds) in [(NOTICES, 20), (POLLING, 20), ((Notices::Wanted, POLL), 5)] {
            let mut bench = Bench::with_file(way);
            for round in 0..rounds {
                let content = format!("{name} {round}");
                change(&bench.file(), &content);
                bench.expect_content(Some(&content), &content);
            }
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
    for way in [NOTICES, POLLING] {
        let mut bench = Bench::with_file(way);
        fs::remove_file(bench.file()).unwrap();
        bench.expect_content(None, "gone");
    }
}

#[test]
fn the_directory_and_its_parents_may_be_missing_at_first() {
    for way in [NOTICES, POLLING] {
        let mut bench = Bench::new(way, |_| ());
        let dir = bench.file().parent().unwrap().to_owned();
        for round in ["first", "second", "third"] {
            fs::create_dir_all(&dir).unwrap();
            fs::write(bench.file(), round).unwrap();
            bench.expect_content(Some(round), round);
            fs::remove_dir_all(dir.parent().unwrap()).unwrap();
            bench.expect_content(None, round);
        }
    }
}

#[test]
fn the_target_of_a_link_is_watched_and_so_is_the_link() {
    for way in [NOTICES, POLLING] {
        let mut bench = Bench::new(way, |dir| {
            for name in ["pi/agent", "elsewhere", "third"] {
                fs::create_dir_all(dir.join(name)).unwrap();
            }
            fs::write(dir.join("elsewhere/real.json"), "first").unwrap();
            fs::write(dir.join("third/real.json"), "third").unwrap();
            symlink("../../elsewhere/real.json", dir.join("pi/agent/f.json")).unwrap();
        });
        let target = bench.dir.path().join("elsewhere/real.json");
        for content in ["second", "and again"] {
            replace(&target, content);
            bench.expect_content(Some(content), "the target is replaced");
        }
        fs::remove_file(bench.file()).unwrap();
        symlink("../../third/real.json", bench.file()).unwrap();
        bench.expect_content(Some("third"), "the link points elsewhere");
        fs::write(bench.dir.path().join("third/real.json"), "fourth").unwrap();
        bench.expect_content(Some("fourth"), "the new target is written");
    }
}

#[test]
fn the_same_content_reading_and_neighbours_are_not_reported() {
    let mut bench = Bench::with_file(NOTICES);
    replace(&bench.file(), "first");
    fs::read(bench.file()).unwrap();
    fs::write(bench.dir.path().join("pi/agent/other.json"), "x").unwrap();
    bench.expect_silence(Duration::from_millis(300));
}

#[test]
fn our_own_reading_wakes_nobody() {
    fn check(kind: EventKind, expected: bool) {
        assert_eq!(worth_waking(&Ok(notify::Event::new(kind))), expected, "{kind:?}");
    }
    check(EventKind::Access(AccessKind::Open(AccessMode::Any)), false);
    check(EventKind::Access(AccessKind::Close(AccessMode::Read)), false);
    check(EventKind::Access(AccessKind::Close(AccessMode::Write)), true);
    check(EventKind::Modify(notify::event::ModifyKind::Any), true);
    check(EventKind::Remove(notify::event::RemoveKind::File), true);
    check(EventKind::Other, true);
    assert!(worth_waking(&Err(notify::Error::generic("lost"))));
}

#[test]
fn the_thread_ends_with_the_watch() {
    let mut bench = Bench::with_file(NOTICES);
    let Bench { _watch: watch, reports, runtime, .. } = &mut bench;
    let (other, _) = Watch::start(vec![]).unwrap();
    drop(std::mem::replace(watch, other));
    let ended = runtime.block_on(async { tokio::time::timeout(DEADLINE, reports.recv()).await });
    assert_eq!(ended.unwrap(), None, "the thread lets go of its end of the channel");
}
