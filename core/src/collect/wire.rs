//! How a far end tells what it has: texts that end in a zero byte, a letter before each group.
//!
//! | letter | texts | meaning |
//! |---|---|---|
//! | `B` | | what was said before is void |
//! | `L` | | dead processes' rings were moved, and sizes are committed ones |
//! | `F` | path, bytes and stamp, 1 or 0 | a file whose name ends as that of a log; whether it begins so |
//! | `S` | path | a lock file, a rings note or an offset file |
//! | `W` | text | what could not be read or moved |
//! | `N` | | there is no folder of all runs |
//! | `O` | | there is no folder of the run |
//! | `R` | path | a run that is there instead |
//! | `Z` | | that was all |

use std::io::{self, BufRead, Read as _, Write};

use super::listing::{Missing, Raw, RawFile, shown};

/// Most bytes of one text.
const LONGEST: u64 = 1 << 20;

/// Most of what is believed of one listing.
const MOST: usize = 1_000_000;

/// The next text.
pub(super) fn text(from: &mut dyn BufRead) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(LONGEST).read_until(0, &mut text)?;
    match text.pop() {
        Some(0) => Ok(text),
        Some(_) if text.len() as u64 + 1 == LONGEST => Err(strange("a text without end")),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

pub(super) fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the far end said {what}"))
}

/// Reads a listing to its end.
pub(super) fn read(from: &mut dyn BufRead) -> io::Result<Raw> {
    let mut raw = Raw::default();
    for _ in 0..MOST {
        match text(from)?.as_slice() {
            b"B" => raw = Raw::default(),
            b"L" => raw.settled = true,
            b"F" => raw.files.push(file(from)?),
            b"S" => raw.beside.push(text(from)?),
            b"W" => raw.problems.push(shown(&text(from)?)),
            b"N" => raw.missing = Some(Missing::Output),
            b"O" => raw.missing = Some(Missing::Run(Vec::new())),
            b"R" => {
                let name = shown(&text(from)?).trim_end_matches('/').to_owned();
                if let Some(Missing::Run(others)) = &mut raw.missing {
                    others.push(name);
                }
            }
            b"Z" => return Ok(raw),
            other => return Err(strange(&format!("{:?}", String::from_utf8_lossy(other)))),
        }
    }
    Err(strange("more than can be believed"))
}

fn file(from: &mut dyn BufRead) -> io::Result<RawFile> {
    let path = text(from)?;
    let size = text(from)?;
    let begins = text(from)? == b"1";
    let size = String::from_utf8_lossy(&size);
    let (bytes, stamp) = size.trim().split_once(' ').unwrap_or((size.trim(), ""));
    let bytes = bytes.parse().map_err(|_| strange(&format!("{size:?} as a size")))?;
    Ok(RawFile { path, bytes, stamp: stamp.to_owned(), begins })
}

/// Writes a listing.
pub(super) fn write(raw: &Raw, to: &mut dyn Write) -> io::Result<()> {
    let mut group = |texts: &[&[u8]]| {
        texts.iter().try_for_each(|text| to.write_all(text).and_then(|()| to.write_all(b"\0")))
    };
    group(&[b"B"])?;
    if raw.settled {
        group(&[b"L"])?;
    }
    for file in &raw.files {
        let size = format!("{} {}", file.bytes, file.stamp);
        let begins: &[u8] = if file.begins { b"1" } else { b"0" };
        group(&[b"F", &file.path, size.as_bytes(), begins])?;
    }
    for path in &raw.beside {
        group(&[b"S", path])?;
    }
    for problem in &raw.problems {
        group(&[b"W", problem.replace('\0', " ").as_bytes()])?;
    }
    group(&[b"Z"])?;
    to.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let file = |path: &[u8], stamp: &str| RawFile {
            path: path.to_vec(),
            bytes: 12,
            stamp: stamp.to_owned(),
            begins: stamp.is_empty(),
        };
        let raw = Raw {
            files: vec![file(b"./a\n b\xff.jsonl", "17.000000001-5:6"), file(b"./-x.jsonl", "")],
            beside: vec![b"./.a.lock".to_vec()],
            settled: true,
            problems: vec!["what".to_owned()],
            missing: None,
        };
        let mut bytes = b"F\0void\0".to_vec();
        bytes.extend(b"1\x00001\0");
        write(&raw, &mut bytes).unwrap();
        assert_eq!(read(&mut bytes.as_slice()).unwrap(), raw);
        for cut in 0..bytes.len() {
            assert!(read(&mut &bytes[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn what_is_missing_and_what_is_there_instead() {
        let raw = read(&mut b"O\0R\0./run-1/\0Z\0".as_slice()).unwrap();
        assert_eq!(raw.missing, Some(Missing::Run(vec!["run-1".to_owned()])));
        assert_eq!(read(&mut b"N\0Z\0".as_slice()).unwrap().missing, Some(Missing::Output));
    }

    #[test]
    fn nonsense_is_no_listing() {
        for nonsense in [
            &b"\0"[..],
            b"Q\0Z\0",
            b"F\0a\0-1\x00001\0Z\0",
            b"F\0a\0999999999999999999999\x00001\0Z\0",
        ] {
            assert!(read(&mut &nonsense[..]).is_err(), "{nonsense:?}");
        }
        let endless = vec![b'x'; 3 << 20];
        assert!(read(&mut endless.as_slice()).unwrap_err().to_string().contains("without end"));
    }
}
