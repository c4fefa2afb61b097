//! Splits a `text/event-stream` body into the data of its events, however the bytes were cut. It does not read the
//! data, and knows no JSON, no time and no network.
//!
//! Follows the WHATWG rules (LF, CR and CRLF, a BOM at the start, comments, several `data` lines joined by LF) with one
//! exception: an event at the end of the body without a blank line is returned by [`SseSplitter::finish`].

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Larger than any event of upstream; a stream without line ends must not fill the memory.
pub const MAX_EVENT_BYTES: usize = 64 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Feed chunks, pull the data of events. An event within one chunk is returned as a slice of it, without a copy.
#[derive(Debug)]
pub struct SseSplitter {
    /// The chunk that was fed last.
    chunk: Bytes,
    /// Where the next line begins in the chunk.
    at: usize,
    /// The beginning of a line whose end was not fed yet.
    line: BytesMut,
    data: Option<Data>,
    /// The `event` field of the event in progress.
    name: Option<Bytes>,
    /// The `event` field of the event that was returned last.
    last_name: Option<Bytes>,
    /// The last line ended in CR at the end of its chunk: an LF that follows belongs to it.
    skip_lf: bool,
    first_line: bool,
    max: usize,
}

/// An event, or a line, is larger than the limit. The stream cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("upstream sent an event that is larger than {0} bytes")]
pub struct TooLarge(pub usize);

/// Where the text of a line is, without its end.
enum Line {
    InChunk(Range<usize>),
    /// Of several chunks.
    Gathered(Bytes),
}

#[derive(Debug)]
enum Data {
    One(Bytes),
    Joined(BytesMut),
}

impl SseSplitter {
    pub fn new(max: usize) -> Self {
        SseSplitter {
            chunk: Bytes::new(),
            at: 0,
            line: BytesMut::new(),
            data: None,
            name: None,
            last_name: None,
            skip_lf: false,
            first_line: true,
            max,
        }
    }

    /// Takes the next bytes of the body. Everything fed before must have been pulled: [`next`](Self::next) has returned
    /// `None`.
    pub fn feed(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty(), "the last chunk was not pulled to its end");
        self.chunk = chunk;
        self.at = 0;
    }

    /// Returns the data of the next whole event; `None` when more bytes are needed.
    pub fn next_event(&mut self) -> Result<Option<Bytes>, TooLarge> {
        while let Some(line) = self.next_line()? {
            if let Some(data) = self.take_line(line)? {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Returns, at the end of the body, the data of an event that has no blank line after it.
    pub fn finish(&mut self) -> Result<Option<Bytes>, TooLarge> {
        let rest = self.line.split().freeze();
        let ended = self.take_line(Line::Gathered(rest))?;
        Ok(ended.or_else(|| self.end_event()))
    }

    /// Returns the `event` field of the event that was returned last; empty when it had none.
    pub fn last_name(&self) -> &[u8] {
        self.last_name.as_deref().unwrap_or_default()
    }

    fn end_event(&mut self) -> Option<Bytes> {
        self.last_name = self.name.take();
        self.data.take().map(Data::into_bytes)
    }

    fn next_line(&mut self) -> Result<Option<Line>, TooLarge> {
        if self.skip_lf && self.at < self.chunk.len() {
            self.skip_lf = false;
            self.at += usize::from(self.chunk[self.at] == b'\n');
        }
        let rest = &self.chunk[self.at..];
        let Some(length) = memchr::memchr2(b'\n', b'\r', rest) else {
            self.fits(self.line.len() + rest.len())?;
            self.line.extend_from_slice(rest);
            self.chunk = Bytes::new();
            self.at = 0;
            return Ok(None);
        };
        let (start, end) = (self.at, self.at + length);
        self.skip_lf = self.chunk[end] == b'\r';
        self.at = end + 1;
        if self.line.is_empty() {
            return Ok(Some(Line::InChunk(start..end)));
        }
        self.fits(self.line.len() + length)?;
        self.line.extend_from_slice(&self.chunk[start..end]);
        Ok(Some(Line::Gathered(self.line.split().freeze())))
    }

    /// Returns the data of the event that this line ends, when it is the blank one.
    fn take_line(&mut self, line: Line) -> Result<Option<Bytes>, TooLarge> {
        let text = match &line {
            Line::InChunk(range) => &self.chunk[range.clone()],
            Line::Gathered(bytes) => bytes,
        };
        let is_first = std::mem::take(&mut self.first_line);
        let skipped = if is_first && text.starts_with(BOM) { BOM.len() } else { 0 };
        if text.len() == skipped {
            return Ok(self.end_event());
        }
        let Some(from) = value_of(b"data", &text[skipped..]).map(|from| skipped + from) else {
            if let Some(from) = value_of(b"event", &text[skipped..]).map(|from| skipped + from) {
                self.name = Some(match line {
                    Line::InChunk(range) => self.chunk.slice(range.start + from..range.end),
                    Line::Gathered(bytes) => bytes.slice(from..),
                });
            }
            return Ok(None);
        };
        self.fits(self.data.as_ref().map_or(0, Data::len) + 1 + text.len() - from)?;
        let value = match line {
            Line::InChunk(range) => self.chunk.slice(range.start + from..range.end),
            Line::Gathered(bytes) => bytes.slice(from..),
        };
        self.data = Some(match self.data.take() {
            None => Data::One(value),
            Some(data) => data.joined_with(&value),
        });
        Ok(None)
    }

    fn fits(&self, bytes: usize) -> Result<(), TooLarge> {
        if bytes > self.max { Err(TooLarge(self.max)) } else { Ok(()) }
    }
}

/// Returns where the value begins in a line of this field.
fn value_of(field: &[u8], line: &[u8]) -> Option<usize> {
    match line.strip_prefix(field)? {
        [] => Some(field.len()),
        [b':', b' ', ..] => Some(field.len() + 2),
        [b':', ..] => Some(field.len() + 1),
        _ => None,
    }
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::One(bytes) => bytes.len(),
            Data::Joined(bytes) => bytes.len(),
        }
    }

    fn joined_with(self, value: &[u8]) -> Data {
        let mut joined = match self {
            Data::One(bytes) => BytesMut::from(&bytes[..]),
            Data::Joined(bytes) => bytes,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(value);
        Data::Joined(joined)
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Data::One(bytes) => bytes,
            Data::Joined(bytes) => bytes.freeze(),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same rules over the whole body at once, without regard to speed.
    fn reference(body: &[u8]) -> Vec<Vec<u8>> {
        let mut text = body.strip_prefix(BOM).unwrap_or(body).to_vec();
        let mut at = 0;
        while at < text.len() {
            if text[at] == b'\r' {
                if text.get(at + 1) == Some(&b'\n') {
                    text.remove(at);
                } else {
                    text[at] = b'\n';
                }
            }
            at += 1;
        }
        let mut events = Vec::new();
        let mut data: Option<Vec<u8>> = None;
        for line in text.split(|byte| *byte == b'\n') {
            let (field, value) = match line.iter().position(|byte| *byte == b':') {
                Some(colon) => (&line[..colon], &line[colon + 1..]),
                None => (line, &line[line.len()..]),
            };
            if line.is_empty() {
                events.extend(data.take());
            } else if field == b"data" {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                data = Some(match data {
                    Some(before) => [&before[..], b"\n", value].concat(),
                    None => value.to_vec(),
                });
            }
        }
        events.extend(data);
        events
    }

    fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, max: usize) -> Result<Vec<Vec<u8>>, TooLarge> {
        let mut splitter = SseSplitter::new(max);
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.feed(Bytes::copy_from_slice(chunk));
            while let Some(data) = splitter.next_event()? {
                events.push(data.to_vec());
            }
        }
        events.extend(splitter.finish()?.map(|data| data.to_vec()));
        Ok(events)
    }

    #[test]
    fn event_names_belong_to_their_own_event() {
        let body =
            "event: error\ndata: 1\n\ndata: 2\n\nevent:x\nevent: y\r\ndata: 3\r\n\r\nevent: lost\n\ndata: 4";
        for size in [1, 2, 5, body.len()] {
            let mut splitter = SseSplitter::new(100);
            let mut named = Vec::new();
            for chunk in body.as_bytes().chunks(size) {
                splitter.feed(Bytes::copy_from_slice(chunk));
                while let Some(data) = splitter.next_event().unwrap() {
                    named.push((splitter.last_name().to_vec(), data.to_vec()));
                }
            }
            let last = splitter.finish().unwrap().unwrap();
            named.push((splitter.last_name().to_vec(), last.to_vec()));
            let expected = [("error", "1"), ("", "2"), ("y", "3"), ("", "4")];
            let expected = expected.map(|(name, data)| (name.as_bytes().to_vec(), data.as_bytes().to_vec()));
            assert_eq!(named, expected, "{size}");
        }
    }

    #[test]
    fn every_chunking_gives_the_same_events() {
        let check = |body: &str, expected: &[&str]| {
            for size in [1, 2, 3, 7, body.len().max(1)] {
                let events = split(body.as_bytes().chunks(size), MAX_EVENT_BYTES).unwrap();
                let events: Vec<_> = events.iter().map(|data| str::from_utf8(data).unwrap()).collect();
                assert_eq!(events, expected, "{body:?} in chunks of {size}");
            }
        };
        check("", &[]);
        check("data: a\n\ndata: b\n\n", &["a", "b"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
        check("data: a\r\rdata: b\r\r", &["a", "b"]);
        check("data: a\r\n\ndata: b\n\r\n", &["a", "b"]);
        check("\u{feff}data: a\n\n", &["a"]);
        check("data: \u{feff}a\n\n", &["\u{feff}a"]);
        check("event: x\ndata: {\ndata:  1}\nid: 7\nretry: 1\n\n", &["{\n 1}"]);
        check(": ping\n\n:\ndata:a\n: more\n\n", &["a"]);
        check("data\n\n", &[""]);
        check("data:\n\n", &[""]);
        check("data:\ndata:\n\n", &["\n"]);
        check("event: only\n\n\n\n", &[]);
        check("dataset: a\n\ndata : b\n\nDATA: c\n\n", &[]);
        check("data: a: b\n\n", &["a: b"]);
        check("data: [DONE]\n\n", &["[DONE]"]);
        check("data: grüße \u{2028}\n\n", &["grüße \u{2028}"]);
        check("data: a\n\ndata: b", &["a", "b"]);
        check("data: a\n\ndata: b\n", &["a", "b"]);
        check("data: a\n\ndata: b\r", &["a", "b"]);
    }

    #[test]
    fn an_event_within_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: {\"a\":1}\n\n");
        let mut splitter = SseSplitter::new(MAX_EVENT_BYTES);
        splitter.feed(chunk.clone());
        let data = splitter.next_event().unwrap().unwrap();
        assert_eq!(data.as_ptr(), chunk[6..].as_ptr());
    }

    #[test]
    fn an_event_over_the_limit_ends_the_stream() {
        let check = |body: &str, fits: bool| {
            for size in [1, 5, body.len()] {
                let result = split(body.as_bytes().chunks(size), 16);
                assert_eq!(result.is_ok(), fits, "{body:?} in chunks of {size}: {result:?}");
            }
        };
        check("data: 0123456789\n\n", true);
        check("data: 01234567890123456\n\n", false);
        check("data: 0123456\ndata: 0123456\n\n", true);
        check("data: 01234567\ndata: 01234567\n\n", false);
        check(": 0123456789012345", false);
    }

    #[test]
    fn a_large_event_in_small_chunks_takes_linear_time() {
        // Quadratic splitting of this takes minutes, linear splitting milliseconds. The assertion is that it ends.
        let body = [b"data: ".as_slice(), &vec![b'x'; 8 << 20], b"\n\n"].concat();
        let events = split(body.chunks(100), MAX_EVENT_BYTES).unwrap();
        assert_eq!(events.iter().map(Vec::len).collect::<Vec<_>>(), [8 << 20]);
        let lines = "data: x\n".repeat(1 << 20);
        let events = split(lines.as_bytes().chunks(1000), MAX_EVENT_BYTES).unwrap();
        assert_eq!(events.iter().map(Vec::len).collect::<Vec<_>>(), [(1 << 21) - 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]
        #[test]
        fn agrees_with_the_reference(
            parts in prop::collection::vec(prop::sample::select(vec![
                "data: ", "data:", "data", "event: e", ":", "\n", "\n", "\r", "\r\n", "\n\n", "\u{feff}", "{\"a\":1}", " ", "ü",
            ]), 0..40),
            cuts in prop::collection::vec(1usize..6, 1..20),
        ) {
            let body = parts.concat();
            let mut chunks = Vec::new();
            let mut rest = body.as_bytes();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            prop_assert_eq!(split(chunks, MAX_EVENT_BYTES).unwrap(), reference(body.as_bytes()));
        }
    }
}
