//! What one file of records holds.

use std::fs::File;
use std::io;
use std::path::Path;

use memchr::{memchr_iter, memrchr};
use serde::Deserialize;

use super::blocks::{Blocks, plain};

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

/// Counts a file up to its last newline.
pub(crate) fn read(path: &Path) -> io::Result<Content> {
    let mut blocks = Blocks::new(plain(path, File::open(path)?, 0), 0);
    let mut content = Content::default();
    let mut last = Vec::new();
    while let Some((_, block)) = blocks.next_block()? {
        content.lines += memchr_iter(b'\n', block).count() as u64;
        let lines = &block[..block.len() - 1];
        last.clear();
        last.extend_from_slice(&lines[memrchr(b'\n', lines).map_or(0, |at| at + 1)..]);
    }
    content.bytes = blocks.position();
    content.last = serde_json::from_slice(&last).ok().map(|record: Stamped| record.timestamp);
    Ok(content)
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
            let content = read(file.path()).unwrap();
            assert_eq!(content.lines, lines);
            assert_eq!(content.bytes, (text.len() - unfinished) as u64);
            assert_eq!(content.last.as_deref(), last);
        }
    }
}
