//! Walks over a JSON text that is known to be valid, and keeps lone surrogates and exact numbers, which serde_json's
//! values lose.

/// A position in a JSON text. On an invalid text its results have no meaning or are `None`, but it always ends.
pub(super) struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(json: &'a str) -> Self {
        Scanner { rest: json.as_bytes() }
    }

    /// Returns the first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.first().copied()
    }

    /// Moves past the bracket that begins an array or an object.
    pub(super) fn enter(&mut self) {
        self.skip();
    }

    /// Moves past a comma, or past the bracket `end`. Returns whether it was the bracket, or the text ended.
    pub(super) fn leaves(&mut self, end: u8) -> bool {
        if self.peek() == Some(b',') {
            self.skip();
        }
        match self.peek() {
            Some(byte) if byte == end => {
                self.skip();
                true
            }
            found => found.is_none(),
        }
    }

    pub(super) fn colon(&mut self) -> Option<()> {
        (self.peek()? == b':').then(|| self.skip())
    }

    /// Returns the next number or word with its spelling.
    pub(super) fn token(&mut self) -> &'a [u8] {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let end = self.rest.iter().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        token
    }

    /// Returns the text of the next string: UTF-8, except for lone surrogates, which are encoded like characters.
    pub(super) fn string(&mut self) -> Option<Vec<u8>> {
        if self.peek()? != b'"' {
            return None;
        }
        self.skip();
        let mut text = Vec::new();
        loop {
            let end = memchr::memchr2(b'"', b'\\', self.rest)?;
            text.extend_from_slice(&self.rest[..end]);
            let is_end = self.rest[end] == b'"';
            self.rest = &self.rest[end + 1..];
            if is_end {
                return Some(text);
            }
            self.escape(&mut text)?;
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let kind = *self.rest.first()?;
        self.skip();
        text.push(match kind {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.code_unit()?;
                let low = self.low_surrogate().filter(|_| (0xD800..0xDC00).contains(&first));
                let code = match low {
                    Some(low) => {
                        self.rest = &self.rest[6..];
                        0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00)
                    }
                    None => first,
                };
                push_code(text, code);
                return Some(());
            }
            other => other,
        });
        Some(())
    }

    /// Reads the four digits of a `\u` escape.
    fn code_unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
    }

    /// Reads the second half of a pair, if it is next. Otherwise it does not move.
    fn low_surrogate(&self) -> Option<u32> {
        let digits = self.rest.strip_prefix(b"\\u")?.get(..4)?;
        let unit = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        (0xDC00..0xE000).contains(&unit).then_some(unit)
    }

    fn skip(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }
}

fn push_code(text: &mut Vec<u8>, code: u32) {
    match char::from_u32(code) {
        Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        // A lone surrogate, in the three bytes that UTF-8 would have for it and that no valid text has.
        None => {
            let [.., high, low] = code.to_be_bytes();
            let code = u16::from_be_bytes([high, low]);
            let bits = |shift: u16| (code >> shift & 0x3F) as u8;
            text.extend_from_slice(&[0xE0 | (code >> 12) as u8, 0x80 | bits(6), 0x80 | bits(0)]);
        }
    }
}
