//! Lines that Loki will never take: `{stem}.quarantined.jsonl` beside the log.
//!
//! An entry is on the disk before the offset passes its line. Who finds one whose line the offset
//! has not passed (a crash between the two) takes it as it is, so that no line is there twice.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::identity::LineHash;
use super::offset::{Place, Segment};
use crate::encode::timestamp;
use crate::failpoint::{self, Point};
use crate::file::{force_names, whole_lines};
use crate::names;

/// One entry, as it is written.
#[derive(Serialize)]
struct Written<'e> {
    timestamp: String,
    target: LineHash,
    segment: &'e str,
    first: LineHash,
    position: u64,
    bytes: u64,
    hash: LineHash,
    reason: &'e str,
    line: std::borrow::Cow<'e, str>,
}

/// What of an entry says which line it holds.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Held {
    target: LineHash,
    /// The identity of the segment.
    pub(crate) first: LineHash,
    pub(crate) position: u64,
    /// With the newline.
    pub(crate) bytes: u64,
    /// Of the line as it was read.
    pub(crate) hash: LineHash,
}

/// A line that is to be quarantined.
pub(crate) struct Condemned<'c> {
    segment: &'c Segment,
    place: Place,
    reason: &'c str,
    text: &'c [u8],
}

impl<'c> Condemned<'c> {
    /// `text` is without its newline; of a line longer than a push, the beginning.
    pub(crate) fn new(segment: &'c Segment, place: Place, reason: &'c str, text: &'c [u8]) -> Self {
        Self { segment, place, reason, text }
    }
}

/// The quarantine of one log, for one target.
pub(crate) struct Quarantine {
    path: PathBuf,
    target: LineHash,
    /// Entries that are not on the disk yet.
    waiting: Vec<u8>,
}

impl Quarantine {
    pub(crate) fn new(log: &Path, target: LineHash) -> Self {
        Self { path: names::quarantine(log), target, waiting: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that wait for [`Quarantine::flush`].
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Makes an entry, for the next flush.
    pub(crate) fn add(&mut self, condemned: &Condemned<'_>, now_ns: i64) {
        let Condemned { segment, place, reason, text } = *condemned;
        let entry = Written {
            timestamp: timestamp(now_ns),
            target: self.target,
            segment: &segment.file,
            first: segment.first,
            position: place.start,
            bytes: place.end - place.start,
            hash: LineHash::of(text),
            reason,
            line: String::from_utf8_lossy(text),
        };
        // A structure of texts and numbers, written to memory, cannot fail.
        let _ = serde_json::to_writer(&mut self.waiting, &entry);
        self.waiting.push(b'\n');
    }

    /// Appends the waiting entries and waits until they are on the disk. Where it fails they keep
    /// waiting.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        failpoint::after(Point::ShipQuarantineTorn, || {
            let _ = file.write_all(&self.waiting[..self.waiting.len() / 2]);
        });
        // A killed process, or a full disk, may have left half an entry.
        let whole = whole_lines(&file, 0)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        let written = file.write_all(&self.waiting).and_then(|()| file.sync_data());
        // Its first entry is as safe as its name.
        let written =
            written.and_then(|()| if whole == 0 { force_names(&self.path) } else { Ok(()) });
        if written.is_err() {
            let _ = file.set_len(whole);
            return written;
        }
        self.waiting.clear();
        self.waiting.shrink_to(64 * 1024);
        Ok(())
    }

    /// Calls `each` for every entry of this target. What is no entry is passed over.
    pub(crate) fn entries(&self, mut each: impl FnMut(Held)) -> io::Result<()> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        self.entries_of(BufReader::new(file), &mut each)
    }

    /// The same, also out of a collected copy.
    pub(crate) fn collected_entries(&self, mut each: impl FnMut(Held)) -> io::Result<()> {
        let mut copy = self.path.clone().into_os_string();
        copy.push(".gz");
        match File::open(&copy) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let plain = MultiGzDecoder::new(BufReader::new(opened?));
                self.entries_of(BufReader::new(plain), &mut each)?;
            }
        }
        self.entries(each)
    }

    fn entries_of(&self, mut reader: impl BufRead, each: &mut impl FnMut(Held)) -> io::Result<()> {
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            match serde_json::from_slice::<Held>(&line) {
                Ok(held) if held.target == self.target && line.ends_with(b"\n") => each(held),
                _ => {}
            }
            line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn held(quarantine: &Quarantine) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        quarantine.entries(|held| all.push((held.position, held.bytes))).unwrap();
        all
    }

    #[test]
    fn entries_are_whole_and_each_target_sees_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.jsonl");
        let target = LineHash::of(b"one");
        let mut quarantine = Quarantine::new(&log, target);
        let segment = Segment { file: "a.jsonl".into(), ..Segment::default() };
        let condemned = |start, text| {
            let place = Place { segment: 0, start, end: start + 5 };
            Condemned::new(&segment, place, "too \"old\"", text)
        };
        assert_eq!(held(&quarantine), []);
        quarantine.add(&condemned(0, b"\xff{}"), 5);
        assert!(!quarantine.path().exists() && quarantine.waiting() > 0);
        quarantine.flush().unwrap();
        assert_eq!((held(&quarantine), quarantine.waiting()), (vec![(0, 5)], 0));

        let mut text = std::fs::read(quarantine.path()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["line"], "\u{fffd}{}");
        assert_eq!(value["reason"], "too \"old\"");
        assert_eq!(value["timestamp"], "1970-01-01T00:00:00.000000005Z");
        let half = text.len() / 2;
        text.extend_from_within(..half);
        std::fs::write(quarantine.path(), &text).unwrap();
        assert_eq!(held(&quarantine), [(0, 5)]);
        quarantine.add(&condemned(7, b"{}"), 6);
        quarantine.flush().unwrap();
        assert_eq!(held(&quarantine), [(0, 5), (7, 5)]);
        assert_eq!(held(&Quarantine::new(&log, LineHash::of(b"two"))), []);
    }
}
