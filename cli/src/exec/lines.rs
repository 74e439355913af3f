//! From bytes as they come to lines, and to pieces of lines that are too long for one record.

use memchr::memchr;

/// A line, or a piece of one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Line<'a> {
    /// Without what ends it: `\n` or `\r\n`.
    pub(super) bytes: &'a [u8],
    /// None for a whole line.
    pub(super) piece: Option<Piece>,
}

/// Which piece of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    /// From 1.
    pub(super) number: u64,
    /// The line ends with it.
    pub(super) last: bool,
}

/// Cuts a stream into lines. Holds the beginning of the line that is not finished: at most the
/// bytes of one record and of one read.
#[derive(Debug)]
pub(super) struct Lines {
    /// Most bytes that a piece may take in JSON.
    room: usize,
    rest: Vec<u8>,
    /// Pieces of the unfinished line that were given away.
    pieces: u64,
}

impl Lines {
    pub(super) fn new(room: usize) -> Self {
        Self { room, rest: Vec::new(), pieces: 0 }
    }

    /// Takes what was read, and gives away what it finishes.
    pub(super) fn take(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Line<'_>)) {
        while let Some(at) = memchr(b'\n', bytes) {
            let line = &bytes[..at];
            bytes = &bytes[at + 1..];
            if self.rest.is_empty() {
                self.finish_line(line, each);
            } else {
                self.rest.extend_from_slice(line);
                self.finish_rest(each);
            }
        }
        self.rest.extend_from_slice(bytes);
        // A byte takes at least one byte in JSON.
        while self.rest.len() > self.room {
            let len = fitting(&self.rest, self.room);
            self.pieces += 1;
            let piece = Some(Piece { number: self.pieces, last: false });
            each(Line { bytes: &self.rest[..len], piece });
            self.rest.drain(..len);
        }
    }

    /// Gives away the last line when nothing ends it.
    pub(super) fn finish(&mut self, each: &mut impl FnMut(Line<'_>)) {
        if !self.rest.is_empty() || self.pieces > 0 {
            self.finish_rest(each);
        }
    }

    fn finish_rest(&mut self, each: &mut impl FnMut(Line<'_>)) {
        let line = std::mem::take(&mut self.rest);
        self.finish_line(&line, each);
        self.rest = line;
        self.rest.clear();
    }

    fn finish_line(&mut self, line: &[u8], each: &mut impl FnMut(Line<'_>)) {
        let mut bytes = line.strip_suffix(b"\r").unwrap_or(line);
        loop {
            let len = fitting(bytes, self.room);
            let last = len == bytes.len();
            if last && self.pieces == 0 {
                return each(Line { bytes, piece: None });
            }
            self.pieces += 1;
            let (piece, more) = bytes.split_at(len);
            each(Line { bytes: piece, piece: Some(Piece { number: self.pieces, last }) });
            if last {
                self.pieces = 0;
                return;
            }
            bytes = more;
        }
    }
}

/// How many bytes from the beginning take at most `room` bytes in JSON; no character is cut, and
/// it is never nothing.
fn fitting(bytes: &[u8], room: usize) -> usize {
    /// What a byte takes at most: a control as `\u001b`.
    const WORST: usize = 6;
    if bytes.len() <= room / WORST {
        return bytes.len();
    }
    let (mut len, mut taken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let known = chunk.valid().chars().map(|c| (c.len_utf8(), in_json(c)));
        // Each may become U+FFFD.
        let unknown = chunk.invalid().iter().map(|_| (1, 3));
        for (size, cost) in known.chain(unknown) {
            if taken + cost > room && len > 0 {
                return len;
            }
            taken += cost;
            len += size;
        }
    }
    len
}

/// Bytes of a character within a JSON string.
fn in_json(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Given = Vec<(Vec<u8>, Option<(u64, bool)>)>;

    /// What becomes of a text that comes in reads of `size` bytes.
    fn cut(text: &[u8], size: usize, room: usize) -> Given {
        let mut lines = Lines::new(room);
        let mut given = Vec::new();
        let mut each = |line: Line<'_>| {
            given.push((line.bytes.to_vec(), line.piece.map(|piece| (piece.number, piece.last))));
        };
        for read in text.chunks(size) {
            lines.take(read, &mut each);
        }
        lines.finish(&mut each);
        given
    }

    fn whole(lines: &[&str]) -> Given {
        lines.iter().map(|line| (line.as_bytes().to_vec(), None)).collect()
    }

    #[test]
    fn lines_however_they_come() {
        for size in 1..20 {
            let cut = |text: &str| cut(text.as_bytes(), size, 100);
            assert_eq!(cut(""), []);
            assert_eq!(cut("\n"), whole(&[""]));
            assert_eq!(cut("one\ntwo\n"), whole(&["one", "two"]));
            assert_eq!(cut("one\r\n\r\ntwo"), whole(&["one", "", "two"]));
            assert_eq!(cut("10 %\r20 %\r"), whole(&["10 %\r20 %"]));
        }
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let text = "x".repeat(25) + "\nnext\n";
        for size in 1..40 {
            let given = cut(text.as_bytes(), size, 10);
            let numbers: Vec<_> = given.iter().map(|(_, piece)| *piece).collect();
            let joined: Vec<u8> = given.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let pieces = [Some((1, false)), Some((2, false)), Some((3, true)), None];
            assert_eq!(numbers, pieces, "reads of {size}");
            assert_eq!(joined, text.replace('\n', "").as_bytes());
            assert!(given.iter().all(|(bytes, _)| bytes.len() <= 10));
        }
    }

    #[test]
    fn a_piece_fits_also_in_json_and_cuts_no_character() {
        for text in ["ä".repeat(40), "\u{1b}\"\\\n€😀".repeat(9).replace('\n', "\t")] {
            for room in 8..50 {
                let given = cut(text.as_bytes(), 7, room);
                for (bytes, _) in &given {
                    let text = str::from_utf8(bytes).unwrap_or("cut");
                    assert!(text.chars().map(in_json).sum::<usize>() <= room, "{text:?} in {room}");
                }
                assert_eq!(given.concat_bytes(), text.as_bytes());
            }
        }
        assert_eq!(cut(&[0xff; 30], 30, 9).concat_bytes(), [0xff; 30]);
    }

    trait Bytes {
        fn concat_bytes(&self) -> Vec<u8>;
    }

    impl Bytes for Given {
        fn concat_bytes(&self) -> Vec<u8> {
            self.iter().flat_map(|(bytes, _)| bytes.clone()).collect()
        }
    }
}
