//! The file with writers that die, that write at the same time, and that write for long.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::pool::{AccountId, AttemptResult, ReasoningDropped, SentRequest, TokenCount, TransportUsed};

const NOW: At = At(1_800_000_000_000);
const PATIENCE: Duration = Duration::from_secs(20);

fn tried(n: i64) -> AttemptRecord {
    AttemptRecord {
        at: At(NOW.0 + n),
        account: AccountId::new("acc_ada"),
        model: Some("gpt-6.1-sol".to_owned()),
        outcome: AttemptResult::Completed,
        reason: None,
        tokens: Some(TokenCount { input: 10, cached: 4, output: 2 }),
        first_event: Some(Duration::from_millis(120)),
        total: Duration::from_millis(900),
        sent: Some(SentRequest {
            transport: TransportUsed::WebSocket,
            continued: true,
            bytes: 1951,
            saved_bytes: 66_591,
        }),
        switched: true,
        reasoning_dropped: ReasoningDropped { organization_mismatch: 3, encrypted: 1, ..Default::default() },
    }
}

fn failed(n: i64) -> AttemptRecord {
    AttemptRecord {
        outcome: AttemptResult::Rotated,
        reason: Some("usage_limit".to_owned()),
        tokens: None,
        first_event: None,
        sent: Some(SentRequest {
            transport: TransportUsed::Sse,
            continued: false,
            bytes: 900,
            saved_bytes: 0,
        }),
        ..tried(n)
    }
}

fn times(history: &History) -> Vec<i64> {
    history.tries.iter().map(|tried| tried.at.0 - NOW.0).collect()
}

#[test]
fn what_is_appended_is_read_again_and_is_the_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = HistoryFile::new(&dir.path().join("state"));
    assert_eq!(file.load(NOW).unwrap().history, History::default());
    file.append(&[tried(1), failed(2)], PATIENCE, NOW).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    file.append(&[tried(3)], PATIENCE, NOW).unwrap();
    let reading = file.load(NOW).unwrap();
    assert_eq!(reading.history.tries, [tried(1), failed(2), tried(3)]);
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(file.path()).unwrap();
    let first = r#"{"try":{"at":1800000000001,"account":"acc_ada","model":"gpt-6.1-sol","outcome":"completed","tokens":{"input":10,"cached":4,"output":2},"firstEventMs":120,"totalMs":900,"sent":{"transport":"websocket","continued":true,"bytes":1951,"savedBytes":66591},"switched":true,"reasoningDropped":{"organizationMismatch":3,"endUserMismatch":0,"modelMismatch":0,"prefixMismatch":0,"encrypted":1}}}"#;
    assert_eq!(text.lines().next(), Some(first));
}

#[test]
fn the_end_that_a_killed_writer_left_is_no_damage_and_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let file = HistoryFile::new(dir.path());
    file.append(&[tried(1), tried(2)], PATIENCE, NOW).unwrap();
    let whole = fs::read(file.path()).unwrap();
    let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for cut in first..whole.len() {
        fs::write(file.path(), &whole[..cut]).unwrap();
        assert!(file.is_sound().unwrap(), "cut at {cut}");
        assert_eq!(times(&file.load(NOW).unwrap().history), [1]);
        file.append(&[tried(3)], PATIENCE, NOW).unwrap();
        assert_eq!(times(&file.load(NOW).unwrap().history), [1, 3], "cut at {cut}");
    }
    fs::write(file.path(), b"\0\0\0\0").unwrap();
    file.append(&[tried(4)], PATIENCE, NOW).unwrap();
    assert_eq!(times(&file.load(NOW).unwrap().history), [4]);
}

#[test]
fn a_damaged_file_is_set_aside_and_begun_anew_with_what_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = HistoryFile::new(dir.path());
    file.append(&[tried(1)], PATIENCE, NOW).unwrap();
    let mut bytes = fs::read(file.path()).unwrap();
    bytes.extend_from_slice(b"{\"try\":7}\n\xff\xff\n{\"later\":{\"version\":2}}\n");
    fs::write(file.path(), &bytes).unwrap();
    file.append(&[tried(2)], PATIENCE, NOW).unwrap();
    assert!(!file.is_sound().unwrap());
    let reading = file.load(NOW).unwrap();
    assert_eq!(times(&reading.history), [1, 2]);
    let aside = reading.set_aside.unwrap();
    assert_eq!(aside, dir.path().join("history.jsonl.corrupt-1800000000000"));
    assert!(fs::read(aside).unwrap().starts_with(&bytes));
    assert!(file.is_sound().unwrap());
    assert!(file.load(NOW).unwrap().set_aside.is_none());
}

#[test]
fn a_long_file_is_condensed_and_its_sums_stay() {
    let dir = tempfile::tempdir().unwrap();
    let file = HistoryFile::new(dir.path());
    let mut written = 0;
    let mut longest = 0;
    for batch in 0..12 {
        let tries: Vec<_> = (0..1000).map(|n| tried(batch * 1000 + n)).collect();
        file.append(&tries, PATIENCE, NOW).unwrap();
        written += 1000;
        longest = longest.max(fs::metadata(file.path()).unwrap().len());
    }
    assert!(longest <= CONDENSE_FROM, "{longest}");
    let history = file.load(NOW).unwrap().history;
    assert_eq!(history.tries.last().map(|tried| tried.at), Some(At(NOW.0 + 11_999)));
    let summed: u64 = history.sums.values().map(|tally| tally.attempts).sum();
    assert_eq!(summed + history.tries.len() as u64, written);
    assert!(summed > 0);
}

#[test]
fn lines_that_are_written_count_as_written_though_the_file_cannot_be_condensed() {
    let dir = tempfile::tempdir().unwrap();
    let file = HistoryFile::new(dir.path());
    let tries: Vec<_> = (0..8000).map(tried).collect();
    // A damaged file that cannot be moved, because a folder with content has the new name.
    fs::write(file.path(), "damaged\n").unwrap();
    fs::create_dir_all(dir.path().join("history.jsonl.corrupt-1800000000000/x")).unwrap();
    file.append(&tries, PATIENCE, NOW).unwrap();
    let written = fs::metadata(file.path()).unwrap().len();
    assert!(written > CONDENSE_FROM, "{written}");
    assert!(file.load(NOW).is_err());
}

#[test]
fn eight_writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let file = HistoryFile::new(dir.path());
            std::thread::spawn(move || {
                for n in 0..20 {
                    file.append(&[tried(writer * 1000 + n)], Duration::from_secs(60), NOW).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let mut seen = times(&HistoryFile::new(dir.path()).load(NOW).unwrap().history);
    seen.sort_unstable();
    let expected: Vec<i64> = (0..8).flat_map(|writer| (0..20).map(move |n| writer * 1000 + n)).collect();
    assert_eq!(seen, expected);
}
