//! The part of the engine that reads a lap's lines and packs them.

use std::collections::VecDeque;
use std::io;

use super::engine::Engine;
use super::lap::Region;
use super::offset::{Place, Why};
use super::plan::Beyond;
use super::source::Piece;
use crate::error::{Error, Result};
use crate::loki::wire::limits::doubt;
use crate::loki::wire::line::Line;
use crate::loki::wire::sink::Sink;

/// Lines that are read in one step, at most.
const STEP_LINES: usize = 1024;
/// The quarantine is written when this much waits for it.
const QUARANTINE_BYTES: usize = 64 << 10;

/// What becomes of a line that was read.
enum Fate {
    Send(Line),
    PassOver,
    Park(String),
    Quarantine(String),
}

impl<S: Sink> Engine<S> {
    pub(super) fn is_quarantine_due(&self) -> bool {
        self.quarantine.waiting() >= QUARANTINE_BYTES
    }

    /// Reads until there is something to send, or the lap is at its end.
    pub(super) fn read_on(&mut self) -> Result<()> {
        let Some(mut region) = self.lap.as_mut().and_then(VecDeque::pop_front) else {
            return self.read_out();
        };
        let now_ns = self.clock.now().ns;
        let mut read = Ok(true);
        for _ in 0..STEP_LINES {
            if !region.parked {
                region.at = self.offset.segments[region.known.segment].next_open(region.at);
            }
            if region.at >= region.end || !self.queue.is_empty() || self.is_quarantine_due() {
                break;
            }
            read = self.read_line(&mut region, now_ns);
            if !matches!(read, Ok(true)) {
                break;
            }
        }
        if matches!(read, Ok(false)) {
            self.drop_region(&region);
        } else if let Some(lap) = &mut self.lap {
            if region.at < region.end {
                lap.push_front(region);
            } else if let Some(next) = lap.front_mut().filter(|next| next.follows(&region)) {
                // A lap's limit is a number of bytes and may lie within a line, which is read then.
                next.at = next.at.max(region.at);
            }
        }
        read.map(|_| ())
    }

    /// Everything of the lap was read; where everything is sent, too, it ends.
    fn read_out(&mut self) -> Result<()> {
        self.packing.empty_into(&mut self.queue);
        if !self.queue.is_empty() {
            return Ok(());
        }
        if self.quarantine.waiting() > 0 {
            self.flush_quarantine()?;
        }
        self.end_lap();
        Ok(())
    }

    /// Reads the line at the region's position; false where it is not there any more.
    fn read_line(&mut self, region: &mut Region, now_ns: i64) -> Result<bool> {
        let Region { known, at, unsure, .. } = region;
        let opened = self.source.open(&known.part.path, known.part.id).map(|_| ());
        let (text, end, fits) =
            match opened.and_then(|()| self.source.line(*at, known.part.committed)) {
                Ok(Piece::Line { text, end }) => (text, end, true),
                Ok(Piece::TooLong { head, end }) => (head, end, false),
                Err(error) if is_gone(&error) => return Ok(false),
                Err(error) => return Err(Error::io(&known.part.path, "reading the log", error)),
            };
        self.dirty = true;
        let place = Place { segment: known.segment, start: *at, end };
        *at = end;
        self.offset.segments[known.segment].count_line(end);
        let fate = if fits {
            match self.reader.read(text) {
                Err(why) => Fate::Quarantine(format!("no record: {why}")),
                Ok(line) if line.level < self.rules.min_level => Fate::PassOver,
                Ok(line) => match self.limits.check(line.ns, text.len(), now_ns) {
                    None => Fate::Send(line),
                    Some(Beyond::Never { why }) => Fate::Quarantine(why),
                    Some(Beyond::NotYet { why }) => Fate::Park(why),
                },
            }
        } else {
            Fate::Quarantine("it is longer than a push to Loki may be".to_owned())
        };
        match fate {
            Fate::Send(line) => {
                let doubt = doubt(&line, text.len(), now_ns);
                self.packing.add(&line, text, place, *unsure, doubt, &mut self.queue);
            }
            Fate::PassOver => self.offset.pass_over(place),
            Fate::Park(why) => self.park(place, Why::TooFarAhead, &why, now_ns),
            Fate::Quarantine(reason) => {
                let text = text.to_vec();
                self.put_aside(place, &reason, &text, now_ns);
            }
        }
        Ok(true)
    }
}

/// The file, or this part of it, is not there.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}
