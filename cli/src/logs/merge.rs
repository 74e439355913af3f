//! The records of several files in the order of time.
//!
//! A file is in that order only roughly: threads, processes and recovered rings bring their records
//! late. So blocks, not files, are merged: one is read when the time has come that its earliest
//! record is of, and is let go with its last. What is held at once is what overlaps in time, not
//! what a file is long. A gzipped file can only be read from its beginning: there a block is
//! read as soon as it or one behind it has to be.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::filter::Filter;
use super::search::{Block, Searched};
use crate::blocks::plain;
use crate::record::Stamp;

/// Most bytes of blocks that are held. Where records are so far from their place that it takes
/// more, the earliest are given away as they come.
const MOST_HELD: usize = 128 << 20;

/// Gives away every line that passes, without its newline.
pub(super) struct Merge<'f> {
    files: Vec<Searched>,
    filter: &'f Filter,
    /// The readers of gzipped files, and how many plain bytes they have given.
    gzipped: Vec<Option<(Box<dyn Read + Send>, u64)>>,
    held: Vec<Option<Held>>,
    /// The next record of each held block.
    next: BinaryHeap<Reverse<Next>>,
    held_bytes: usize,
    most_held: usize,
    /// Whether more would have had to be held.
    pub(super) disordered: bool,
    /// What could not be read a second time.
    pub(super) problems: Vec<String>,
}

/// Of equal times the one that stands first.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Next {
    stamp: Stamp,
    file: usize,
    at: u64,
    place: usize,
}

/// A block that was read.
struct Held {
    bytes: Vec<u8>,
    /// The lines that pass, by time.
    lines: Vec<(Stamp, Range<usize>)>,
    given: usize,
}

impl<'f> Merge<'f> {
    pub(super) fn new(files: Vec<Searched>, filter: &'f Filter) -> Self {
        let gzipped = files.iter().map(|_| None).collect();
        let (held, next) = (Vec::new(), BinaryHeap::new());
        Self {
            files,
            filter,
            gzipped,
            held,
            next,
            held_bytes: 0,
            most_held: MOST_HELD,
            disordered: false,
            problems: Vec::new(),
        }
    }

    pub(super) fn run(&mut self, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        for (due, file, block) in self.schedule() {
            self.give(Some(due), 0, &mut each)?;
            if self.held_bytes + block.len > self.most_held {
                self.disordered = true;
                self.give(None, self.most_held.saturating_sub(block.len), &mut each)?;
            }
            if let Err(error) = self.hold(file, block) {
                let path = self.files[file].path.display();
                self.problems.push(format!("{path}: {error}; some of its records are missing"));
            }
        }
        self.give(None, 0, &mut each)
    }

    /// All blocks, in the order in which they are to be read, and the time before which everything
    /// else can be given away then.
    fn schedule(&self) -> Vec<(Stamp, usize, Block)> {
        let mut schedule = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let mut due = None;
            for block in file.blocks.iter().rev() {
                let latest = due.filter(|_| file.is_gzipped()).unwrap_or(block.earliest);
                let this = latest.min(block.earliest);
                due = Some(this);
                schedule.push((this, number, *block));
            }
        }
        schedule.sort_by_key(|(due, file, block)| (*due, *file, block.at));
        schedule
    }

    /// Gives away what is earlier, until no more than this is held.
    fn give(
        &mut self,
        before: Option<Stamp>,
        until_held: usize,
        each: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        while self.held_bytes > until_held
            && let Some(Reverse(first)) = self.next.peek().copied()
            && before.is_none_or(|before| first.stamp < before)
        {
            self.next.pop();
            let Some(held) = &mut self.held[first.place] else { continue };
            let (_, line) = &held.lines[held.given];
            each(&held.bytes[line.clone()])?;
            held.given += 1;
            if let Some((stamp, _)) = held.lines.get(held.given) {
                self.next.push(Reverse(Next { stamp: *stamp, ..first }));
            } else {
                self.held_bytes -= held.bytes.len();
                self.held[first.place] = None;
            }
        }
        Ok(())
    }

    /// Reads a block, and holds what passes of it.
    fn hold(&mut self, file: usize, block: Block) -> io::Result<()> {
        let mut bytes = vec![0; block.len];
        self.read(file, block, &mut bytes)?;
        let everything = Filter::default();
        let filter = if block.all { &everything } else { self.filter };
        let mut lines = Vec::new();
        filter.pick(&bytes, |stamp, line| lines.push((stamp, line)));
        lines.sort_by_key(|(stamp, _)| *stamp);
        let Some((stamp, _)) = lines.first() else { return Ok(()) };
        let free = self.held.iter().position(Option::is_none);
        let place = free.unwrap_or(self.held.len());
        self.next.push(Reverse(Next { stamp: *stamp, file, at: block.at, place }));
        self.held_bytes += bytes.len();
        if free.is_none() {
            self.held.push(None);
        }
        self.held[place] = Some(Held { bytes, lines, given: 0 });
        Ok(())
    }

    fn read(&mut self, file: usize, block: Block, bytes: &mut [u8]) -> io::Result<()> {
        let searched = &self.files[file];
        if !searched.is_gzipped() {
            return searched.file.read_exact_at(bytes, block.at);
        }
        let (reader, at) = match &mut self.gzipped[file] {
            Some(reader) => reader,
            none => none.insert((plain(&searched.path, searched.file.try_clone()?, 0), 0)),
        };
        io::copy(&mut reader.take(block.at.saturating_sub(*at)), &mut io::sink())?;
        reader.read_exact(bytes)?;
        *at = block.at + block.len as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{self, File};
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::search::search;
    use super::*;

    fn line(stamp: u32, filler: usize) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-22T{:02}:{:02}:{:02}.000000000Z\",\"level\":\"INFO\",\"x\":\"{}\"}}",
            stamp / 3600,
            stamp / 60 % 60,
            stamp % 60,
            "x".repeat(filler)
        )
    }

    /// So that three lines are a block.
    const FILLER: usize = 300_000;

    /// Merges files of such records; the times in the order in which they come.
    fn merged(files: &[Vec<u32>], gzipped: bool, most_held: usize) -> (Vec<u32>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let filter = Filter::default();
        let mut problems = Vec::new();
        let searched = files.iter().enumerate().map(|(number, stamps)| {
            let text: String = stamps.iter().map(|stamp| line(*stamp, FILLER) + "\n").collect();
            let ending = if gzipped { ".gz" } else { "" };
            let path = folder.path().join(format!("{number}.jsonl{ending}"));
            if gzipped {
                let mut out = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
                out.write_all(text.as_bytes()).unwrap();
                out.finish().unwrap();
            } else {
                fs::write(&path, text).unwrap();
            }
            search(&path, File::open(&path).unwrap(), 0, &filter, &mut problems).unwrap()
        });
        let searched = searched.collect();
        let mut merge = Merge { most_held, ..Merge::new(searched, &filter) };
        let mut given = Vec::new();
        merge
            .run(|line| {
                let text = String::from_utf8(line[25..33].to_vec()).unwrap();
                let part = |at: usize| text[at..at + 2].parse::<u32>().unwrap();
                given.push(part(0) * 3600 + part(3) * 60 + part(6));
                Ok(())
            })
            .unwrap();
        assert!(problems.is_empty() && merge.problems.is_empty());
        (given, merge.disordered)
    }

    #[test]
    fn by_time_wherever_they_stand() {
        let rising: Vec<u32> = (0..14).map(|n| n * 7).collect();
        let late: Vec<u32> = (0..14).map(|n| if n == 13 { 1 } else { n * 5 }).collect();
        let early: Vec<u32> = (0..14).map(|n| if n == 3 { 80_000 } else { n * 5 }).collect();
        let backwards: Vec<u32> = (0..14).rev().map(|n| n * 3).collect();
        let files = [rising, late, early, backwards, vec![]];
        let mut expected = files.concat();
        expected.sort_unstable();
        for gzipped in [false, true] {
            let (given, disordered) = merged(&files, gzipped, MOST_HELD);
            assert_eq!(given, expected, "gzipped: {gzipped}");
            assert!(!disordered);
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        // Each block has a record of the very end.
        let far: Vec<u32> = (0..24).map(|n| if n % 3 == 0 { 80_000 + n } else { n }).collect();
        let (mut given, disordered) = merged(std::slice::from_ref(&far), false, 4 << 20);
        assert!(disordered);
        given.sort_unstable();
        assert_eq!(given.len(), far.len());
    }
}
