//! `history.jsonl` in the state directory: one line per attempt, appended under a lock that all sidecars share. When it
//! has grown, it is replaced by a shorter file that sums up older attempts. It is not synced: a crash of the machine
//! loses a few lines.

mod line;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::line::Line;
use crate::pool::{At, AttemptRecord, History};
use crate::store::file::read::read_regular;
use crate::store::{LockGuard, StorageError, narrow, write_atomically};

const FILE_NAME: &str = "history.jsonl";
/// A longer file is shortened.
const CONDENSE_FROM: u64 = 1 << 20;
/// No line that is written here is as long as this.
const LONGEST_LINE: u64 = 64 << 10;

#[derive(Clone, Debug)]
pub struct HistoryFile {
    path: PathBuf,
    lock_file: PathBuf,
}

/// A reading, and where a damaged file was moved. Its readable part was kept.
#[derive(Debug)]
pub struct HistoryReading {
    pub history: History,
    pub set_aside: Option<PathBuf>,
}

/// The content, and whether all of it could be read. The incomplete line of a killed writer does not count.
struct Content {
    history: History,
    damaged: bool,
}

impl HistoryFile {
    pub fn new(state_dir: &Path) -> Self {
        HistoryFile {
            path: state_dir.join(FILE_NAME),
            lock_file: state_dir.join(format!("{FILE_NAME}.lock")),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Blocks for up to `patience` while another sidecar writes.
    pub fn append(&self, tries: &[AttemptRecord], patience: Duration, now: At) -> Result<(), StorageError> {
        let held = LockGuard::acquire(&self.lock_file, patience)?;
        let length = self.add_lines(tries).map_err(|error| StorageError::writing(&self.path, error))?;
        // The lines are written, so an error after this must not cause them to be written again.
        if let Err(error) = self.keep_in_shape(length, &held, now) {
            tracing::warn!(%error, "the history was not condensed");
        }
        Ok(())
    }

    fn keep_in_shape(&self, length: u64, held: &LockGuard, now: At) -> Result<(), StorageError> {
        narrow(&self.path)?;
        if length > CONDENSE_FROM {
            let reading = self.read_or_set_aside(held, now)?;
            self.replace(reading.history, held, now)?;
        }
        Ok(())
    }

    /// Takes the lock only when the file is damaged. Then the file is moved to `history.jsonl.corrupt-<millis of now>`,
    /// and a new one begins with its readable part.
    pub fn load(&self, now: At) -> Result<HistoryReading, StorageError> {
        let content = self.read()?;
        if !content.damaged {
            return Ok(HistoryReading { history: content.history, set_aside: None });
        }
        let held = LockGuard::acquire(&self.lock_file, crate::store::LOCK_DEADLINE)?;
        self.read_or_set_aside(&held, now)
    }

    /// Returns whether all of the file can be read. Changes nothing.
    pub fn is_sound(&self) -> Result<bool, StorageError> {
        self.read().map(|content| !content.damaged)
    }

    fn read_or_set_aside(&self, held: &LockGuard, now: At) -> Result<HistoryReading, StorageError> {
        let Content { history, damaged } = self.read()?;
        if !damaged {
            return Ok(HistoryReading { history, set_aside: None });
        }
        let aside = self.path.with_file_name(format!("{FILE_NAME}.corrupt-{}", now.millis()));
        fs::rename(&self.path, &aside).map_err(|error| StorageError::writing(&self.path, error))?;
        self.replace(history.clone(), held, now)?;
        Ok(HistoryReading { history, set_aside: Some(aside) })
    }

    fn replace(&self, mut history: History, held: &LockGuard, now: At) -> Result<(), StorageError> {
        history.condense(now);
        let sums = history.sums.iter().map(|((day, account), tally)| Line::of_sum(*day, account, tally));
        let text: String = sums.chain(history.tries.iter().map(Line::of_try)).map(Line::into_text).collect();
        write_atomically(&self.path, text.as_bytes(), held).map(drop)
    }

    /// Returns the length of the file. All lines are appended in one write, after the last complete line.
    fn add_lines(&self, tries: &[AttemptRecord]) -> io::Result<u64> {
        let mut file =
            OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(&self.path)?;
        let whole = end_of_last_line(&mut file)?;
        file.set_len(whole)?;
        let text: String = tries.iter().map(|tried| Line::of_try(tried).into_text()).collect();
        file.write_all(text.as_bytes()).inspect_err(|_| {
            // All lines are tried again, also those that a full disk had room for.
            let _ = file.set_len(whole);
        })?;
        Ok(whole + text.len() as u64)
    }

    fn read(&self) -> Result<Content, StorageError> {
        let bytes = match read_regular(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(StorageError::Unreadable { path: self.path.clone(), source }),
        };
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut content = Content { history: History::default(), damaged: false };
        for line in bytes[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match Line::read(line) {
                Ok(Some(line)) => line.take_into(&mut content.history),
                // From a later version.
                Ok(None) => {}
                Err(_) => content.damaged = true,
            }
        }
        Ok(content)
    }
}

/// The position after the last line end; what follows comes from a killed writer. If the end of the file has no lines,
/// nothing is cut off: the next reading finds it damaged.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut end)?;
    match end.iter().rposition(|&byte| byte == b'\n') {
        Some(at) => Ok(from + at as u64 + 1),
        None if from == 0 => Ok(0),
        None => Ok(length),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
