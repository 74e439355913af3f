//! A file of lines, plain or gzipped, read in blocks of whole lines.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use memchr::memrchr;

/// What the name of a gzipped file ends in.
pub const GZIP_SUFFIX: &str = ".gz";

/// Bytes of a block, unless a line is longer.
const BLOCK: usize = 1 << 20;

/// No record is as long as this.
const LONGEST_LINE: usize = 64 << 20;

/// Whether a file's name says that it is gzipped.
#[must_use]
pub fn is_gzipped(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(GZIP_SUFFIX.as_bytes())
}

/// Why not all of a file could be read, how far it was, and what to do. `those` says what became of
/// what comes before.
#[must_use]
pub fn torn(path: &Path, error: &io::Error, after: u64, those: &str) -> String {
    let (what, then) = if is_gzipped(path) {
        ("the gzip data is cut or damaged", "; collect it again")
    } else {
        ("it cannot be read further", "")
    };
    match after {
        0 => format!("cannot be read: {error}{then}"),
        _ => format!("{what} behind {after} bytes of lines: {error}; those are {those}{then}"),
    }
}

/// The plain bytes of a file from this place on; of a gzipped one, from its beginning.
#[must_use]
pub fn plain(path: &Path, file: File, from: u64) -> Box<dyn Read + Send> {
    if is_gzipped(path) {
        let compressed = BufReader::with_capacity(64 << 10, Positioned { file, at: 0 });
        Box::new(MultiGzDecoder::new(compressed))
    } else {
        Box::new(Positioned { file, at: from })
    }
}

/// Reads at a position of its own: copies of a descriptor share the kernel's.
struct Positioned {
    file: File,
    at: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Reads blocks.
pub struct Blocks<R> {
    from: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read.
    filled: usize,
    /// Bytes of the buffer that were given away.
    given: usize,
    /// Where the buffer begins in the file.
    at: u64,
    ended: Option<io::Result<()>>,
}

impl<R: Read> Blocks<R> {
    /// Reads from what stands at this place of the file.
    pub fn new(from: R, at: u64) -> Self {
        Self { from, buffer: vec![0; BLOCK], filled: 0, given: 0, at, ended: None }
    }

    /// Finished lines, and where they begin; None at the end. Where reading fails, what was read
    /// before comes first.
    ///
    /// # Errors
    /// The file could not be read further.
    pub fn next_block(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.buffer.copy_within(self.given..self.filled, 0);
        self.filled -= self.given;
        self.at += self.given as u64;
        self.given = 0;
        loop {
            self.fill();
            if let Some(last) = memrchr(b'\n', &self.buffer[..self.filled]) {
                self.given = last + 1;
                return Ok(Some((self.at, &self.buffer[..self.given])));
            }
            if let Some(ended) = self.ended.take() {
                self.ended = Some(Ok(()));
                return ended.map(|()| None);
            }
            if self.buffer.len() >= LONGEST_LINE {
                self.ended = Some(Ok(()));
                let why = "a line of more than 64 MiB: this is no log of ours";
                return Err(io::Error::new(ErrorKind::InvalidData, why));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }

    /// Where the first line that was not given away begins.
    pub fn position(&self) -> u64 {
        self.at + self.given as u64
    }

    fn fill(&mut self) {
        while self.ended.is_none() && self.filled < self.buffer.len() {
            match self.from.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = Some(Ok(())),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.ended = Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Gives some bytes at a time, and fails at the end.
    struct Failing<'a>(&'a [u8]);

    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = self.0.len().min(buffer.len()).min(1000);
            if read == 0 {
                return Err(io::Error::other("torn"));
            }
            buffer[..read].copy_from_slice(&self.0[..read]);
            self.0 = &self.0[read..];
            Ok(read)
        }
    }

    #[test]
    fn blocks_are_whole_lines() {
        for lengths in
            [vec![0, 3], vec![BLOCK, 5], vec![10; 300_000], vec![3 * BLOCK, 1, BLOCK - 1]]
        {
            let lines: Vec<String> = lengths.iter().map(|len| "x".repeat(*len) + "\n").collect();
            let text = lines.concat() + "unfinished";
            let mut blocks = Blocks::new(text.as_bytes(), 7);
            let mut seen = Vec::new();
            while let Some((at, block)) = blocks.next_block().unwrap() {
                assert_eq!(at, 7 + seen.len() as u64);
                assert!(block.ends_with(b"\n"));
                seen.extend_from_slice(block);
            }
            assert_eq!(seen, lines.concat().as_bytes());
            assert_eq!(blocks.position(), 7 + seen.len() as u64);
        }
    }

    #[test]
    fn what_was_read_before_a_failure_comes_first() {
        let text = "line\n".repeat(1000) + "rest";
        let mut blocks = Blocks::new(Failing(text.as_bytes()), 0);
        assert_eq!(blocks.next_block().unwrap().unwrap().1.len(), 5000);
        assert_eq!(blocks.next_block().unwrap_err().to_string(), "torn");
        assert!(blocks.next_block().unwrap().is_none());
    }

    #[test]
    fn what_has_no_lines_is_given_up() {
        let mut blocks = Blocks::new(io::repeat(b'x'), 0);
        assert_eq!(blocks.next_block().unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
