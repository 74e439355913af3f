//! What one file of records holds.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;

/// A file, counted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Content {
    /// Finished lines.
    pub(crate) lines: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// The time of the last line's record; None when there is none, or it is no record.
    pub(crate) last: Option<String>,
}

#[derive(Deserialize)]
struct Stamped {
    timestamp: String,
}

const CHUNK: usize = 1 << 20;

/// Counts a file up to its last newline.
pub(crate) fn read(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let mut content = Content::default();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    // Where the last line begins: behind the newline before the last one.
    let (mut last_start, mut end) = (0, 0);
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let mut newlines = memchr::memrchr_iter(b'\n', &chunk[..read]).map(|i| at + i as u64 + 1);
        if let Some(last) = newlines.next() {
            let before = newlines.next();
            content.lines += 1 + u64::from(before.is_some()) + newlines.count() as u64;
            last_start = before.unwrap_or(end);
            end = last;
        }
        at += read as u64;
    }
    content.bytes = end;
    content.last = last_time(&mut file, last_start, end);
    Ok(content)
}

fn last_time(file: &mut File, start: u64, end: u64) -> Option<String> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(start)).ok()?;
    file.take(end - start).read_to_end(&mut line).ok()?;
    serde_json::from_slice(&line).ok().map(|record: Stamped| record.timestamp)
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
        let long = CHUNK + 10;
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
