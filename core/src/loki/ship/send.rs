//! The part of the engine that sends a parcel and does what follows from the answer.

use super::engine::Engine;
use super::offset::{Place, Why};
use super::parcel::Parcel;
use super::plan::{Fates, LOOK_UP_DELAY, Next, Seen, after, after_look_up, next_try_ns};
use super::quarantine::Condemned;
use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::loki::wire::sink::Sink;
use crate::notice::Trouble;
use std::time::Duration;

impl<S: Sink> Engine<S> {
    /// Looks the first parcel up, or pushes it.
    pub(super) fn send(&mut self) -> Result<()> {
        let Some(parcel) = self.queue.pop_front() else { return Ok(()) };
        self.dirty = true;
        if parcel.unsure {
            self.look_up(parcel);
        } else {
            self.push(parcel);
        }
        if self.quarantine.waiting() > 0 { self.flush_quarantine() } else { Ok(()) }
    }

    fn push(&mut self, mut parcel: Parcel) {
        if self.pace.take_hold() {
            self.renew();
        }
        failpoint::at(Point::ShipUnsent);
        let answer = self.sink.push(&parcel.batch);
        failpoint::at(Point::ShipAnswered);
        let (now, whose) = (self.clock.now(), self.whose());
        match after(answer, &parcel.batch, &mut self.limits, now.ns) {
            Next::Acknowledged => {
                self.pace.succeeded(&whose);
                let all: Vec<usize> = (0..parcel.places.len()).collect();
                self.acknowledge(&parcel, &all);
            }
            Next::Again { why } => {
                self.pace.failed(now, &whose, &why, Duration::ZERO);
                self.queue.push_front(parcel);
            }
            Next::Slower { why } => {
                // Loki lets nothing through that is larger than its burst, however long one waits.
                let smaller = self.pace.is_failing() && self.packing.shrink(parcel.batch.bytes());
                self.pace.failed(now, &whose, &why, Duration::ZERO);
                match parcel.halves().filter(|_| smaller) {
                    Some(halves) => self.send_first(halves),
                    None => self.queue.push_front(parcel),
                }
            }
            Next::LookUp { why, late } => {
                if late {
                    self.pace.came_late(now);
                }
                self.pace.failed(now, &whose, &why, LOOK_UP_DELAY);
                parcel.unsure = true;
                self.queue.push_front(parcel);
            }
            Next::Split { why } => {
                self.pace.succeeded(&whose);
                self.split(&parcel, &why);
            }
            Next::Hold { why } => {
                self.pace.hold(now, &whose, &why);
                self.queue.push_front(parcel);
            }
            Next::Sorted(fates) => {
                self.pace.succeeded(&whose);
                self.sort(&parcel, &fates);
            }
        }
    }

    /// Reads secrets and certificates again, for Loki has refused us.
    fn renew(&mut self) {
        match self.sink.renew() {
            Ok(()) => self.secrets_trouble = Trouble::default(),
            // That nothing can be sent without them was said.
            Err(why) if self.pace.last_failure() == Some(&why) => {}
            Err(why) => {
                let whose = self.whose();
                self.secrets_trouble.begins(|| format!("{whose}: {why}"));
            }
        }
    }

    fn look_up(&mut self, mut parcel: Parcel) {
        let all = 0..parcel.places.len();
        let found = self.sink.look_up(&parcel.batch);
        failpoint::at(Point::ShipLookedUp);
        let held = found.map(|found| all.clone().filter(|index| found.holds(*index)).collect());
        let (now, whose) = (self.clock.now(), self.whose());
        match after_look_up(held, parcel.refused.is_some()) {
            Seen::Held(held) => {
                if !held.is_empty() {
                    self.pace.has_stored();
                }
                self.acknowledge(&parcel, &held);
                let missing: Vec<usize> =
                    all.filter(|index| held.binary_search(index).is_err()).collect();
                if !missing.is_empty() {
                    let may_come = self.pace.may_come(now);
                    if may_come {
                        self.pace.wait(now.at + LOOK_UP_DELAY);
                    }
                    self.queue.push_front(parcel.part(&missing, may_come));
                }
            }
            Seen::Split { blind } => {
                if blind && parcel.places.len() > 1 {
                    self.count_replay(&parcel);
                    parcel.blind = true;
                }
                let why = parcel.refused.clone().unwrap_or_default();
                self.split(&parcel, &why);
            }
            Seen::Blind { why } => {
                self.reading_trouble.begins(|| {
                    format!(
                        "{whose}: Loki does not say which lines it has: {why}; lines that it may \
                         have are sent again, and counted as replayed"
                    )
                });
                self.count_replay(&parcel);
                parcel.unsure = false;
                parcel.blind = true;
                self.queue.push_front(parcel);
            }
            Seen::Again { why } => {
                self.pace.failed(now, &whose, &why, Duration::ZERO);
                self.queue.push_front(parcel);
            }
        }
    }

    pub(super) fn whose(&self) -> String {
        format!("{}: {}", self.log.display(), self.offset.target.endpoint)
    }

    /// Counted, and saved, before it is sent: a process that is killed then has counted too many
    /// rather than too few.
    fn count_replay(&mut self, parcel: &Parcel) {
        self.offset.replayed += parcel.places.len() as u64;
        self.save_first = true;
    }

    fn acknowledge(&mut self, parcel: &Parcel, indices: &[usize]) {
        for place in indices.iter().filter_map(|index| parcel.places.get(*index)) {
            self.offset.acknowledge(*place);
        }
    }

    /// The halves come next; a single line cannot be halved.
    fn split(&mut self, parcel: &Parcel, why: &str) {
        match parcel.halves() {
            Some(halves) => self.send_first(halves),
            None => self.condemn(parcel, &[(0, why.to_owned())]),
        }
    }

    fn send_first(&mut self, halves: [Parcel; 2]) {
        halves.into_iter().rev().for_each(|half| self.queue.push_front(half));
    }

    fn sort(&mut self, parcel: &Parcel, fates: &Fates) {
        let (now, whose) = (self.clock.now(), self.whose());
        let unnamed = fates.look_up.len() == parcel.places.len();
        self.acknowledge(parcel, &fates.acknowledged);
        for (index, why, reason) in &fates.parked {
            if let Some(place) = parcel.places.get(*index) {
                self.park(*place, *why, reason, now.ns);
            }
        }
        self.condemn(parcel, &fates.quarantined);
        if !fates.look_up.is_empty() {
            let mut part = parcel.part(&fates.look_up, true);
            part.refused = unnamed.then(|| fates.why.clone());
            self.queue.push_front(part);
            self.pace.wait(now.at + LOOK_UP_DELAY);
        }
        if !fates.again.is_empty() {
            self.queue.push_front(parcel.part(&fates.again, false));
        }
        if let Some(why) = &fates.pause {
            self.pace.failed(now, &whose, why, Duration::ZERO);
        }
    }

    fn condemn(&mut self, parcel: &Parcel, lines: &[(usize, String)]) {
        let now_ns = self.clock.now().ns;
        let mut condemned = lines.to_vec();
        condemned.sort_by_key(|(index, _)| *index);
        let mut condemned = condemned.iter().peekable();
        for (index, (_, text)) in parcel.batch.lines().enumerate() {
            let Some((_, reason)) = condemned.next_if(|(wanted, _)| *wanted == index) else {
                continue;
            };
            self.put_aside(parcel.places[index], reason, text, now_ns);
        }
    }

    /// Loki will never take the line; said at the first one.
    pub(super) fn put_aside(&mut self, place: Place, reason: &str, text: &[u8], now_ns: i64) {
        let segment = &self.offset.segments[place.segment];
        self.quarantine.add(&Condemned::new(segment, place, reason, text), now_ns);
        self.condemned.push(place);
        let (whose, path) = (self.whose(), self.quarantine.path().display());
        self.quarantine_trouble.begins(|| {
            format!(
                "{whose}: Loki cannot have some lines: {reason}; they stay in the log, and {path} \
                 names each with its reason"
            )
        });
    }

    /// Loki does not take the line for now; said at the first one.
    pub(super) fn park(&mut self, place: Place, why: Why, reason: &str, now_ns: i64) {
        self.offset.park(place, why, reason, now_ns, next_try_ns(0, now_ns));
        let whose = self.whose();
        self.parking_trouble.begins(|| {
            format!(
                "{whose}: Loki does not take some lines yet: {reason}; they are tried again later, \
                 also by the next program that opens this log, or by lb push"
            )
        });
    }

    /// What waits for the quarantine is on the disk before the offset passes it.
    pub(super) fn flush_quarantine(&mut self) -> Result<()> {
        self.quarantine
            .flush()
            .map_err(|error| Error::io(self.quarantine.path(), "writing the quarantine", error))?;
        failpoint::at(Point::ShipQuarantined);
        for place in self.condemned.drain(..) {
            self.offset.quarantine(place);
        }
        self.dirty = true;
        Ok(())
    }
}
