//! The part of the engine that decides what a lap has, begins it and ends it.

use std::collections::VecDeque;

use super::engine::{Engine, SAVE_INTERVAL, Step};
use super::offset::Place;
use super::pace::Moment;
use super::plan::{is_due, next_try_ns};
use super::segments::Known;
use crate::error::Result;
use crate::failpoint::{self, Point};
use crate::loki::wire::sink::Sink;
use crate::notice::say;

/// Most bytes of the log in a lap: about what a fast Loki takes in a second. Twenty lines in tests, so
/// that a lap often ends within a line.
const LAP_BYTES: u64 = if cfg!(test) { 4000 } else { 64 << 20 };
/// From so many bytes on a lap does not wait for more.
const FULL_BYTES: u64 = 1 << 20;
/// So many parked ranges are kept; beyond it what is parked goes first.
const MOST_PARKED_RANGES: usize = 1 << 14;

/// Where a lap reads.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) known: Known,
    pub(super) at: u64,
    pub(super) end: u64,
    /// Its lines may be stored already.
    pub(super) unsure: bool,
    pub(super) parked: bool,
}

impl Region {
    pub(super) fn place(&self) -> Place {
        Place { segment: self.known.segment, start: self.at, end: self.end }
    }

    /// Whether it begins where another one ends.
    pub(super) fn follows(&self, other: &Self) -> bool {
        !self.parked && self.known.segment == other.known.segment && self.at == other.end
    }
}

impl<S: Sink> Engine<S> {
    pub(super) fn between_laps(&mut self, now: Moment) -> Result<Step> {
        let poll = self.rules.flush_interval.min(SAVE_INTERVAL);
        let next = self.looked_at.map(|at| at + poll);
        if let Some(next) = next.filter(|next| now.at < *next && !self.finishing) {
            return Ok(Step::Idle(next));
        }
        self.looked_at = Some(now.at);
        self.look_closely()?;
        let regions = self.regions(now);
        if regions.is_empty() {
            self.waiting_since = None;
            if self.dirty {
                return self.save(now).map(|()| Step::Worked);
            }
            self.at_rest = true;
            return Ok(Step::Idle(now.at + poll));
        }
        self.at_rest = false;
        let since = *self.waiting_since.get_or_insert(now.at);
        let bytes: u64 = regions.iter().map(|region| region.end - region.at).sum();
        let ripe = bytes >= FULL_BYTES
            || regions.iter().any(|region| region.parked || region.unsure)
            || now.at + poll >= since + self.rules.flush_interval;
        if !ripe && !self.finishing {
            return Ok(Step::Idle(now.at + poll));
        }
        self.waiting_since = None;
        self.begin_lap(regions, now)?;
        Ok(Step::Worked)
    }

    /// Which files there are and whether they are what was read.
    fn look_closely(&mut self) -> Result<()> {
        let parts = self.segments.look()?;
        self.known = self.recognised(&parts)?;
        for known in self.known.clone() {
            if let Some(to) = known.rewind_to {
                self.rewind(&known, to)?;
            }
            let (segment, end) = (&mut self.offset.segments[known.segment], known.part.committed);
            if self.all_unsure && segment.mark < end {
                segment.in_flight = Some(end);
                self.dirty = true;
            }
        }
        self.all_unsure &= parts.is_empty();
        self.known.iter_mut().for_each(|known| known.rewind_to = None);
        if !std::mem::replace(&mut self.adopted, true) {
            self.adopt_quarantine()?;
        }
        if !self.lost.is_empty() {
            self.reopen_lost()?;
        }
        self.forget_missing();
        Ok(())
    }

    /// Segments that somebody deleted.
    fn forget_missing(&mut self) {
        let there: Vec<usize> = self.known.iter().map(|known| known.segment).collect();
        for index in (0..self.offset.segments.len()).rev().filter(|index| !there.contains(index)) {
            let segment = self.offset.segments.remove(index);
            self.known.iter_mut().filter(|k| k.segment > index).for_each(|k| k.segment -= 1);
            self.dirty = true;
            let pending = segment.pending();
            if pending > 0 {
                self.offset.missing += pending;
                say(&format!(
                    "{}: {} is gone with {pending} lines that Loki does not have",
                    self.log.display(),
                    segment.file
                ));
            }
        }
    }

    /// Where the next lap reads: what may have been sent, what was parked and is due, what is new.
    fn regions(&mut self, now: Moment) -> VecDeque<Region> {
        let mut regions = VecDeque::new();
        let mut left = LAP_BYTES;
        let crowded = self.offset.parked_ranges() > MOST_PARKED_RANGES;
        for known in &self.known {
            let segment = &self.offset.segments[known.segment];
            let region =
                |at, end, unsure, parked| Region { known: known.clone(), at, end, unsure, parked };
            let due = segment.parked.iter().filter(|g| g.in_flight || is_due(g.next_ns, now.ns));
            for group in due {
                let (unsure, ranges) = (group.in_flight, group.ranges.iter());
                regions.extend(ranges.map(|(at, end)| region(at, end, unsure, true)));
            }
            let committed = known.part.committed;
            let mut at = segment.next_open(0);
            let end = committed.min(at.saturating_add(left));
            let sent = segment.in_flight.map_or(at, |sent| sent.clamp(at, end.max(at)));
            if crowded || at >= committed {
                continue;
            }
            left -= end - at;
            if sent > at {
                regions.push_back(region(at, sent, true, false));
                at = sent;
            }
            if end > at {
                regions.push_back(region(at, end, false, false));
            }
        }
        regions
    }

    fn begin_lap(&mut self, regions: VecDeque<Region>, now: Moment) -> Result<()> {
        for region in &regions {
            let segment = &mut self.offset.segments[region.known.segment];
            if region.parked {
                let due = |group: &&mut super::offset::Parked| group.ranges.end_at(region.at);
                let mut groups = segment.parked.iter_mut();
                if let Some(group) = groups.find(|group| due(group).is_some()) {
                    group.in_flight = true;
                }
            } else {
                let sent = segment.in_flight.unwrap_or(0);
                segment.in_flight = Some(region.end.max(sent));
            }
        }
        let more = |known: &Known| {
            let segment = &self.offset.segments[known.segment];
            segment.in_flight.unwrap_or(segment.mark) < known.part.committed
        };
        if self.known.iter().any(more) {
            self.count_ahead()?;
        }
        self.save(now)?;
        self.lap_segments = regions.iter().map(|region| region.known.segment).collect();
        self.lap = Some(regions);
        Ok(())
    }

    /// A file of the lap has another name now, or is gone: what of it was not read stays as it was,
    /// until the next look.
    pub(super) fn drop_region(&mut self, region: &Region) {
        self.lap_segments.retain(|segment| *segment != region.known.segment);
    }

    /// Everything of the lap that was read is dealt with.
    pub(super) fn end_lap(&mut self) {
        let now = self.clock.now();
        self.lap = None;
        self.dirty = true;
        for (index, segment) in self.offset.segments.iter_mut().enumerate() {
            // What was not read may still have been sent, by a process before this one.
            segment.in_flight = segment.in_flight.filter(|sent| segment.mark < *sent);
            if !self.lap_segments.contains(&index) {
                continue;
            }
            for group in segment.parked.iter_mut().filter(|group| group.in_flight) {
                group.in_flight = false;
                group.tries += 1;
                group.next_ns = next_try_ns(group.tries, now.ns);
            }
            segment.parked.retain(|group| group.lines > 0);
        }
        if self.offset.parked_ranges() == 0 {
            let whose = self.whose();
            self.parking_trouble.ends(|| format!("{whose}: Loki has taken those lines now"));
        }
        failpoint::at(Point::ShipLapEnded);
    }
}
