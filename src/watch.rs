//! Tells which of some files has other content than before, however it came to be: written in place, replaced by a
//! rename, deleted, made anew, in a folder that comes and goes, or behind a link. It says that something changed, never
//! what: the reader decides whether the content can be believed.
//!
//! Notifications of the platform make it quick; a look once a second makes it sure, also where there are none.

use std::collections::HashSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// A look at every file at least this often.
const POLL: Duration = Duration::from_secs(1);
/// A writer that truncates and then writes is given this long to finish.
const SETTLE: Duration = Duration::from_millis(10);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watch {
    wake: Sender<Wake>,
}

enum Wake {
    /// Something happened in a watched folder.
    Event,
    /// A watched folder itself went away or moved, so its watch is worth nothing any more.
    FolderGone,
    Stop,
}

impl Watch {
    /// Starts to watch the files, on a thread of its own; their present content counts as known. The receiver gets
    /// the path of each file whose content changed.
    pub fn start(files: Vec<PathBuf>) -> (Watch, mpsc::Receiver<PathBuf>) {
        let (wake, woken) = channel();
        let (tell, told) = mpsc::channel(files.len().max(1));
        let events = wake.clone();
        // Here and not on the thread: what is written after this call has changed.
        let files: Vec<WatchedFile> = files.into_iter().map(WatchedFile::new).collect();
        let started = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            Watched::new(files, events).run(&woken, &tell);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "files are not watched; changes by others are seen after a restart");
        }
        (Watch { wake }, told)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.wake.send(Wake::Stop);
    }
}

struct Watched {
    files: Vec<WatchedFile>,
    watcher: Option<RecommendedWatcher>,
    folders: HashSet<PathBuf>,
}

impl Watched {
    fn new(files: Vec<WatchedFile>, events: Sender<Wake>) -> Self {
        let folders: HashSet<PathBuf> =
            files.iter().filter_map(|file| file.path.parent()).map(Path::to_owned).collect();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Some(wake) = event.map_or(Some(Wake::Event), |event| worth(&event, &folders)) {
                let _ = events.send(wake);
            }
        });
        if let Err(error) = &watcher {
            tracing::info!(%error, "no notifications of file changes on this platform; looking once a second");
        }
        Watched { files, watcher: watcher.ok(), folders: HashSet::new() }
    }

    fn run(mut self, woken: &Receiver<Wake>, tell: &mpsc::Sender<PathBuf>) {
        loop {
            self.attach();
            let mut look = Look::IfTouched;
            match woken.recv_timeout(POLL) {
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
                Ok(wake) => {
                    look = Look::Always;
                    std::thread::sleep(SETTLE);
                    for wake in std::iter::once(wake).chain(woken.try_iter()) {
                        match wake {
                            Wake::Stop => return,
                            Wake::FolderGone => self.detach(),
                            Wake::Event => {}
                        }
                    }
                }
            }
            for file in &mut self.files {
                if file.has_changed(look) && tell.blocking_send(file.path.clone()).is_err() {
                    return;
                }
            }
        }
    }

    /// Watches the folder of each file, and of what it links to. A folder that does not exist is tried again at the
    /// next look.
    fn attach(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let targets = self.files.iter().filter_map(|file| fs::canonicalize(&file.path).ok());
        let paths: Vec<PathBuf> = self.files.iter().map(|file| file.path.clone()).chain(targets).collect();
        for folder in paths.iter().filter_map(|path| path.parent()) {
            if !self.folders.contains(folder) && watcher.watch(folder, RecursiveMode::NonRecursive).is_ok() {
                self.folders.insert(folder.to_owned());
            }
        }
    }

    fn detach(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        for folder in self.folders.drain() {
            // The watch of a folder that is gone is gone with it.
            let _ = watcher.unwatch(&folder);
        }
    }
}

/// Reading a file raises an event, so that reacting to it would never end.
fn worth(event: &notify::Event, folders: &HashSet<PathBuf>) -> Option<Wake> {
    match event.kind {
        EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write) => None,
        EventKind::Remove(_) | EventKind::Modify(notify::event::ModifyKind::Name(_))
            if event.paths.iter().any(|path| folders.contains(path)) =>
        {
            Some(Wake::FolderGone)
        }
        _ => Some(Wake::Event),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// Two writes within one tick of the file system's clock look alike, so after an event the content is read.
    Always,
    IfTouched,
}

struct WatchedFile {
    path: PathBuf,
    touched: Option<Touched>,
    content: Option<u64>,
}

/// What changes when a file is written or replaced, as far as its metadata tells.
#[derive(Clone, Copy, PartialEq)]
struct Touched {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl WatchedFile {
    fn new(path: PathBuf) -> Self {
        WatchedFile { touched: touched(&path), content: content(&path), path }
    }

    fn has_changed(&mut self, look: Look) -> bool {
        let touched = touched(&self.path);
        if look == Look::IfTouched && touched == self.touched {
            return false;
        }
        self.touched = touched;
        let content = content(&self.path);
        let changed = content != self.content;
        self.content = content;
        changed
    }
}

fn touched(path: &Path) -> Option<Touched> {
    let found = fs::metadata(path).ok()?;
    Some(Touched { modified: (found.mtime(), found.mtime_nsec()), size: found.size(), inode: found.ino() })
}

fn content(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn next(told: &mut mpsc::Receiver<PathBuf>) -> PathBuf {
        tokio::time::timeout(Duration::from_secs(10), told.recv())
            .await
            .expect("a change is told in time")
            .unwrap()
    }

    #[tokio::test]
    async fn however_a_file_is_changed_it_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.json");
        let (_watch, mut told) = Watch::start(vec![file.clone()]);
        let aside = dir.path().join("aside");
        let steps: [(&str, Box<dyn Fn()>); 5] = [
            ("made", Box::new(|| fs::write(&file, "1").unwrap())),
            ("in place", Box::new(|| fs::write(&file, "2").unwrap())),
            (
                "renamed over",
                Box::new(|| {
                    fs::write(&aside, "3").unwrap();
                    fs::rename(&aside, &file).unwrap();
                }),
            ),
            ("deleted", Box::new(|| fs::remove_file(&file).unwrap())),
            ("made anew", Box::new(|| fs::write(&file, "4").unwrap())),
        ];
        for (how, step) in steps {
            step();
            assert_eq!(next(&mut told).await, file, "{how}");
        }
    }

    #[tokio::test]
    async fn a_folder_may_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("agent");
        let file = folder.join("a.json");
        let (_watch, mut told) = Watch::start(vec![file.clone()]);
        for content in ["1", "2"] {
            fs::create_dir(&folder).unwrap();
            fs::write(&file, content).unwrap();
            assert_eq!(next(&mut told).await, file, "made with {content}");
            fs::remove_dir_all(&folder).unwrap();
            assert_eq!(next(&mut told).await, file, "removed with {content}");
        }
    }

    #[tokio::test]
    async fn what_a_link_points_to_is_watched() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target.json");
        fs::write(&target, "1").unwrap();
        let link = dir.path().join("link.json");
        symlink(&target, &link).unwrap();
        let (_watch, mut told) = Watch::start(vec![link.clone()]);
        fs::write(&target, "2").unwrap();
        assert_eq!(next(&mut told).await, link);
    }

    #[tokio::test]
    async fn the_same_content_again_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let (same, other) = (dir.path().join("same"), dir.path().join("other"));
        fs::write(&same, "1").unwrap();
        let (_watch, mut told) = Watch::start(vec![same.clone(), other.clone()]);
        fs::write(&same, "1").unwrap();
        fs::write(&other, "2").unwrap();
        assert_eq!(next(&mut told).await, other);
    }
}
