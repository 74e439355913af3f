//! The end of a file of lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Length of the file up to its last newline; nothing before `from` is looked at, and `from`
/// is the answer where there is no newline behind it.
pub(crate) fn whole_lines(file: &File, from: u64) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut chunk = vec![0; 64 * 1024];
    while end > from {
        let len = usize::try_from(end - from).map_or(chunk.len(), |len| len.min(chunk.len()));
        let at = end - len as u64;
        file.read_exact_at(&mut chunk[..len], at)?;
        if let Some(newline) = memchr::memrchr(b'\n', &chunk[..len]) {
            return Ok(at + newline as u64 + 1);
        }
        end = at;
    }
    Ok(from)
}

/// The last line of the file's first `end` bytes, which end with a newline; `None` where there is
/// none, or one of more than 16 MiB.
pub(crate) fn last_line(file: &File, end: u64) -> io::Result<Option<Vec<u8>>> {
    const LONGEST: u64 = 16 * 1024 * 1024;
    let mut from = end;
    while from > 0 && end - from <= LONGEST {
        from = end.saturating_sub(((end - from) * 8).max(4096));
        let mut bytes = vec![0; usize::try_from(end - from).unwrap_or(0)];
        file.read_exact_at(&mut bytes, from)?;
        bytes.pop();
        match memchr::memrchr(b'\n', &bytes) {
            Some(newline) => return Ok(Some(bytes.split_off(newline + 1))),
            None if from == 0 => return Ok(Some(bytes)),
            None => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_newline_counts() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let check = |content: &[u8], from, expected| {
            std::fs::write(path.path(), content).unwrap();
            let file = File::open(path.path()).unwrap();
            assert_eq!(whole_lines(&file, from).unwrap(), expected);
        };
        check(b"", 0, 0);
        check(b"abc", 0, 0);
        check(b"abc\nde", 0, 4);
        check(b"abc\nde\n", 0, 7);
        check(b"abc\ndef", 5, 5);
        let mut large = vec![b'x'; 200_000];
        large[10] = b'\n';
        check(&large, 0, 11);
    }

    #[test]
    fn the_last_line_is_found_however_long() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let check = |content: &[u8], expected: Option<&[u8]>| {
            std::fs::write(path.path(), content).unwrap();
            let file = File::open(path.path()).unwrap();
            assert_eq!(last_line(&file, content.len() as u64).unwrap().as_deref(), expected);
        };
        check(b"", None);
        check(b"one\n", Some(b"one"));
        check(b"one\ntwo\n", Some(b"two"));
        let long = vec![b'x'; 300_000];
        check(&[b"first\n", long.as_slice(), b"\n"].concat(), Some(&long));
    }
}
