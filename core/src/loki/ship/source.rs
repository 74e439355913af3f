//! Lines out of a file, by their positions.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::file::id_of;
use crate::ring::FileId;

/// Bytes that are read at once.
const CHUNK: usize = 128 * 1024;

/// Most bytes of a line that is looked at: a longer one is more than a push may have.
pub(crate) const LONGEST_LINE: usize = 960 * 1024;

/// What stands at a position.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Piece<'s> {
    /// A line, without its newline, and the position behind that.
    Line { text: &'s [u8], end: u64 },
    /// The beginning of a line that is longer than [`LONGEST_LINE`].
    TooLong { head: &'s [u8], end: u64 },
}

/// Reads one file at a time, mostly forward.
#[derive(Default)]
pub(crate) struct Source {
    open: Option<(File, FileId)>,
    buffer: Vec<u8>,
    /// The position of the buffer's first byte.
    start: u64,
}

impl Source {
    /// Forgets what was read: the file may have changed.
    pub(crate) fn forget(&mut self) {
        self.open = None;
        self.buffer.clear();
    }

    /// The file of this identity, which has to be at this path.
    ///
    /// # Errors
    /// `NotFound` where another one, or none, is there.
    pub(crate) fn open(&mut self, path: &Path, id: FileId) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(_, open)| *open != id) {
            self.forget();
            let file = File::open(path)?;
            if id_of(&file)? != id {
                return Err(io::Error::new(io::ErrorKind::NotFound, "another file has its place"));
            }
            self.open = Some((file, id));
        }
        let open = self.open.as_ref().map(|(file, _)| file);
        open.ok_or_else(|| io::Error::other("the file was closed"))
    }

    /// The line at `at`, in the file's first `limit` bytes, which end with a newline.
    pub(crate) fn line(&mut self, at: u64, limit: u64) -> io::Result<Piece<'_>> {
        let mut wanted = CHUNK;
        loop {
            let from = usize::try_from(at.wrapping_sub(self.start)).unwrap_or(usize::MAX);
            let held = self.buffer.get(from..).unwrap_or(&[]);
            if let Some(len) = memchr::memchr(b'\n', held) {
                let range = from..from + len;
                let end = at + len as u64 + 1;
                return Ok(match len {
                    0..=LONGEST_LINE => Piece::Line { text: &self.buffer[range], end },
                    _ => Piece::TooLong { head: &self.buffer[range.start..][..LONGEST_LINE], end },
                });
            }
            let (held, left) = (held.len(), limit.saturating_sub(at));
            if held as u64 >= left {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut"));
            }
            if held > LONGEST_LINE {
                let end = self.newline_from(at + held as u64, limit)?;
                self.read(at, LONGEST_LINE as u64)?;
                return Ok(Piece::TooLong { head: &self.buffer, end });
            }
            if held > 0 {
                // Most lines end in the next chunk.
                wanted = (held * 2).max(CHUNK);
            }
            self.read(at, left.min(wanted as u64))?;
        }
    }

    fn read(&mut self, at: u64, len: u64) -> io::Result<()> {
        let Some((file, _)) = &self.open else {
            return Err(io::Error::other("the file was closed"));
        };
        self.start = at;
        self.buffer.resize(usize::try_from(len).unwrap_or(0), 0);
        let read = file.read_exact_at(&mut self.buffer, at);
        if read.is_err() {
            self.buffer.clear();
        }
        // A long line was an exception: its memory goes again.
        self.buffer.shrink_to(CHUNK);
        read
    }

    /// The position behind the next newline.
    fn newline_from(&mut self, mut at: u64, limit: u64) -> io::Result<u64> {
        while at < limit {
            self.read(at, (limit - at).min(CHUNK as u64))?;
            if let Some(newline) = memchr::memchr(b'\n', &self.buffer) {
                return Ok(at + newline as u64 + 1);
            }
            at += self.buffer.len() as u64;
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut"))
    }
}

/// Counts the newlines in `from..to`.
pub(crate) fn count_lines(file: &File, from: u64, to: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let (mut at, mut lines) = (from, 0);
    while at < to {
        let len = usize::try_from(to - at).map_or(CHUNK, |left| left.min(CHUNK));
        file.read_exact_at(&mut chunk[..len], at)?;
        lines += memchr::memchr_iter(b'\n', &chunk[..len]).count() as u64;
        at += len as u64;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_of_every_length_are_found_at_their_places() {
        let lengths = [0, 1, 5, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, LONGEST_LINE];
        let too_long = [LONGEST_LINE + 1, LONGEST_LINE + CHUNK + 7, 3 * LONGEST_LINE];
        let path = tempfile::NamedTempFile::new().unwrap();
        let mut content = Vec::new();
        for len in lengths.into_iter().chain(too_long).chain([3]) {
            content.extend(std::iter::repeat_n(b'x', len));
            content.push(b'\n');
        }
        std::fs::write(path.path(), &content).unwrap();
        let mut source = Source::default();
        let id = id_of(&File::open(path.path()).unwrap()).unwrap();
        source.open(path.path(), id).unwrap();
        let (mut at, limit) = (0, content.len() as u64);
        for len in lengths.into_iter().chain(too_long).chain([3]) {
            let expected = at + len as u64 + 1;
            match source.line(at, limit).unwrap() {
                Piece::Line { text, end } => assert_eq!((text.len(), end), (len, expected)),
                Piece::TooLong { head, end } => {
                    assert_eq!((head.len(), end), (LONGEST_LINE, expected));
                    assert!(too_long.contains(&len), "{len}");
                }
            }
            at = expected;
        }
        assert_eq!(at, limit);
        assert!(source.line(at, limit).is_err());
        assert!(source.line(0, limit).is_ok());
        let file = source.open(path.path(), id).unwrap();
        assert_eq!(count_lines(file, 0, limit).unwrap(), 12);
        assert!(source.open(path.path(), (0, 0)).is_err());
    }
}
