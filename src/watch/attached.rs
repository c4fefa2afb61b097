//! The directories that the kernel watches, updated when files or links move.
//!
//! Not the files themselves: a watch on a file is lost with the first rename over it. For each file it watches the
//! directory of every link on the way and of the end, or the deepest existing ancestor.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

/// More links than this are a loop.
const MOST_LINKS: usize = 40;

/// A directory may be created while its parent is being attached. More attempts than this are not worth it.
const ROUNDS: usize = 8;

/// Without a watcher nothing is attached, and polling does all the work.
#[derive(Debug)]
pub(super) struct Attached {
    watcher: Option<RecommendedWatcher>,
    dirs: BTreeMap<PathBuf, DirId>,
    /// A directory that could not be attached is logged once.
    refused: Option<PathBuf>,
}

/// Distinguishes a directory from another one with the same path. Numbers are reused at once, so a removal counts, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DirId(u64, u64);

impl Attached {
    pub(super) fn new(on_notice: impl FnMut(notify::Result<notify::Event>) + Send + 'static) -> Self {
        let watcher = notify::recommended_watcher(on_notice)
            .inspect_err(
                |error| tracing::warn!(%error, "the kernel tells nothing about files; they are polled"),
            )
            .ok();
        Attached { watcher, dirs: BTreeMap::new(), refused: None }
    }

    #[cfg(test)]
    pub(super) fn to_nothing() -> Self {
        Attached { watcher: None, dirs: BTreeMap::new(), refused: None }
    }

    /// Attaches the directories that these files need and detaches the others. Read the files after this, not before.
    pub(super) fn follow<'a>(&mut self, files: impl Iterator<Item = &'a Path> + Clone) {
        if self.watcher.is_none() {
            return;
        }
        for _ in 0..ROUNDS {
            let wanted: BTreeMap<PathBuf, DirId> = files.clone().flat_map(dirs_of).collect();
            if wanted == self.dirs {
                return;
            }
            self.exchange(wanted);
        }
    }

    /// Returns whether the kernel watches everything.
    pub(super) fn is_complete(&self) -> bool {
        self.watcher.is_some() && self.refused.is_none()
    }

    /// A watch ends with its directory, and follows it when it is moved: in both cases it must be attached again.
    pub(super) fn heed(&mut self, notice: &notify::Result<notify::Event>) {
        let gone = match notice {
            Ok(event) if event.need_rescan() => true,
            Ok(event) => match event.kind {
                EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
                    event.paths.iter().any(|path| self.dirs.contains_key(path))
                }
                _ => false,
            },
            Err(_) => true,
        };
        if gone {
            self.exchange(BTreeMap::new());
        }
    }

    fn exchange(&mut self, wanted: BTreeMap<PathBuf, DirId>) {
        let Some(watcher) = &mut self.watcher else { return };
        for (dir, id) in &self.dirs {
            if wanted.get(dir) != Some(id) {
                // A directory that is gone has ended its watch.
                let _ = watcher.unwatch(dir);
            }
        }
        for (dir, id) in &wanted {
            if self.dirs.get(dir) == Some(id) {
                continue;
            }
            if let Err(error) = watcher.watch(dir, RecursiveMode::NonRecursive)
                && self.refused.as_ref() != Some(dir)
            {
                tracing::warn!(dir = %dir.display(), %error, "this directory cannot be watched; it is polled");
                self.refused = Some(dir.clone());
            }
        }
        self.dirs = wanted;
    }
}

fn dirs_of(file: &Path) -> Vec<(PathBuf, DirId)> {
    let mut dirs = Vec::new();
    let mut step = file.to_owned();
    for _ in 0..MOST_LINKS {
        dirs.extend(step.parent().and_then(deepest_existing));
        match fs::read_link(&step) {
            Ok(next) => step = step.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => break,
        }
    }
    dirs
}

fn deepest_existing(dir: &Path) -> Option<(PathBuf, DirId)> {
    dir.ancestors().find_map(|dir| Some((dir.to_owned(), dir_id(dir)?)))
}

fn dir_id(dir: &Path) -> Option<DirId> {
    let metadata = fs::metadata(dir).ok().filter(fs::Metadata::is_dir)?;
    Some(DirId(metadata.dev(), metadata.ino()))
}
