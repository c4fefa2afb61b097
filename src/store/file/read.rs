//! Reads a small text file that other programs may be writing at this moment.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::store::StorageError;

/// Other programs truncate and write in place, so a file that does not parse now may parse in a moment.
const RETRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(10);

/// Ten thousand accounts need far less.
const MAX_BYTES: u64 = 64 << 20;

/// Returns the text without a byte order mark; `None` when the file does not exist. The memory is wiped when it is
/// dropped.
pub(crate) fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, StorageError> {
    let bytes = match read_regular(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StorageError::Unreadable { path: path.to_owned(), source }),
    };
    let mut text =
        String::from_utf8(bytes).map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error()))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(Some(Zeroizing::new(text)))
}

/// Reads and parses, and tries again shortly while the result is `Corrupt`.
pub(crate) fn read_settled<T>(
    path: &Path,
    parse: impl Fn(&str) -> Result<T, StorageError>,
) -> Result<Option<T>, StorageError> {
    let attempt = || read_text(path)?.map(|text| parse(&text)).transpose();
    for _ in 0..RETRIES {
        match attempt() {
            Err(StorageError::Corrupt { .. }) => std::thread::sleep(PAUSE),
            settled => return settled,
        }
    }
    attempt()
}

/// Reading a pipe would not end, and a device would fill the memory.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let found = fs::metadata(path)?;
    if !found.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if found.len() > MAX_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    fs::read(path)
}

fn not_utf8(path: &Path, bytes: &[u8], error: std::str::Utf8Error) -> StorageError {
    let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    StorageError::Corrupt {
        path: path.to_owned(),
        line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
        column: before.len() - line_start + 1,
        message: "it is not UTF-8".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::testing::make_pipe;

    #[test]
    fn text_comes_without_a_byte_order_mark_and_faults_with_their_position() {
        fn check(content: &[u8], expected: Result<&str, (usize, usize)>) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            fs::write(&path, content).unwrap();
            let outcome = match read_text(&path) {
                Ok(text) => Ok(text.unwrap().to_string()),
                Err(StorageError::Corrupt { line, column, .. }) => Err((line, column)),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(outcome, expected.map(str::to_owned), "{content:?}");
        }
        check(b"", Ok(""));
        check(b"{}", Ok("{}"));
        check("\u{feff}{}".as_bytes(), Ok("{}"));
        check(b"\xff", Err((1, 1)));
        check(b"ab\ncd\xff", Err((2, 3)));
    }

    #[test]
    fn a_missing_file_is_not_an_error_and_a_directory_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_text(&dir.path().join("none")).unwrap().is_none());
        assert!(matches!(read_text(dir.path()), Err(StorageError::Unreadable { .. })));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, large) = (dir.path().join("pipe"), dir.path().join("large"));
        make_pipe(&pipe);
        fs::File::create(&large).unwrap().set_len(MAX_BYTES + 1).unwrap();
        for path in [pipe.as_path(), large.as_path(), Path::new("/dev/zero")] {
            assert!(matches!(read_text(path), Err(StorageError::Unreadable { .. })), "{}", path.display());
        }
    }

    #[test]
    fn content_that_is_being_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "half").unwrap();
        let seen = read_settled(&path, |text| {
            if text == "whole" {
                return Ok(text.to_owned());
            }
            fs::write(&path, "whole").unwrap();
            Err(StorageError::Corrupt { path: path.clone(), line: 1, column: 1, message: String::new() })
        });
        assert_eq!(seen.unwrap().as_deref(), Some("whole"));
    }
}
