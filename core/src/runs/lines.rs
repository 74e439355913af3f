//! What one file of records holds.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memchr::{memchr_iter, memrchr};
use serde::Deserialize;

use super::blocks::{Blocks, is_gzipped, plain};

/// A file, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Content {
    /// Finished lines.
    pub(crate) lines: u64,
    /// Bytes of them, not gzipped.
    pub(crate) bytes: u64,
    /// The time of the last line's record; None when there is none, or it is no record.
    pub(crate) last: Option<String>,
}

#[derive(Deserialize)]
struct Stamped {
    timestamp: String,
}

/// Files that were counted: of one that has grown since, only what is new is read.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    known: HashMap<PathBuf, Counted>,
}

/// A file as it was when it was counted.
#[derive(Debug, Default)]
struct Counted {
    content: Content,
    /// The last finished line.
    last: Vec<u8>,
    len: u64,
    modified: Option<SystemTime>,
}

impl Counts {
    /// Counts a file up to its last newline; where reading fails, what comes before.
    pub(crate) fn count(&mut self, path: &Path) -> (Content, io::Result<()>) {
        let mut counted = self.known.remove(path).unwrap_or_default();
        let read = counted.go_on(path);
        let content = counted.content.clone();
        if read.is_ok() {
            self.known.insert(path.to_path_buf(), counted);
        }
        (content, read)
    }
}

impl Counted {
    fn go_on(&mut self, path: &Path) -> io::Result<()> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.inspect_err(|_| *self = Self::default())?;
        let (len, modified) = (metadata.len(), metadata.modified().ok());
        if self.modified.is_some() && (self.len, self.modified) == (len, modified) {
            return Ok(());
        }
        if is_gzipped(path) || !self.is_beginning_of(&file) {
            *self = Self::default();
        }
        (self.len, self.modified) = (len, modified);
        let from = self.content.bytes;
        let mut blocks = Blocks::new(plain(path, file, from), from);
        let ended = loop {
            match blocks.next_block() {
                Ok(Some((_, block))) => self.add(block),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let last = serde_json::from_slice(&self.last).ok();
        self.content.last = last.map(|record: Stamped| record.timestamp);
        ended
    }

    fn add(&mut self, block: &[u8]) {
        self.content.lines += memchr_iter(b'\n', block).count() as u64;
        self.content.bytes += block.len() as u64;
        let lines = &block[..block.len() - 1];
        self.last.clear();
        self.last.extend_from_slice(&lines[memrchr(b'\n', lines).map_or(0, |at| at + 1)..]);
    }

    /// Whether the last line still stands where it was: files are cut back after a crash, rotated,
    /// and begun anew.
    fn is_beginning_of(&self, file: &File) -> bool {
        let mut there = vec![0; self.last.len() + 1];
        let Some(at) = self.content.bytes.checked_sub(there.len() as u64) else { return false };
        let read = file.read_exact_at(&mut there, at);
        read.is_ok() && there.strip_suffix(b"\n") == Some(&self.last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_bytes_and_the_last_time() {
        let line = |second: u8, filler: usize| {
            format!("{{\"timestamp\":\"{second}\",\"message\":\"{}\"}}\n", "x".repeat(filler))
        };
        let long = (1 << 20) + 10;
        for (text, lines, unfinished, last) in [
            (String::new(), 0, 0, None),
            ("no newline".to_owned(), 0, 10, None),
            (line(1, 0), 1, 0, Some("1")),
            (line(1, 0) + &line(2, 5), 2, 0, Some("2")),
            (line(1, 0) + &line(2, long), 2, 0, Some("2")),
            (line(1, long) + &line(2, long) + &line(3, 0) + "{\"times", 3, 7, Some("3")),
            (line(1, 0) + "not a record\n", 2, 0, None),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &text).unwrap();
            let (content, read) = Counts::default().count(file.path());
            read.unwrap();
            assert_eq!(content.lines, lines);
            assert_eq!(content.bytes, (text.len() - unfinished) as u64);
            assert_eq!(content.last.as_deref(), last);
        }
    }
}
