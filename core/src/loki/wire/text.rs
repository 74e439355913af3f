//! JSON as our encoder writes it, looked at without making anything of it: no blanks, no nesting
//! beyond a record's tags.

use std::borrow::Cow;

/// Whether a line is UTF-8 without control characters.
pub(super) fn is_plain(line: &[u8]) -> bool {
    // Without a branch inside, so that it becomes vector instructions.
    let controls = line.iter().fold(0u8, |found, byte| found | u8::from(*byte < 0x20));
    controls == 0 && std::str::from_utf8(line).is_ok()
}

/// The text of a JSON string with its quotes.
pub(super) fn decode(string: &[u8]) -> Option<Cow<'_, str>> {
    let inner = string.get(1..string.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice(string).ok().map(Cow::Owned)
}

/// So many bytes are looked at one by one: most strings are shorter, and a call costs more.
const NEAR: usize = 16;

/// Where the next quote or backslash is.
#[inline]
fn next_mark(text: &[u8]) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(NEAR));
    let found = near.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    found.or_else(|| memchr::memchr2(b'"', b'\\', far).map(|at| NEAR + at))
}

/// Walks through a text; each step is made whole or not at all.
pub(super) struct Scan<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Scan<'t> {
    pub(super) const fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes were stepped over.
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// What follows.
    pub(super) fn rest(&self) -> &'t [u8] {
        &self.text[self.at..]
    }

    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Exactly these bytes.
    #[inline]
    pub(super) fn literal(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest().starts_with(bytes).then(|| self.at += bytes.len())
    }

    /// A string with its quotes; its text.
    pub(super) fn string(&mut self) -> Option<Box<str>> {
        let start = self.at;
        self.literal(b"\"")?;
        let end = self.string_body();
        if end.is_none() {
            self.at = start;
        }
        end.and_then(|()| decode(&self.text[start..self.at])).map(|text| (*text).into())
    }

    /// The rest of a string, its closing quote included.
    #[inline]
    pub(super) fn string_body(&mut self) -> Option<()> {
        let mut at = self.at;
        loop {
            at += next_mark(self.text.get(at..)?)?;
            if self.text[at] == b'"' {
                self.at = at + 1;
                return Some(());
            }
            at += match self.text.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                b'u' if self.text.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                _ => return None,
            };
        }
    }

    /// A whole number from 1, without leading zeros; its digits.
    pub(super) fn count(&mut self) -> Option<Box<str>> {
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&self.rest()[..digits]).ok()?;
        if text.starts_with('0') || text.parse::<u64>().is_err() {
            return None;
        }
        self.at += digits;
        Some(text.into())
    }

    /// A number, `true`, `false` or `null`.
    #[inline]
    fn plain_value(&mut self) -> Option<()> {
        match self.next()? {
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    /// A number of JSON: RFC 8259, section 6.
    fn number(&mut self) -> Option<()> {
        let text = self.rest();
        let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut at = usize::from(text.first() == Some(&b'-'));
        let whole = digits(at);
        if whole == 0 || (whole > 1 && text[at] == b'0') {
            return None;
        }
        at += whole;
        if text.get(at) == Some(&b'.') {
            let fraction = digits(at + 1);
            at += (fraction > 0).then_some(1 + fraction)?;
        }
        if matches!(text.get(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
            at += Some(digits(at)).filter(|exponent| *exponent > 0)?;
        }
        self.at += at;
        Some(())
    }
}

/// Walks through the members of `tags`, from behind its opening brace to the end of the line. The
/// value of `phase`, with its quotes, when it has one that is text.
pub(super) fn tags(text: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let wrong = "its tags are not names with flat values";
    let mut scan = Scan::new(text);
    let mut phase = None;
    loop {
        let is_phase = scan.literal(b"\"phase\":").is_some();
        if !is_phase {
            scan.literal(b"\"").and_then(|()| scan.string_body()).ok_or(wrong)?;
            scan.literal(b":").ok_or(wrong)?;
        }
        let start = scan.position();
        if scan.literal(b"\"").is_some() {
            scan.string_body().ok_or(wrong)?;
            if is_phase {
                phase = Some(&text[start..scan.position()]);
            }
        } else {
            scan.plain_value().ok_or(wrong)?;
        }
        match scan.rest() {
            b"}}" => return Ok(phase),
            [b',', ..] => scan.at += 1,
            _ => return Err(wrong),
        }
    }
}
