//! How far a log has come in one Loki: what is acknowledged, parked, quarantined or on its way.
//!
//! Everything here is plain data and its rules; `offset_file` reads and writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::identity::LineHash;
use super::ranges::Ranges;
use crate::stats::Delivery;

/// Most proven points that are kept of a segment.
const MOST_PROOFS: usize = 8;

/// Most groups of parked lines of a segment; beyond it they share one.
const MOST_GROUPS: usize = 16;

/// To whom a log is shipped. Each target has an offset of its own.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// The URL of the push; without user and password.
    pub(crate) endpoint: String,
    pub(crate) tenant: Option<String>,
    /// The name of the lowest level that is shipped.
    pub(crate) min_level: String,
}

impl Target {
    /// What its offset file's name has of it.
    pub(crate) fn id(&self) -> u64 {
        let tenant = self.tenant.as_deref();
        let has_tenant = if tenant.is_some() { "1" } else { "0" };
        LineHash::of_texts(&[&self.endpoint, has_tenant, tenant.unwrap_or(""), &self.min_level])
    }
}

/// All segments of a log, and what they have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offset {
    #[serde(flatten)]
    pub(crate) target: Target,
    /// The static labels of the streams.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) segments: Vec<Segment>,
    /// Lines that were sent again without knowing whether Loki had them, because it could not be
    /// asked: metric queries may count them twice.
    pub(crate) replayed: u64,
    /// Lines that were pending in segments that somebody deleted.
    pub(crate) missing: u64,
}

/// One file of a log.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Its name when it was last seen; for people.
    pub(crate) file: String,
    /// Hints: a copy on another disk is the same segment.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// The identity: its first line.
    pub(crate) first: LineHash,
    /// Each line that ends at or before it is acknowledged, below the level, quarantined or parked.
    pub(crate) mark: u64,
    /// Points up to which the file was what we have read, in order; the last one is at the mark of
    /// the last save.
    pub(crate) proofs: Vec<Proof>,
    /// The furthest that was looked at by the last save: nothing here speaks of what lies behind it.
    pub(crate) reach: Option<Proof>,
    /// Lines behind the mark that are dealt with, where something before them is still on its way.
    pub(crate) done: Ranges,
    pub(crate) parked: Vec<Parked>,
    /// What may have been sent without an answer, from the mark on: up to this position.
    pub(crate) in_flight: Option<u64>,
    pub(crate) acknowledged: u64,
    pub(crate) below_level: u64,
    pub(crate) quarantined: u64,
    /// Number of the lines that end at or before `counted_to`.
    pub(crate) lines: u64,
    pub(crate) counted_to: u64,
}

/// The file had a line of this hash right before this position.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) at: u64,
    pub(crate) last: LineHash,
}

/// Lines that Loki refuses for now, refused for one reason.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parked {
    pub(crate) why: Why,
    /// What Loki said.
    pub(crate) reason: String,
    /// Nanoseconds since 1970: when the first of them was refused, and when they are tried again.
    pub(crate) since_ns: i64,
    pub(crate) next_ns: i64,
    pub(crate) tries: u32,
    /// They may have been sent without an answer.
    pub(crate) in_flight: bool,
    pub(crate) lines: u64,
    pub(crate) ranges: Ranges,
}

/// Why lines are parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    TooFarAhead,
    TooFarBehind,
    /// It was acknowledged, and Loki lacks it all the same.
    Lost,
}

/// A line's place: its segment (an index into [`Offset::segments`]), its first byte, and the one
/// behind its newline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) segment: usize,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// What is known of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LineState {
    /// Acknowledged or below the level; where the quarantine was not asked, quarantined, too.
    Passed,
    /// Still to be sent.
    Pending,
    Parked,
    Quarantined,
}

impl Offset {
    pub(crate) fn new(target: Target, labels: BTreeMap<String, String>) -> Self {
        Self { target, labels, ..Self::default() }
    }

    /// The accounting: in every state `lines = acknowledged + below_level + pending + quarantined`.
    pub(crate) fn delivery(&self) -> Delivery {
        let mut sum =
            Delivery { replayed: self.replayed, missing: self.missing, ..Delivery::default() };
        for segment in &self.segments {
            sum.lines += segment.lines;
            sum.acknowledged += segment.acknowledged;
            sum.below_level += segment.below_level;
            sum.quarantined += segment.quarantined;
            sum.parked += segment.parked_lines();
            sum.pending += segment.pending();
        }
        sum
    }

    /// How many ranges of parked lines there are.
    pub(crate) fn parked_ranges(&self) -> usize {
        self.segments.iter().flat_map(|segment| &segment.parked).map(|p| p.ranges.len()).sum()
    }

    /// Of what is in flight, only these places may really have been sent.
    pub(crate) fn in_flight_is(&mut self, sent: &[Place]) {
        for (index, segment) in self.segments.iter_mut().enumerate() {
            let here = || sent.iter().filter(|place| place.segment == index);
            let open = here().filter(|place| segment.group_of(place.start).is_none());
            segment.in_flight = open.map(|place| place.end).max();
            for group in &mut segment.parked {
                let ranges = &group.ranges;
                group.in_flight = here().any(|place| ranges.end_at(place.start).is_some());
            }
        }
    }

    /// Loki has the line.
    pub(crate) fn acknowledge(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(place.segment) {
            segment.settle(place.start, place.end);
            segment.acknowledged += 1;
        }
    }

    /// Nobody wants the line.
    pub(crate) fn pass_over(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(place.segment) {
            segment.settle(place.start, place.end);
            segment.below_level += 1;
        }
    }

    /// The line lies in the quarantine.
    pub(crate) fn quarantine(&mut self, place: Place) {
        if let Some(segment) = self.segments.get_mut(place.segment) {
            segment.settle(place.start, place.end);
            segment.quarantined += 1;
        }
    }

    /// The line was acknowledged and Loki lacks it: it is to be sent again.
    pub(crate) fn reopen(&mut self, place: Place, now_ns: i64) {
        let state = self.segments.get(place.segment).map(|segment| segment.state_of(place.start));
        if state == Some(LineState::Passed) {
            self.park(place, Why::Lost, "it was acknowledged, and Loki lacks it", now_ns, 0);
            let segment = &mut self.segments[place.segment];
            segment.acknowledged = segment.acknowledged.saturating_sub(1);
            segment.parked.iter_mut().for_each(|group| group.in_flight |= group.why == Why::Lost);
        }
    }

    /// The line was refused for now; tried again at `next_ns`. A line that is parked stays so, unless
    /// this is the first answer to it.
    pub(crate) fn park(&mut self, place: Place, why: Why, reason: &str, now_ns: i64, next_ns: i64) {
        let Some(segment) = self.segments.get_mut(place.segment) else { return };
        match segment.group_of(place.start).map(|group| segment.parked[group].why) {
            Some(Why::Lost) => segment.settle(place.start, place.end),
            Some(Why::TooFarAhead | Why::TooFarBehind) => return,
            None => segment.pass(place.start, place.end),
        }
        let full = segment.parked.len() >= MOST_GROUPS;
        let fits = |group: &&mut Parked| group.why == why && (full || group.tries == 0);
        let group = match segment.parked.iter_mut().rev().find(fits) {
            Some(group) => group,
            None => segment.parked.push_mut(Parked {
                why,
                reason: reason.to_owned(),
                since_ns: now_ns,
                next_ns,
                tries: 0,
                in_flight: false,
                lines: 0,
                ranges: Ranges::default(),
            }),
        };
        group.lines += 1;
        group.ranges.insert(place.start, place.end);
    }
}

impl Segment {
    /// Its lines that are neither acknowledged nor below the level nor quarantined.
    pub(crate) fn pending(&self) -> u64 {
        self.lines.saturating_sub(self.acknowledged + self.below_level + self.quarantined)
    }

    /// Whether some of it may have been sent without an answer.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some() || self.parked.iter().any(|group| group.in_flight)
    }

    fn parked_lines(&self) -> u64 {
        self.parked.iter().map(|group| group.lines).sum()
    }

    fn group_of(&self, at: u64) -> Option<usize> {
        self.parked.iter().position(|group| group.ranges.end_at(at).is_some())
    }

    /// A line is dealt with, whether it was parked or not.
    fn settle(&mut self, start: u64, end: u64) {
        let Some(group) = self.group_of(start) else { return self.pass(start, end) };
        self.parked[group].ranges.remove(start, end);
        self.parked[group].lines -= 1;
        // A group that is being tried is looked through to its end.
        self.parked.retain(|group| group.lines > 0 || group.in_flight);
    }

    /// The mark need not wait for this line.
    fn pass(&mut self, start: u64, end: u64) {
        self.done.insert(start, end);
        if let Some(end) = self.done.end_at(self.mark) {
            self.mark = end;
            self.done.remove(0, end);
        }
    }

    /// Where reading goes on, at or behind `at`: behind what is done.
    pub(crate) fn next_open(&self, at: u64) -> u64 {
        let at = at.max(self.mark);
        self.done.end_at(at).unwrap_or(at)
    }

    /// What is known of the line that starts here.
    pub(crate) fn state_of(&self, start: u64) -> LineState {
        if self.group_of(start).is_some() {
            LineState::Parked
        } else if start < self.mark || self.done.end_at(start).is_some() {
            LineState::Passed
        } else {
            LineState::Pending
        }
    }

    /// Whether the line that starts here is still to be dealt with, or parked.
    pub(crate) fn is_open(&self, start: u64) -> bool {
        self.state_of(start) != LineState::Passed
    }

    /// A line that ends here was read.
    pub(crate) fn count_line(&mut self, end: u64) {
        if end > self.counted_to {
            self.lines += 1;
            self.counted_to = end;
        }
    }

    /// Remembers what the file has right before the mark.
    pub(crate) fn prove(&mut self, last: LineHash) {
        self.proofs.retain(|proof| proof.at < self.mark);
        self.proofs.push(Proof { at: self.mark, last });
        if self.proofs.len() > MOST_PROOFS {
            let densest = (1..self.proofs.len() - 1).min_by_key(|&i| self.spacing(i));
            self.proofs.remove(densest.unwrap_or(0));
        }
    }

    /// How far apart the neighbours of a proof are, against how far back they lie: the closer to the
    /// mark, the denser the proofs.
    fn spacing(&self, index: usize) -> u64 {
        let before = self.proofs[index - 1].at;
        let apart = u128::from(self.proofs[index + 1].at - before);
        let back = u128::from((self.mark - before).max(1));
        u64::try_from((apart << 32) / back).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
#[path = "offset_tests.rs"]
mod tests;
