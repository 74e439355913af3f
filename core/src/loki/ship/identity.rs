//! What tells one content of a file from another, wherever the file lies: hashes of two lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

/// Most bytes of a line that are hashed: of the first line its beginning, of the last its end.
const MOST: usize = 64 * 1024;

/// 64-bit FNV-1a, in files as 16 hex digits. It tells lines of a log apart, which bear their time;
/// it does not withstand somebody who wants two lines to look alike.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LineHash(u64);

impl LineHash {
    /// The hash of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// The hash by which a file is known whose first line this is.
    pub(crate) fn of_first(line: &[u8]) -> Self {
        Self::of(&line[..line.len().min(MOST)])
    }

    /// A number that is a hash already.
    pub(crate) fn from_id(id: u64) -> Self {
        Self(id)
    }

    /// The hash of texts, each with its length, so that no two lists are alike.
    pub(crate) fn of_texts(texts: &[&str]) -> u64 {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Self::of(&bytes).0
    }
}

impl From<LineHash> for String {
    fn from(hash: LineHash) -> Self {
        format!("{:016x}", hash.0)
    }
}

impl TryFrom<String> for LineHash {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

/// The hash of the file's first line; `None` where it has no whole one in its first `end` bytes.
pub(crate) fn first_line(file: &File, end: u64) -> io::Result<Option<LineHash>> {
    let len = usize::try_from(end).map_or(MOST, |end| end.min(MOST));
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(match memchr::memchr(b'\n', &bytes) {
        Some(newline) => Some(LineHash::of_first(&bytes[..newline])),
        None if len == MOST => Some(LineHash::of_first(&bytes)),
        None => None,
    })
}

/// The hash of the line that ends right before `mark`; `None` where no line ends there.
pub(crate) fn line_before(file: &File, mark: u64) -> io::Result<Option<LineHash>> {
    let len = usize::try_from(mark).map_or(MOST, |mark| mark.min(MOST));
    let mut bytes = vec![0; len];
    match file.read_exact_at(&mut bytes, mark - len as u64) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let Some((b'\n', line)) = bytes.split_last() else {
        return Ok(None);
    };
    let start = memchr::memrchr(b'\n', line).map_or(0, |newline| newline + 1);
    Ok(Some(LineHash::of(&line[start..])))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn first_and_last_lines_of_any_length() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let long = vec![b'x'; 3 * MOST];
        std::fs::write(path.path(), [b"one\ntwo\n", &long[..], b"\nfour\n"].concat()).unwrap();
        let file = File::open(path.path()).unwrap();
        let hash = |bytes: &[u8]| Some(LineHash::of(bytes));
        assert_eq!(first_line(&file, 3).unwrap(), None);
        assert_eq!(first_line(&file, 4).unwrap(), hash(b"one"));
        assert_eq!(line_before(&file, 4).unwrap(), hash(b"one"));
        assert_eq!(line_before(&file, 8).unwrap(), hash(b"two"));
        assert_eq!(line_before(&file, 7).unwrap(), None);
        let end = 8 + long.len() as u64 + 1;
        assert_eq!(line_before(&file, end).unwrap(), hash(&long[..MOST - 1]));
        assert_eq!(line_before(&file, end + 5).unwrap(), hash(b"four"));
        assert_eq!(line_before(&file, end + 6).unwrap(), None);
        std::fs::write(path.path(), &long).unwrap();
        assert_eq!(first_line(&file, long.len() as u64).unwrap(), hash(&long[..MOST]));
    }

    #[test]
    fn a_hash_in_a_file_is_read_back() {
        // The published value of the empty input.
        assert_eq!(String::from(LineHash::of(b"")), "cbf29ce484222325");
        let hash = LineHash::of(b"a line");
        assert_eq!(LineHash::try_from(String::from(hash)), Ok(hash));
        assert!(LineHash::try_from("no".to_owned()).is_err());
        assert_ne!(LineHash::of_texts(&["a", "bc"]), LineHash::of_texts(&["ab", "c"]));
    }
}
