//! Splits a stream of bytes into messages and wraps messages into bytes, in the client's framing.
//!
//! It does not look inside a message, and keeps no more of one than the limit: a message that is too large is skipped
//! as it arrives.

use std::ops::Range;

use memchr::{memchr, memchr2_iter};

/// How messages are separated, decided by the first byte of the first message and kept for the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// One JSON text per line, ended by LF; a CR before the LF is removed.
    Lines,
    /// `Content-Length: N`, an empty line, and N bytes, as in the Language Server Protocol.
    Headers,
}

/// What the decoder found.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// The bytes of one message, without its framing.
    Message(&'a [u8]),
    /// A message above the limit; its bytes are dropped, and the next message is intact.
    TooLarge,
    /// The end of the input cut this message short.
    Truncated,
    /// A header block without the length of its message: no later message can be found.
    Lost,
}

/// Collects input and returns messages. Bytes go in through [`Decoder::spare`].
#[derive(Debug)]
pub struct Decoder {
    framing: Option<Framing>,
    max_message_bytes: usize,
    buffer: Vec<u8>,
    /// Everything in `buffer` before this was returned.
    start: usize,
    /// Everything in `buffer` before this was searched for a line end without success.
    searched: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A line, or a header block, comes next.
    Between,
    /// A body of this many bytes comes next.
    Body(usize),
    /// This many bytes of a body that is too large are still to be dropped.
    SkipBody(usize),
    /// A line that is too large is dropped up to its end.
    SkipLine,
    /// No later message can be found.
    Lost,
}

/// The size of one read. A pipe holds 64 KiB.
const READ_BYTES: usize = 64 * 1024;
/// An emptied buffer larger than this is freed.
const KEPT_BYTES: usize = 256 * 1024;
/// Real header blocks are below 100 bytes.
const MAX_HEADER_BYTES: usize = 8 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl Decoder {
    pub fn new(max_message_bytes: usize) -> Self {
        Self {
            framing: None,
            max_message_bytes,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            state: State::Between,
        }
    }

    /// Where the next bytes of input are appended.
    pub fn spare(&mut self) -> &mut Vec<u8> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_BYTES {
                self.buffer = Vec::new();
            }
            self.searched = 0;
            self.start = 0;
        } else if self.start > 0 {
            // The rest is less than one message, and moves at most once per read.
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.reserve(READ_BYTES);
        &mut self.buffer
    }

    /// Returns the next message of the bytes so far; `None` when more input is needed.
    pub fn next_frame(&mut self) -> Option<Frame<'_>> {
        let framing = self.framing()?;
        loop {
            match self.state {
                State::Lost => return None,
                State::SkipLine => {
                    let Some(length) = memchr(b'\n', &self.buffer[self.start..]) else {
                        self.consume(self.buffer.len() - self.start);
                        return None;
                    };
                    self.consume(length + 1);
                    self.state = State::Between;
                    return Some(Frame::TooLarge);
                }
                State::SkipBody(left) => {
                    let available = left.min(self.buffer.len() - self.start);
                    self.consume(available);
                    if available < left {
                        self.state = State::SkipBody(left - available);
                        return None;
                    }
                    self.state = State::Between;
                    return Some(Frame::TooLarge);
                }
                State::Body(length) => {
                    if self.buffer.len() - self.start < length {
                        return None;
                    }
                    self.state = State::Between;
                    let body = self.start..self.start + length;
                    self.consume(length);
                    return Some(Frame::Message(&self.buffer[body]));
                }
                State::Between => match framing {
                    Framing::Lines => {
                        let Some(line) = self.take_line() else {
                            // Two bytes of tolerance, because the line end is not part of the message.
                            if self.buffer.len() - self.start <= self.max_message_bytes.saturating_add(2) {
                                return None;
                            }
                            self.state = State::SkipLine;
                            continue;
                        };
                        if self.is_blank(&line) {
                            continue;
                        }
                        return Some(self.bounded(line));
                    }
                    Framing::Headers => match self.take_headers()? {
                        Ok(length) if length > self.max_message_bytes => self.state = State::SkipBody(length),
                        Ok(length) => self.state = State::Body(length),
                        Err(NoLength) => {
                            self.state = State::Lost;
                            return Some(Frame::Lost);
                        }
                    },
                },
            }
        }
    }

    /// Returns the rest when the input has ended and [`Decoder::next_frame`] found nothing more.
    pub fn last_frame(&mut self) -> Option<Frame<'_>> {
        let rest = self.start..self.buffer.len();
        self.consume(rest.len());
        match std::mem::replace(&mut self.state, State::Lost) {
            State::SkipLine | State::SkipBody(_) => Some(Frame::TooLarge),
            State::Body(_) => Some(Frame::Truncated),
            State::Between if self.is_blank(&rest) => None,
            State::Between if self.framing == Some(Framing::Lines) => Some(self.bounded(rest)),
            State::Between => Some(Frame::Lost),
            State::Lost => None,
        }
    }

    /// A line above the limit is not returned, however much of it arrived at once.
    fn is_blank(&self, line: &Range<usize>) -> bool {
        line.len() <= self.max_message_bytes && self.buffer[line.clone()].trim_ascii().is_empty()
    }

    fn bounded(&self, line: Range<usize>) -> Frame<'_> {
        let message = &self.buffer[line];
        if message.len() > self.max_message_bytes { Frame::TooLarge } else { Frame::Message(message) }
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.searched = self.start;
    }

    /// Returns the framing, once the first byte of the first message is known. White space and a byte order mark before
    /// it are dropped.
    pub fn framing(&mut self) -> Option<Framing> {
        if self.framing.is_some() {
            return self.framing;
        }
        loop {
            let rest = &self.buffer[self.start..];
            let first = *rest.first()?;
            if first.is_ascii_whitespace() {
                self.consume(1);
            } else if rest.starts_with(BYTE_ORDER_MARK) {
                self.consume(BYTE_ORDER_MARK.len());
            } else if BYTE_ORDER_MARK.starts_with(rest) {
                return None;
            } else {
                self.framing =
                    Some(if matches!(first, b'{' | b'[') { Framing::Lines } else { Framing::Headers });
                return self.framing;
            }
        }
    }

    /// Returns the next whole line, without its end.
    fn take_line(&mut self) -> Option<Range<usize>> {
        let Some(offset) = memchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            return None;
        };
        let (start, end) = (self.start, self.searched + offset);
        self.consume(end + 1 - start);
        let carriage_return = end > start && self.buffer[end - 1] == b'\r';
        Some(start..end - usize::from(carriage_return))
    }

    /// Returns the length in the next header block, once the whole block has arrived.
    fn take_headers(&mut self) -> Option<Result<usize, NoLength>> {
        let blank = self.buffer[self.start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.start += blank;
        self.searched = self.start;
        let block = &self.buffer[self.start..];
        let mut length = None;
        let mut line_start = 0;
        while let Some(offset) = memchr(b'\n', &block[line_start..]) {
            let line = block[line_start..line_start + offset].trim_ascii_end();
            line_start += offset + 1;
            if line.is_empty() {
                self.consume(line_start);
                return Some(length.filter(|_| line_start <= MAX_HEADER_BYTES).ok_or(NoLength));
            }
            match header_length(line) {
                Ok(None) => {}
                Ok(Some(value)) if length.is_none_or(|known| known == value) => length = Some(value),
                Ok(Some(_)) | Err(NoLength) => return Some(Err(NoLength)),
            }
        }
        (block.len() > MAX_HEADER_BYTES).then_some(Err(NoLength))
    }
}

#[derive(Debug)]
struct NoLength;

/// Returns the length in one header line; `None` for a header of another name.
fn header_length(line: &[u8]) -> Result<Option<usize>, NoLength> {
    let colon = memchr(b':', line).ok_or(NoLength)?;
    let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    if !name.eq_ignore_ascii_case(b"content-length") {
        return Ok(None);
    }
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(value).ok().filter(|_| digits).and_then(|value| value.parse().ok());
    number.map(Some).ok_or(NoLength)
}

/// Appends one message in the client's framing.
///
/// JSON has line ends only between its tokens, where a space means the same, so in [`Framing::Lines`] they become
/// spaces; CR too, because some clients split there.
pub fn encode(framing: Framing, message: &str, into: &mut Vec<u8>) {
    let start = into.len();
    frame_parts(framing, [message.as_bytes()], into);
    if framing == Framing::Lines {
        for offset in memchr2_iter(b'\n', b'\r', message.as_bytes()) {
            into[start + offset] = b' ';
        }
    }
}

/// Appends the message that the parts form together; it has no line ends.
pub fn frame_parts<const N: usize>(framing: Framing, parts: [&[u8]; N], into: &mut Vec<u8>) {
    if framing == Framing::Headers {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        into.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
    }
    for part in parts {
        into.extend_from_slice(part);
    }
    if framing == Framing::Lines {
        into.push(b'\n');
    }
}
