//! Whether Loki holds what the files hold: what `lb verify` does.
//!
//! The lines of all logs are read once, by time so far as the files are (`walk`), and compared stream
//! by stream with what Loki shows (`compare`). Memory is bounded by how far out of order the files
//! are, not by how long.

use std::collections::{BTreeMap, HashMap};
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compare::{Place, StreamCheck, Verdict};
use super::failure::Failure;
use super::gaps::{Gaps, Row};
use super::patient::{Patient, Watch};
use super::standing::{Standing, collected_standing, standings};
use super::verified::{Extra, FileChecked, Gap, StreamChecked, Tally, Verified};
use super::walk::{Met, Walk, collected, is_compressed};
use crate::config::LokiConfig;
use crate::encode::timestamp;
use crate::error::Result;
use crate::loki::ship::mend::Lost;
use crate::loki::ship::offset::{LineState, Target};
use crate::loki::ship::runner::target;
use crate::loki::ship::segments::{Part, Segments};
use crate::loki::wire::ask::{Ask, LookUpError, Question, Wanted};
use crate::loki::wire::client::Client;
use crate::loki::wire::page::counted;
use crate::loki::wire::stream::Stream;
use crate::record::Level;
use crate::ring::FileId;

/// Bytes of lines that wait to be compared, at most.
const WAITING_BYTES: usize = 16 << 20;
/// Lines of Loki that are remembered until a file shows them, at most.
const MOST_EXTRA: usize = 1 << 20;
/// `progress` is called at least each so many lines.
const PROGRESS_LINES: u64 = 4096;

/// Compares these logs, each with its rotated segments (a collected one, `.gz`, is one file), with
/// what Loki holds. `beside` are logs whose lines may be of the same streams: they are not compared.
/// `labels` are the static labels of collected ones; the others' offset files tell them.
///
/// # Errors
/// [`Failure`]: a file cannot be read, or Loki cannot be asked.
pub fn verify(
    logs: &[PathBuf],
    beside: &[PathBuf],
    labels: BTreeMap<PathBuf, BTreeMap<String, String>>,
    config: &LokiConfig,
    watch: &mut Watch<'_>,
) -> std::result::Result<Verified, Failure> {
    let client = Client::ready(config).map_err(Failure::Loki)?;
    Verifier::new(logs, labels, config)?.run(logs, beside, &mut Patient::new(client, watch))
}

/// A verification under way.
struct Verifier {
    target: Target,
    labels: BTreeMap<String, String>,
    /// Those of collected logs.
    kept: BTreeMap<PathBuf, BTreeMap<String, String>>,
    endpoint: String,
    hasher: RandomState,
    walk: Walk,
    /// Each log with the identities of its files, in the order of the walk.
    logs: Vec<(PathBuf, Vec<FileId>)>,
    standings: Vec<Standing>,
    indexes: HashMap<Arc<Stream>, usize>,
    streams: Vec<StreamCheck>,
    /// Bytes that came to wait since the last look at all streams.
    come: usize,
    record: Record,
}

/// What was found.
#[derive(Default)]
struct Record {
    files: Vec<Tally>,
    unreadable: Vec<u64>,
    streams: Vec<Tally>,
    gaps: Gaps,
}

impl Record {
    fn judge(&mut self, stream: usize, place: &Place, verdict: Verdict, standing: &Standing) {
        let file = place.spot.file;
        let state = match verdict {
            Verdict::Lacking => standing.of(place.spot.start),
            Verdict::Held | Verdict::HeldAsOne => LineState::Passed,
        };
        for tally in [&mut self.files[file], &mut self.streams[stream]] {
            tally.lines += 1;
            match (verdict, state) {
                (Verdict::Lacking, LineState::Passed) => tally.lacking += 1,
                (Verdict::Lacking, LineState::Pending) => tally.pending += 1,
                (Verdict::Lacking, LineState::Parked) => tally.parked += 1,
                (Verdict::Lacking, LineState::Quarantined) => tally.quarantined += 1,
                (Verdict::Held, _) => tally.held += 1,
                (Verdict::HeldAsOne, _) => {
                    tally.held += 1;
                    tally.equal += 1;
                }
            }
        }
        if (verdict, state) == (Verdict::Lacking, LineState::Passed) {
            self.gaps.add(stream, place);
        }
    }
}

impl Verifier {
    fn new(
        logs: &[PathBuf],
        kept: BTreeMap<PathBuf, BTreeMap<String, String>>,
        config: &LokiConfig,
    ) -> Result<Self> {
        let mut verifier = Self {
            target: target(config),
            labels: config.labels.clone(),
            kept,
            endpoint: config.endpoint.shown(),
            hasher: RandomState::new(),
            walk: Walk::new(config.min_level),
            logs: Vec::new(),
            standings: Vec::new(),
            indexes: HashMap::new(),
            streams: Vec::new(),
            come: 0,
            record: Record::default(),
        };
        for log in logs {
            let parts = parts_of(log)?;
            let (labels, standings) = verifier.known(log, &parts)?;
            verifier.walk.add(&parts, &labels)?;
            verifier.standings.extend(standings);
            verifier.logs.push((log.clone(), parts.iter().map(|part| part.id).collect()));
        }
        verifier.record.files = vec![Tally::default(); verifier.walk.files.len()];
        verifier.record.unreadable = vec![0; verifier.walk.files.len()];
        Ok(verifier)
    }

    /// The static labels of a log's streams, and what is known of its files.
    fn known(
        &self,
        log: &Path,
        parts: &[Part],
    ) -> Result<(BTreeMap<String, String>, Vec<Standing>)> {
        let (kept, standings) = match parts {
            [part] if is_compressed(log) => {
                let kept = self.kept.get(log).cloned().unwrap_or_default();
                (kept, vec![collected_standing(log, &self.target, part)?])
            }
            _ => standings(log, &self.target, parts)?,
        };
        Ok((if self.labels.is_empty() { kept } else { self.labels.clone() }, standings))
    }

    fn run<A: Ask>(
        mut self,
        logs: &[PathBuf],
        beside: &[PathBuf],
        loki: &mut Patient<'_, '_, A>,
    ) -> std::result::Result<Verified, Failure> {
        loki.seen.of_bytes = self.walk.files.iter().map(|file| file.bytes).sum();
        let compared = self.compare(loki);
        let asked = compared.and_then(|()| match self.finish(loki) {
            Ok(()) => self.excuse(logs, beside, loki),
            Err(error) => Err(error),
        });
        match asked {
            Err(_) if loki.stopped => Ok(self.verified(false, Vec::new())),
            Err(error) => Err(error),
            Ok(()) => {
                let counts = self.streams.iter().map(|stream| count(stream, loki)).collect();
                Ok(self.verified(!loki.stopped, counts))
            }
        }
    }

    /// Reads all files, and compares whenever enough waits.
    fn compare<A: Ask>(
        &mut self,
        loki: &mut Patient<'_, '_, A>,
    ) -> std::result::Result<(), Failure> {
        let mut met = 0;
        loop {
            met += 1;
            if met % PROGRESS_LINES == 0 {
                self.tell(loki);
                if !loki.goes_on(None) {
                    return Err(Failure::Loki("it was ended".to_owned()));
                }
            }
            let Some((spot, line)) = self.walk.next()? else { return Ok(()) };
            let standing = &self.standings[spot.file];
            let Met::Line(line, text) = line else {
                if standing.of(spot.start) == LineState::Quarantined {
                    self.record.files[spot.file].lines += 1;
                    self.record.files[spot.file].quarantined += 1;
                } else {
                    self.record.unreadable[spot.file] += 1;
                }
                continue;
            };
            let index = *self.indexes.entry(Arc::clone(&line.stream)).or_insert_with(|| {
                self.streams.push(StreamCheck::new(&line.stream, &self.hasher));
                self.record.streams.push(Tally::default());
                self.streams.len() - 1
            });
            let record = &mut self.record;
            self.streams[index].add(line, text, spot, &mut |place, verdict| {
                record.judge(index, place, verdict, standing);
            });
            self.come += text.len();
            if self.come > WAITING_BYTES / 2 {
                self.come = 0;
                self.settle(loki)?;
            }
        }
    }

    /// Compares where too much waits, the largest streams first.
    fn settle<A: Ask>(
        &mut self,
        loki: &mut Patient<'_, '_, A>,
    ) -> std::result::Result<(), Failure> {
        let waiting =
            |streams: &[StreamCheck]| -> usize { streams.iter().map(StreamCheck::waiting).sum() };
        while waiting(&self.streams) > WAITING_BYTES / 2 {
            let sizes = self.streams.iter().map(StreamCheck::waiting).enumerate();
            let Some((largest, _)) = sizes.max_by_key(|(_, size)| *size) else { break };
            self.tell(loki);
            let (record, standings) = (&mut self.record, &self.standings);
            self.streams[largest]
                .settle(loki, &mut |place, verdict| {
                    record.judge(largest, place, verdict, &standings[place.spot.file]);
                })
                .map_err(|error| self.failure(error))?;
            self.bound_extra();
        }
        Ok(())
    }

    fn finish<A: Ask>(
        &mut self,
        loki: &mut Patient<'_, '_, A>,
    ) -> std::result::Result<(), Failure> {
        for index in 0..self.streams.len() {
            self.tell(loki);
            let (record, standings) = (&mut self.record, &self.standings);
            self.streams[index]
                .finish(loki, &mut |place, verdict| {
                    record.judge(index, place, verdict, &standings[place.spot.file]);
                })
                .map_err(|error| self.failure(error))?;
            self.bound_extra();
        }
        self.tell(loki);
        Ok(())
    }

    fn bound_extra(&mut self) {
        let all: usize = self.streams.iter().map(StreamCheck::extra).sum();
        if all > MOST_EXTRA
            && let Some(largest) = self.streams.iter_mut().max_by_key(|stream| stream.extra())
        {
            largest.forget_extra();
        }
    }

    /// What Loki has besides may stand in the files all the same: below the level, in a log beside,
    /// or written since.
    fn excuse<A: Ask>(
        &mut self,
        logs: &[PathBuf],
        beside: &[PathBuf],
        loki: &mut Patient<'_, '_, A>,
    ) -> std::result::Result<(), Failure> {
        if self.streams.iter().all(|stream| stream.extra() == 0) {
            return Ok(());
        }
        let mut walk = Walk::new(Level::Trace);
        for log in logs.iter().chain(beside) {
            let parts = parts_of(log)?;
            let (labels, _) = self.known(log, &parts)?;
            walk.add(&parts, &labels)?;
        }
        let mut met = 0;
        while let Some((_, line)) = walk.next()? {
            met += 1;
            if met % PROGRESS_LINES == 0 && !loki.goes_on(None) {
                return Err(Failure::Loki("it was ended".to_owned()));
            }
            let Met::Line(line, text) = line else { continue };
            if let Some(index) = self.indexes.get(&line.stream) {
                self.streams[*index].excuse(line.ns, text);
            }
        }
        Ok(())
    }

    fn tell<A>(&self, loki: &mut Patient<'_, '_, A>) {
        loki.seen.bytes = self.walk.bytes;
        loki.seen.compared = self.record.files.iter().map(|tally| tally.lines).sum();
        loki.seen.lacking = self.record.files.iter().map(|tally| tally.lacking).sum();
    }

    fn failure(&self, error: LookUpError) -> Failure {
        let (LookUpError::Refused { why } | LookUpError::Failed { why }) = error;
        Failure::Loki(format!("{}: Loki does not say which lines it has: {why}", self.endpoint))
    }

    fn verified(self, finished: bool, counts: Vec<Option<u64>>) -> Verified {
        let Record { files, unreadable, streams, gaps } = self.record;
        let walked = self.walk.files.iter().zip(files).zip(unreadable);
        let gap = |(file, stream, row): (usize, usize, Row)| Gap {
            file: self.walk.files[file].path.clone(),
            first_line: row.first_line,
            last_line: row.last_line,
            lines: row.lines,
            first: timestamp(row.first_ns),
            last: timestamp(row.last_ns),
            stream,
        };
        let mut files_of = 0..;
        let mut lost = |file: FileId| {
            let bytes = files_of.next().and_then(|index| gaps.bytes(index)).cloned();
            Lost { file, bytes: bytes.unwrap_or_default() }
        };
        let logs = self.logs.into_iter();
        let logs = logs.map(|(log, ids)| (log, ids.into_iter().map(&mut lost).collect()));
        let logs = logs.collect();
        let counts = counts.into_iter().chain(std::iter::repeat(None));
        let checked = |((check, tally), counted): ((&StreamCheck, Tally), Option<u64>)| {
            let labels = check.stream.pairs().map(|(name, value)| (name.into(), value.into()));
            StreamChecked { labels: labels.collect(), tally, extra: extra(check), counted }
        };
        Verified {
            files: walked
                .map(|((walked, tally), unreadable)| FileChecked {
                    path: walked.path.clone(),
                    lines: walked.lines,
                    below_level: walked.below_level,
                    unreadable,
                    tally,
                    damaged: walked.damaged.clone(),
                })
                .collect(),
            gaps: gaps.rows().map(gap).collect(),
            streams: self.streams.iter().zip(streams).zip(counts).map(checked).collect(),
            finished,
            logs,
        }
    }
}

/// The files of a log.
fn parts_of(log: &Path) -> Result<Vec<Part>> {
    if is_compressed(log) { Ok(vec![collected(log)?]) } else { Segments::new(log).look() }
}

fn extra(check: &StreamCheck) -> Extra {
    let Some(times) = check.extra_times() else { return Extra::Uncounted };
    let times: Vec<i64> = times.collect();
    let shown = |ns: Option<&i64>| ns.map_or_else(String::new, |ns| timestamp(*ns));
    let (first, last) = (shown(times.iter().min()), shown(times.iter().max()));
    Extra::Lines { count: times.len() as u64, first, last }
}

/// What a metric query counts of a stream, over the times in which it was read.
fn count(check: &StreamCheck, loki: &mut dyn Ask) -> Option<u64> {
    let (first, last) = check.read_alone()?;
    // Whole seconds are the finest that a query takes; no line is that near to the first end.
    let seconds = last.checked_sub(first)? / 1_000_000_000 + 1;
    let query = format!("sum(count_over_time({}[{seconds}s]))", check.stream.selector());
    let question = Question { query: &query, wanted: Wanted::Value { at_ns: last } };
    counted(&loki.ask(&question).ok()?)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
