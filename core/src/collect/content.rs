//! What a file holds: whole lines, counted and summed while they go by.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use ::ring::digest::{Context, SHA256};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::gzip::Gzip;

/// How the names of gzipped files end.
pub(super) const GZ: &str = ".gz";

const CHUNK: usize = 1 << 20;

/// Longer than any line of ours: what has no newline for so long is no log.
const LONGEST_LINE: usize = 64 << 20;

/// What a file holds.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Bytes, plain.
    pub size: u64,
    /// Lines.
    pub lines: u64,
    /// SHA-256 of the plain bytes, 64 hex digits.
    pub sha256: String,
    /// The time of the first line's record; `None` where that is no record.
    pub first_timestamp: Option<String>,
    /// The same of the last line.
    pub last_timestamp: Option<String>,
}

/// Which side failed.
#[derive(Debug)]
pub(super) enum CopyError {
    Reading(io::Error),
    Writing(io::Error),
}

#[derive(Deserialize)]
struct Stamped {
    timestamp: String,
}

fn time_of(line: &[u8]) -> Option<String> {
    serde_json::from_slice(line).ok().map(|record: Stamped| record.timestamp)
}

/// Sums up whole lines.
struct Sum {
    hash: Context,
    content: Content,
    last: Vec<u8>,
}

impl Sum {
    fn new() -> Self {
        Self { hash: Context::new(&SHA256), content: Content::default(), last: Vec::new() }
    }

    /// Takes bytes that end with a newline.
    fn take(&mut self, lines: &[u8]) {
        if self.content.lines == 0 {
            let first = memchr::memchr(b'\n', lines).unwrap_or(lines.len());
            self.content.first_timestamp = time_of(&lines[..first]);
        }
        self.hash.update(lines);
        self.content.size += lines.len() as u64;
        self.content.lines += memchr::memchr_iter(b'\n', lines).count() as u64;
        let whole = &lines[..lines.len().saturating_sub(1)];
        self.last.clear();
        self.last.extend_from_slice(&whole[memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1)..]);
    }

    fn content(mut self) -> Content {
        let hash = self.hash.finish();
        for byte in hash.as_ref() {
            let _ = write!(self.content.sha256, "{byte:02x}");
        }
        self.content.last_timestamp = time_of(&self.last);
        self.content
    }
}

/// Sends the whole lines of a reader to `to`; what stands behind the last newline is left.
fn whole_lines(from: &mut dyn Read, to: &mut dyn Write) -> Result<Content, CopyError> {
    let mut sum = Sum::new();
    let mut buffer = vec![0; CHUNK];
    let mut held = 0;
    loop {
        let read = match from.read(&mut buffer[held..]) {
            Ok(0) => return Ok(sum.content()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Reading(error)),
        };
        let newline = memchr::memrchr(b'\n', &buffer[held..held + read]).map(|at| held + at + 1);
        held += read;
        if let Some(end) = newline {
            sum.take(&buffer[..end]);
            to.write_all(&buffer[..end]).map_err(CopyError::Writing)?;
            buffer.copy_within(end..held, 0);
            held -= end;
        }
        if held == buffer.len() {
            if held >= LONGEST_LINE {
                let what = "no newline in 64 MiB: this is no log";
                return Err(CopyError::Reading(io::Error::new(io::ErrorKind::InvalidData, what)));
            }
            buffer.resize(held * 2, 0);
        }
    }
}

/// Copies the whole lines of a reader into a new file, gzipped with a level or plain, and onto the
/// disk.
pub(super) fn copy(
    from: &mut dyn Read,
    to: &File,
    level: Option<u32>,
) -> Result<Content, CopyError> {
    let content = match level {
        Some(level) => {
            let mut gzip = Gzip::new(to, level);
            let content = whole_lines(from, &mut gzip)?;
            gzip.finish().map_err(CopyError::Writing)?;
            content
        }
        None => whole_lines(from, &mut { to })?,
    };
    to.sync_all().map_err(CopyError::Writing)?;
    Ok(content)
}

/// The plain bytes of a file, gzipped or not.
fn open(path: &Path, gzipped: bool) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    if gzipped {
        return Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, file))));
    }
    Ok(Box::new(file))
}

/// What a collected file holds. A line that is cut is an error.
pub(super) fn read_back(path: &Path, gzipped: bool) -> io::Result<Content> {
    let mut plain = Counted { from: open(path, gzipped)?, bytes: 0 };
    match whole_lines(&mut plain, &mut io::sink()) {
        Ok(content) if content.size == plain.bytes => Ok(content),
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "its last line is cut")),
        Err(CopyError::Reading(error) | CopyError::Writing(error)) => Err(error),
    }
}

/// What the first `bytes` of a plain file hold, which end with a newline.
pub(super) fn read_plain(file: &File, bytes: u64) -> io::Result<Content> {
    match whole_lines(&mut file.take(bytes), &mut io::sink()) {
        Ok(content) => Ok(content),
        Err(CopyError::Reading(error) | CopyError::Writing(error)) => Err(error),
    }
}

/// Counts what is read through it.
struct Counted<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// How two collected files begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Beginning {
    Same,
    /// The first is the whole beginning of the second, which is longer.
    FirstIsShorter,
    Other,
}

/// Compares two files, each with whether it is gzipped, by what they hold.
pub(super) fn compare(first: (&Path, bool), second: (&Path, bool)) -> io::Result<Beginning> {
    let (mut first, mut second) = (open(first.0, first.1)?, open(second.0, second.1)?);
    let (mut one, mut two) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (a, b) = (fill(&mut first, &mut one)?, fill(&mut second, &mut two)?);
        if a > b || one[..a] != two[..a] {
            return Ok(Beginning::Other);
        }
        if a < CHUNK {
            return Ok(if a == b { Beginning::Same } else { Beginning::FirstIsShorter });
        }
    }
}

/// Fills a buffer as far as there is something.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut held = 0;
    while held < buffer.len() {
        match from.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => held += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(held)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
