//! Converts events into the bytes of a `text/event-stream`, in every valid form and some that occur in practice.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::events::kind;
use super::stream_plan::{Framing, Newline};

#[derive(Debug)]
pub(super) struct Framer {
    framing: Framing,
    gzip: Option<GzEncoder<Vec<u8>>>,
    begun: bool,
}

impl Framer {
    pub(super) fn new(framing: &Framing) -> Self {
        let gzip = framing.gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Framer { framing: framing.clone(), gzip, begun: false }
    }

    pub(super) fn event(&mut self, data: &str, last: bool) -> io::Result<Bytes> {
        let newline = self.newline();
        let mut text = self.opening();
        if self.framing.comments {
            text.push_str(": a comment");
            text.push_str(newline);
        }
        if self.framing.event_line
            && let Some(kind) = kind(data)
        {
            text.push_str(&format!("event: {kind}{newline}"));
        }
        for line in self.lines(data) {
            text.push_str(&format!("data: {line}{newline}"));
        }
        if !last || self.framing.last_blank_line || self.framing.done_marker {
            text.push_str(newline);
        }
        self.encoded(text)
    }

    pub(super) fn comment(&mut self) -> io::Result<Bytes> {
        let text = format!("{}: keepalive{}", self.opening(), self.newline());
        self.encoded(text)
    }

    pub(super) fn end(mut self) -> io::Result<Bytes> {
        let mut text = String::new();
        if self.framing.done_marker {
            let newline = self.newline();
            let blank_line = if self.framing.last_blank_line { newline } else { "" };
            text = format!("data: [DONE]{newline}{blank_line}");
        }
        match self.gzip.take() {
            None => Ok(text.into()),
            Some(mut encoder) => {
                encoder.write_all(text.as_bytes())?;
                encoder.finish().map(Bytes::from)
            }
        }
    }

    fn opening(&mut self) -> String {
        let bom = self.framing.bom && !std::mem::replace(&mut self.begun, true);
        if bom { "\u{feff}".to_owned() } else { String::new() }
    }

    fn newline(&self) -> &'static str {
        match self.framing.newline {
            Newline::Lf => "\n",
            Newline::Crlf => "\r\n",
            Newline::Cr => "\r",
        }
    }

    /// JSON may be broken where white space is allowed: after its first brace and before its last.
    fn lines<'a>(&self, data: &'a str) -> Vec<&'a str> {
        let inner = data.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if self.framing.wrapped_data => vec!["{", inner, "}"],
            _ => vec![data],
        }
    }

    fn encoded(&mut self, text: String) -> io::Result<Bytes> {
        let Some(encoder) = &mut self.gzip else { return Ok(text.into()) };
        encoder.write_all(text.as_bytes())?;
        encoder.flush()?;
        Ok(std::mem::take(encoder.get_mut()).into())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read;

    use super::*;

    fn framed(framing: Framing) -> Vec<u8> {
        let mut framer = Framer::new(&framing);
        let mut out = Vec::new();
        out.extend(framer.event(r#"{"type":"a"}"#, false).unwrap());
        out.extend(framer.event(r#"{"type":"b"}"#, true).unwrap());
        out.extend(framer.end().unwrap());
        out
    }

    fn check(framing: Framing, expected: &str) {
        assert_eq!(String::from_utf8(framed(framing)).unwrap(), expected);
    }

    #[test]
    fn shapes() {
        let bare = Framing { event_line: false, ..Framing::default() };
        check(Framing::default(), "event: a\ndata: {\"type\":\"a\"}\n\nevent: b\ndata: {\"type\":\"b\"}\n\n");
        check(
            Framing { newline: Newline::Crlf, bom: true, ..bare.clone() },
            "\u{feff}data: {\"type\":\"a\"}\r\n\r\ndata: {\"type\":\"b\"}\r\n\r\n",
        );
        check(
            Framing { newline: Newline::Cr, last_blank_line: false, ..bare.clone() },
            "data: {\"type\":\"a\"}\r\rdata: {\"type\":\"b\"}\r",
        );
        check(
            Framing { wrapped_data: true, comments: true, ..bare.clone() },
            ": a comment\ndata: {\ndata: \"type\":\"a\"\ndata: }\n\n\
             : a comment\ndata: {\ndata: \"type\":\"b\"\ndata: }\n\n",
        );
        check(
            Framing { done_marker: true, ..bare },
            "data: {\"type\":\"a\"}\n\ndata: {\"type\":\"b\"}\n\ndata: [DONE]\n\n",
        );
    }

    #[test]
    fn gzip_holds_the_same_text() {
        let mut text = String::new();
        let zipped = framed(Framing { gzip: true, ..Framing::default() });
        flate2::read::GzDecoder::new(&zipped[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text.as_bytes(), framed(Framing::default()));
    }
}
