//! One log on its way to one Loki, step by step.
//!
//! Work is done in *laps*. Before a lap the offset file says how far the lap may go (`in_flight`):
//! whatever happens then, the next process knows which lines may have been sent. In a lap lines are
//! read up to there, batched by stream and sent, one request at a time. Behind it nothing is on its
//! way, and the mark stands at its end.
//!
//! Each step does one thing that is seen outside (a push, a look-up, a save), so that tests can end
//! a process between any two.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::{LineHash, line_before};
use super::lap::Region;
use super::mend::Lost;
use super::offset::{Offset, Place, Proof, Segment, Target};
use super::offset_file::OffsetFile;
use super::pace::{Clock, Moment, Pace};
use super::parcel::{Packing, Parcel};
use super::plan::{Backoff, LOOK_UP_DELAY, Limits};
use super::quarantine::Quarantine;
use super::segments::{Known, Segments, recognise};
use super::source::{Source, count_lines};
use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::loki::wire::line::LineReader;
use crate::loki::wire::sink::Sink;
use crate::notice::{Trouble, say};
use crate::record::Level;
use crate::stats::Delivery;

/// The offset file is written at most so often, while nobody asks for more.
pub(super) const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// The pause behind trouble with our own files.
const FILE_PAUSE: Duration = Duration::from_secs(1);

/// How lines are shipped.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) min_level: Level,
    /// Most lines in a push.
    pub(crate) batch_lines: usize,
    /// The longest wait before a push.
    pub(crate) flush_interval: Duration,
    pub(crate) backoff: Backoff,
    /// What this client's pauses differ from others' by.
    pub(crate) seed: u64,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// There may be more to do.
    Worked,
    /// Nothing to do before this moment.
    Idle(Duration),
}

/// One log, one Loki.
#[allow(clippy::struct_excessive_bools)] // Independent facts, not states of one thing.
pub(crate) struct Engine<S> {
    pub(super) log: PathBuf,
    pub(super) segments: Segments,
    file: OffsetFile,
    pub(super) quarantine: Quarantine,
    pub(super) offset: Offset,
    pub(super) source: Source,
    pub(super) reader: LineReader,
    pub(super) sink: S,
    pub(super) clock: Box<dyn Clock>,
    pub(super) rules: Rules,
    pub(super) limits: Limits,
    pub(super) pace: Pace,
    /// The places of the lines that wait in the quarantine for its flush.
    pub(super) condemned: Vec<Place>,
    /// What is read and not yet full, and what is to be sent.
    pub(super) packing: Packing,
    pub(super) queue: VecDeque<Parcel>,
    /// `None` between laps.
    pub(super) lap: Option<VecDeque<Region>>,
    /// The segments of the lap, but for those that could not be read to its end.
    pub(super) lap_segments: Vec<usize>,
    pub(super) known: Vec<Known>,
    /// Whatever is not dealt with may have been sent: the offset file cannot tell.
    pub(super) all_unsure: bool,
    /// What is to be sent again, until it is known where it is.
    pub(super) lost: Vec<Lost>,
    /// The quarantine was looked through for entries that the offset does not know.
    pub(super) adopted: bool,
    pub(super) dirty: bool,
    /// Something was counted that must be in the offset file before the next push.
    pub(super) save_first: bool,
    saved_at: Option<Duration>,
    pub(super) looked_at: Option<Duration>,
    pub(super) waiting_since: Option<Duration>,
    pub(super) finishing: bool,
    /// The last look found nothing to do.
    pub(super) at_rest: bool,
    file_trouble: Trouble,
    pub(super) reading_trouble: Trouble,
    pub(super) secrets_trouble: Trouble,
    pub(super) quarantine_trouble: Trouble,
    pub(super) parking_trouble: Trouble,
}

impl<S: Sink> Engine<S> {
    /// Reads the offset file. `labels`: the static labels, or `None` for those that it has.
    /// `from_start`: everything is looked up again, and sent where it is missing.
    pub(crate) fn open(
        log: &Path,
        target: &Target,
        labels: Option<&BTreeMap<String, String>>,
        from_start: bool,
        rules: Rules,
        sink: S,
        clock: Box<dyn Clock>,
    ) -> Self {
        let file = OffsetFile::new(log, target);
        let found = file.read(target).unwrap_or_else(|error| {
            say(&format!("{}: {error}; Loki is asked which lines it has", file.path().display()));
            None
        });
        // With another level somebody may have sent what this target knows nothing of.
        let has_sibling = file.has_sibling(target);
        let all_unsure = from_start || has_sibling || (found.is_none() && file.path().exists());
        let mut offset = found.unwrap_or_else(|| Offset::new(target.clone(), BTreeMap::new()));
        if let Some(labels) = labels {
            offset.labels.clone_from(labels);
        }
        if from_start {
            offset.segments.clear();
        }
        for group in offset.segments.iter_mut().flat_map(|segment| &mut segment.parked) {
            group.next_ns = 0;
            group.in_flight |= has_sibling;
        }
        let mut pace = Pace::new(rules.backoff, rules.seed);
        if has_sibling || offset.segments.iter().any(Segment::is_in_flight) {
            // Another process may have sent them a moment ago.
            pace.wait(clock.now().at + LOOK_UP_DELAY);
        }
        Self {
            segments: Segments::new(log),
            quarantine: Quarantine::new(log, LineHash::from_id(target.id())),
            reader: LineReader::new(&offset.labels),
            log: log.to_path_buf(),
            pace,
            source: Source::default(),
            limits: Limits::default(),
            condemned: Vec::new(),
            packing: Packing::new(rules.batch_lines),
            queue: VecDeque::new(),
            lap: None,
            lap_segments: Vec::new(),
            known: Vec::new(),
            lost: Vec::new(),
            adopted: false,
            dirty: false,
            save_first: false,
            saved_at: None,
            looked_at: None,
            waiting_since: None,
            finishing: false,
            at_rest: false,
            file_trouble: Trouble::default(),
            reading_trouble: Trouble::default(),
            secrets_trouble: Trouble::default(),
            quarantine_trouble: Trouble::default(),
            parking_trouble: Trouble::default(),
            file,
            offset,
            sink,
            clock,
            rules,
            all_unsure,
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.offset.delivery()
    }

    /// Why Loki's last answer was none, until a good one.
    pub(crate) fn last_failure(&self) -> Option<&str> {
        self.pace.last_failure()
    }

    /// Whether it waits until somebody mends something.
    pub(crate) fn is_held(&self) -> bool {
        self.pace.is_held()
    }

    /// From now on nothing waits for more lines.
    pub(crate) fn finish(&mut self) {
        self.finishing = true;
        self.at_rest = false;
    }

    /// Whether everything that was there at the last look is dealt with, but for parked lines.
    pub(crate) fn is_done(&self) -> bool {
        self.at_rest && !self.dirty
    }

    /// Does the next thing.
    pub(crate) fn step(&mut self) -> Step {
        match self.try_step() {
            Ok(step) => {
                let log = &self.log;
                self.file_trouble.ends(|| format!("{}: shipping goes on", log.display()));
                step
            }
            Err(error) => {
                self.file_trouble.begins(|| format!("{error}; shipping to Loki waits for it"));
                Step::Idle(self.clock.now().at + FILE_PAUSE)
            }
        }
    }

    fn try_step(&mut self) -> Result<Step> {
        let now = self.clock.now();
        if self.quarantine.waiting() > 0 && (self.lap.is_none() || self.is_quarantine_due()) {
            self.flush_quarantine()?;
            return Ok(Step::Worked);
        }
        if !self.queue.is_empty() {
            if let Some(until) = self.pace.wait_until().filter(|until| now.at < *until) {
                return self.pass_time(now, until);
            }
            if self.save_first {
                self.save(now)?;
            }
            self.send()?;
            self.save_when_due(now)?;
            return Ok(Step::Worked);
        }
        if self.lap.is_some() {
            self.read_on()?;
            self.save_when_due(now)?;
            return Ok(Step::Worked);
        }
        self.between_laps(now)
    }

    /// Something is wrong with Loki: meanwhile lines are counted and what is known is saved.
    fn pass_time(&mut self, now: Moment, until: Duration) -> Result<Step> {
        if self.looked_at.is_none_or(|at| now.at >= at + SAVE_INTERVAL) {
            self.looked_at = Some(now.at);
            self.count_all()?;
            self.save_when_due(now)?;
        }
        Ok(Step::Idle(until.min(now.at + SAVE_INTERVAL)))
    }

    /// Looks for lines that are new, and counts them.
    fn count_all(&mut self) -> Result<()> {
        let before = self.offset.delivery().lines;
        let parts = self.segments.look()?;
        self.known = self.recognised(&parts)?;
        self.count_ahead()?;
        self.dirty |= self.offset.delivery().lines != before;
        Ok(())
    }

    pub(super) fn recognised(&mut self, parts: &[super::segments::Part]) -> Result<Vec<Known>> {
        recognise(&mut self.offset, parts, &self.known)
            .map_err(|error| Error::io(&self.log, "reading the files of the log", error))
    }

    /// Counts the lines that are there and not read yet.
    pub(super) fn count_ahead(&mut self) -> Result<()> {
        for known in self.known.iter().filter(|known| known.rewind_to.is_none()) {
            let segment = &mut self.offset.segments[known.segment];
            let (from, to) = (segment.counted_to, known.part.committed);
            if from < to {
                let lines = std::fs::File::open(&known.part.path)
                    .and_then(|file| count_lines(&file, from, to))
                    .map_err(|error| Error::io(&known.part.path, "counting lines", error))?;
                segment.lines += lines;
                segment.counted_to = to;
            }
        }
        Ok(())
    }

    fn save_when_due(&mut self, now: Moment) -> Result<()> {
        let due = self.saved_at.is_none_or(|at| now.at >= at + SAVE_INTERVAL);
        if self.dirty && due { self.save(now) } else { Ok(()) }
    }

    /// The log's data on the disk, then the offset.
    pub(super) fn save(&mut self, now: Moment) -> Result<()> {
        if !self.log.parent().is_some_and(Path::is_dir) {
            // Deleted, and not made anew.
            self.dirty = false;
            return Ok(());
        }
        if self.quarantine.waiting() > 0 {
            self.flush_quarantine()?;
        }
        if !self.force_to_disk()? {
            // Rotated meanwhile, or deleted.
            let parts = self.segments.look()?;
            self.known = self.recognised(&parts)?;
            self.force_to_disk()?;
        }
        failpoint::at(Point::ShipLogForced);
        self.file
            .write(&self.offset)
            .map_err(|error| Error::io(self.file.path(), "writing the offset file", error))?;
        self.dirty = false;
        self.save_first = false;
        self.saved_at = Some(now.at);
        Ok(())
    }

    /// Forces what was looked at of the log to the disk and proves it; false where a file has another
    /// name now.
    fn force_to_disk(&mut self) -> Result<bool> {
        let mut all = true;
        // A file that is to be rewound proves nothing.
        for known in self.known.iter().filter(|known| known.rewind_to.is_none()) {
            let segment = &mut self.offset.segments[known.segment];
            let proven = segment.proofs.last().map_or(0, |proof| proof.at);
            let (reach, committed) =
                (segment.reach.map_or(0, |proof| proof.at), known.part.committed);
            if segment.mark == proven && reach == committed && segment.in_flight.is_none() {
                continue;
            }
            let path = &known.part.path;
            let failed = |error| Error::io(path, "forcing the log to the disk", error);
            let file = match self.source.open(path, known.part.id) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    all = false;
                    continue;
                }
                opened => opened.map_err(failed)?,
            };
            file.sync_data().map_err(failed)?;
            if segment.mark != proven
                && let Some(last) = line_before(file, segment.mark).map_err(failed)?
            {
                segment.prove(last);
            }
            if reach != committed
                && let Some(last) = line_before(file, committed).map_err(failed)?
            {
                segment.reach = Some(Proof { at: committed, last });
            }
        }
        Ok(all)
    }

    /// The end, whatever is left: the offset file then says of nothing that it may have been sent
    /// but of what is so.
    pub(crate) fn leave(&mut self) {
        if let Err(error) = self.count_all() {
            say(&error.to_string());
        }
        if let Some(lap) = &self.lap {
            let parcels = self.queue.iter().chain(self.packing.open());
            let unsure = parcels.filter(|parcel| parcel.unsure || parcel.blind);
            let sent: Vec<Place> = unsure
                .flat_map(|parcel| parcel.places.iter().copied())
                .chain(lap.iter().filter(|region| region.unsure).map(Region::place))
                .collect();
            self.offset.in_flight_is(&sent);
            self.dirty = true;
        }
        if !self.dirty {
            return;
        }
        if let Err(error) = self.save(self.clock.now()) {
            say(&error.to_string());
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
