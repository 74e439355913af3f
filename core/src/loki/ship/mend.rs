//! The part of the engine that makes offset, log and quarantine agree again.

use super::engine::Engine;
use super::identity::LineHash;
use super::offset::Place;
use super::quarantine::Held;
use super::ranges::Ranges;
use super::segments::Known;
use super::source::Piece;
use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::loki::wire::sink::Sink;
use crate::notice::say;
use crate::ring::FileId;

/// Lines of a file that Loki lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lost {
    pub(crate) file: FileId,
    pub(crate) bytes: Ranges,
}

/// What the lines before some point come to.
#[derive(Default)]
struct Counted {
    lines: u64,
    below_level: u64,
    /// By group of parked lines.
    parked: Vec<u64>,
}

impl<S: Sink> Engine<S> {
    /// A file is not what was read behind `to`: what follows is looked up, and sent where it is
    /// missing. What lies before is counted anew.
    pub(super) fn rewind(&mut self, known: &Known, to: u64) -> Result<()> {
        say(&format!(
            "{}: behind byte {to} it is not what was shipped to Loki (cut or replaced?); what Loki \
             does not have is shipped again",
            known.part.path.display()
        ));
        self.source.forget();
        let groups = &mut self.offset.segments[known.segment].parked;
        for group in groups {
            group.ranges.remove(to, u64::MAX);
        }
        let counted = self.count_again(known, to)?;
        let first = self.offset.segments[known.segment].first;
        let mut quarantined = 0;
        self.entries(|held| quarantined += u64::from(held.first == first && held.position < to))?;

        let segment = &mut self.offset.segments[known.segment];
        for (group, lines) in segment.parked.iter_mut().zip(&counted.parked) {
            group.lines = *lines;
        }
        segment.parked.retain(|group| group.lines > 0);
        let parked: u64 = counted.parked.iter().sum();
        segment.lines = counted.lines;
        segment.below_level = counted.below_level;
        segment.quarantined = quarantined.min(counted.lines);
        segment.acknowledged =
            counted.lines.saturating_sub(segment.below_level + segment.quarantined + parked);
        (segment.mark, segment.counted_to) = (to, to);
        segment.done = Ranges::default();
        segment.proofs.retain(|proof| proof.at <= to);
        segment.reach = None;
        segment.in_flight = Some(known.part.committed);
        self.dirty = true;
        self.adopted = false;
        failpoint::at(Point::ShipRewound);
        Ok(())
    }

    /// Lines that are to be sent again, though they were acknowledged.
    pub(crate) fn reopen(&mut self, lost: Vec<Lost>) {
        // Without an offset nobody knows which lines were sent.
        self.all_unsure |= self.offset.segments.is_empty();
        self.lost = lost;
    }

    /// The same, when it is known where they are.
    pub(super) fn reopen_lost(&mut self) -> Result<()> {
        let now_ns = self.clock.now().ns;
        for Lost { file, bytes } in std::mem::take(&mut self.lost) {
            let Some(known) = self.known.iter().find(|known| known.part.id == file).cloned() else {
                continue;
            };
            let failed = |error| Error::io(&known.part.path, "reading the log", error);
            self.source.open(&known.part.path, known.part.id).map_err(failed)?;
            for (mut at, end) in bytes.iter() {
                while at < end {
                    let piece = self.source.line(at, known.part.committed).map_err(failed)?;
                    let (Piece::Line { end: next, .. } | Piece::TooLong { end: next, .. }) = piece;
                    let place = Place { segment: known.segment, start: at, end: next };
                    self.offset.reopen(place, now_ns);
                    at = next;
                }
            }
            self.dirty = true;
        }
        Ok(())
    }

    fn count_again(&mut self, known: &Known, to: u64) -> Result<Counted> {
        let failed = |error| Error::io(&known.part.path, "counting lines", error);
        let segment = &self.offset.segments[known.segment];
        let mut counted = Counted { parked: vec![0; segment.parked.len()], ..Counted::default() };
        self.source.open(&known.part.path, known.part.id).map_err(failed)?;
        let mut at = 0;
        while at < to {
            let piece = self.source.line(at, to).map_err(failed)?;
            counted.lines += 1;
            let group = segment.parked.iter().position(|g| g.ranges.end_at(at).is_some());
            if let Some(lines) = group.and_then(|group| counted.parked.get_mut(group)) {
                *lines += 1;
            }
            at = match piece {
                Piece::TooLong { end, .. } => end,
                Piece::Line { text, end } => {
                    let level = self.reader.read(text).map(|line| line.level);
                    counted.below_level +=
                        u64::from(level.is_ok_and(|level| level < self.rules.min_level));
                    end
                }
            };
        }
        Ok(counted)
    }

    fn entries(&self, each: impl FnMut(Held)) -> Result<()> {
        self.quarantine
            .entries(each)
            .map_err(|error| Error::io(self.quarantine.path(), "reading the quarantine", error))
    }

    /// Takes over entries of the quarantine that the offset does not know: somebody was killed
    /// between the two.
    pub(super) fn adopt_quarantine(&mut self) -> Result<()> {
        let mut found = Vec::new();
        self.entries(|held| {
            let known = self
                .known
                .iter()
                .find(|known| self.offset.segments[known.segment].first == held.first);
            found.extend(known.map(|known| (known.clone(), held)));
        })?;
        if !found.is_empty() {
            self.count_ahead()?;
        }
        for (known, held) in found {
            let segment = &self.offset.segments[known.segment];
            if !segment.is_open(held.position) || !self.is_there(&known, held)? {
                continue;
            }
            let end = held.position + held.bytes;
            let place = Place { segment: known.segment, start: held.position, end };
            self.offset.quarantine(place);
            self.dirty = true;
        }
        Ok(())
    }

    /// Whether the file still has an entry's line at its position.
    fn is_there(&mut self, known: &Known, held: Held) -> Result<bool> {
        let failed = |error| Error::io(&known.part.path, "reading the log", error);
        let end = held.position.saturating_add(held.bytes);
        if end > known.part.committed {
            return Ok(false);
        }
        self.source.open(&known.part.path, known.part.id).map_err(failed)?;
        Ok(match self.source.line(held.position, known.part.committed).map_err(failed)? {
            Piece::Line { text, end: there } | Piece::TooLong { head: text, end: there } => {
                there == end && LineHash::of(text) == held.hash
            }
        })
    }
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
