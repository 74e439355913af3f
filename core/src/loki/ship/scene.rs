//! A log, a stand-in for Loki, and what ships the one to the other, for tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::engine::{Engine, Rules, Step};
use super::identity::LineHash;
use super::offset::{Offset, Target};
use super::offset_file::OffsetFile;
use super::pace::{Clock, Moment};
use super::plan::Backoff;
use crate::loki::wire::answer::{Answer, read};
use crate::loki::wire::ask::LookUpError;
use crate::loki::wire::batch::Batch;
use crate::loki::wire::query::Found;
use crate::loki::wire::refusal::Rest;
use crate::loki::wire::sink::Sink;
use crate::names;
use crate::record::Level;
use crate::stats::Delivery;

/// What the clock shows when a scene begins.
const BEGAN: Duration = Duration::from_secs(100);

/// What the stand-in for Loki does with a push.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    Store,
    Refuse,
    /// The connection is lost; so much of the push (of 4) is stored.
    Lose(usize),
    /// Nobody waits for the answer any more; it is stored so many milliseconds later.
    Late(usize),
    TooLarge,
    /// More than so many lines at once are beyond the burst.
    Burst(usize),
    Hold,
    /// A 400 that names nothing; stored is what is not bad.
    Bad(Rest),
}

/// What the stand-in does with a look-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reading {
    Works,
    Fails,
    Refused,
}

/// Loki, as a test wants it, with what it holds: each line with how often it was stored.
pub(super) struct World {
    pub(super) stored: HashMap<String, u64>,
    /// What is to be stored, and when.
    arriving: Vec<(Duration, Vec<String>)>,
    pub(super) acts: VecDeque<Act>,
    pub(super) then: Act,
    pub(super) reading: Reading,
    pub(super) pushes: Vec<usize>,
    pub(super) look_ups: usize,
    pub(super) renewals: usize,
    pub(super) seed: Option<u64>,
    /// Lines with BEHIND are too far behind.
    pub(super) behind: bool,
    pub(super) now: Moment,
}

pub(crate) fn random(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap() % below
}

impl World {
    fn act(&mut self) -> Act {
        if let Some(seed) = &mut self.seed {
            return match random(seed, 10) {
                0 => Act::Refuse,
                1 => Act::Lose(random(seed, 5)),
                2 => Act::Hold,
                3 => Act::TooLarge,
                4 => Act::Bad([Rest::Unknown, Rest::NotStored][random(seed, 2)]),
                // Who comes after a kill waits two seconds.
                5 => Act::Late(random(seed, 1900)),
                _ => Act::Store,
            };
        }
        self.acts.pop_front().unwrap_or(self.then)
    }

    fn reading(&mut self) -> Reading {
        let fails = self.seed.as_mut().is_some_and(|seed| random(seed, 4) == 0);
        if fails { Reading::Fails } else { self.reading }
    }

    /// Why a line is refused, if it is.
    fn refusal(&self, line: &[u8]) -> Option<&'static str> {
        if has(line, "BEHIND") && self.behind {
            return Some("entry too far behind");
        }
        (has(line, "BAD") || has(line, "WORSE")).then_some("it is bad")
    }

    fn store(&mut self, lines: &[&[u8]]) {
        self.store_at(self.now.at, lines);
        self.arrive();
    }

    fn store_at(&mut self, at: Duration, lines: &[&[u8]]) {
        let texts = lines.iter().map(|line| String::from_utf8(line.to_vec()).unwrap());
        self.arriving.push((at, texts.collect()));
    }

    /// What was under way is stored when its time has come.
    fn arrive(&mut self) {
        for (at, texts) in std::mem::take(&mut self.arriving) {
            if at > self.now.at {
                self.arriving.push((at, texts));
                continue;
            }
            for text in texts {
                *self.stored.entry(text).or_default() += 1;
            }
        }
    }
}

#[derive(Clone)]
pub(super) struct Stub(Arc<Mutex<World>>);

fn has(line: &[u8], what: &str) -> bool {
    memchr::memmem::find(line, what.as_bytes()).is_some()
}

/// A refusal that names nothing.
fn unnamed(rest: Rest) -> Answer {
    read(if rest == Rest::NotStored { 422 } else { 400 }, b"as the test wants it")
}

/// A refusal that names lines, the first ten of them, as an ingester does.
fn naming(refused: &[(&[u8], &str)], of: usize) -> Answer {
    let mut text = String::new();
    for (line, reason) in refused.iter().take(10) {
        let line = std::str::from_utf8(line).unwrap();
        let (date, time) = (&line[14..24], &line[25..43]);
        let _ = writeln!(
            text,
            "entry with timestamp {date} {time} +0000 UTC ignored, reason: '{reason}',"
        );
    }
    let count = refused.len();
    let _ = write!(text, "user 'fake', total ignored: {count} out of {of} for stream: {{}}");
    read(400, text.as_bytes())
}

impl Sink for Stub {
    fn push(&mut self, batch: &Batch) -> Answer {
        let mut world = self.0.lock().unwrap();
        world.arrive();
        let act = world.act();
        world.pushes.push(batch.len());
        let why = "as the test wants it".to_owned();
        let all: Vec<&[u8]> = batch.lines().map(|(_, line)| line).collect();
        let bad = all.iter().any(|line| has(line, "BAD"));
        let fates: Vec<_> = all.iter().map(|line| (*line, world.refusal(line))).collect();
        let taken: Vec<&[u8]> =
            fates.iter().filter(|(_, why)| why.is_none()).map(|(line, _)| *line).collect();
        match act {
            Act::Store => {
                world.store(&taken);
                let refused: Vec<_> =
                    fates.iter().filter_map(|(line, why)| Some((*line, (*why)?))).collect();
                match refused.is_empty() {
                    true => Answer::Stored,
                    false if bad => unnamed(Rest::Unknown),
                    false => naming(&refused, batch.len()),
                }
            }
            Act::Lose(quarters) => {
                world.store(&taken[..taken.len() * quarters / 4]);
                Answer::Unknown { why }
            }
            Act::Late(ms) => {
                let at = world.now.at + Duration::from_millis(ms as u64);
                world.store_at(at, &taken);
                Answer::Late { why }
            }
            // A single line would be quarantined.
            Act::TooLarge if batch.len() > 1 => Answer::TooLarge { why },
            Act::Bad(rest) if bad || batch.len() > 1 => {
                if rest == Rest::Unknown {
                    world.store(&taken);
                }
                unnamed(rest)
            }
            Act::Refuse | Act::TooLarge | Act::Bad(_) => Answer::NotStored { why },
            Act::Burst(most) if batch.len() > most => Answer::TooFast { why },
            Act::Burst(_) => {
                world.store(&taken);
                Answer::Stored
            }
            Act::Hold => Answer::Hold { why },
        }
    }

    fn look_up(&mut self, batch: &Batch) -> std::result::Result<Found, LookUpError> {
        let mut world = self.0.lock().unwrap();
        world.arrive();
        world.look_ups += 1;
        let why = "as the test wants it".to_owned();
        match world.reading() {
            Reading::Refused => Err(LookUpError::Refused { why }),
            Reading::Fails => Err(LookUpError::Failed { why }),
            Reading::Works => {
                let holds =
                    |line: &[u8]| world.stored.contains_key(std::str::from_utf8(line).unwrap());
                Ok(Found::new(batch.lines().map(|(_, line)| holds(line)).collect()))
            }
        }
    }

    fn renew(&mut self) -> std::result::Result<(), String> {
        self.0.lock().unwrap().renewals += 1;
        Ok(())
    }
}

impl Clock for Stub {
    fn now(&self) -> Moment {
        self.0.lock().unwrap().now
    }
}

/// A log, a Loki, and what ships the one to the other.
pub(super) struct Scene {
    _folder: tempfile::TempDir,
    pub(super) log: PathBuf,
    pub(super) world: Stub,
    pub(super) engine: Engine<Stub>,
    pub(super) written: u64,
    pub(super) batch_lines: usize,
}

pub(super) fn target() -> Target {
    Target { endpoint: "http://loki".into(), tenant: None, min_level: "INFO".into() }
}

impl Scene {
    pub(super) fn new() -> Self {
        // In memory where there is such a place: offsets are forced to the disk a hundred times.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let log = folder.path().join("c-h.jsonl");
        let world = Stub(Arc::new(Mutex::new(World {
            stored: HashMap::new(),
            arriving: Vec::new(),
            acts: VecDeque::new(),
            then: Act::Store,
            reading: Reading::Works,
            pushes: Vec::new(),
            look_ups: 0,
            renewals: 0,
            seed: None,
            behind: false,
            now: Moment { at: BEGAN, ns: 1_795_342_272_000_000_000 },
        })));
        let engine = Self::engine(&log, &world, 7, false);
        Self { _folder: folder, log, world, engine, written: 0, batch_lines: 7 }
    }

    pub(super) fn engine(
        log: &Path,
        world: &Stub,
        batch_lines: usize,
        from_start: bool,
    ) -> Engine<Stub> {
        let backoff = Backoff { base: Duration::from_millis(500), factor: 2.0, max_retries: None };
        let flush_interval = Duration::from_secs(1);
        // Pauses differ from process to process, and are the same in each run of a test.
        let seed =
            (world.0.lock().unwrap().pushes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let rules = Rules { min_level: Level::Info, batch_lines, flush_interval, backoff, seed };
        let labels = BTreeMap::new();
        let clock = Box::new(world.clone());
        Engine::open(log, &target(), Some(&labels), from_start, rules, world.clone(), clock)
    }

    /// The process dies, and another one takes over.
    pub(super) fn kill(&mut self) {
        self.engine = Self::engine(&self.log, &self.world, self.batch_lines, false);
    }

    pub(super) fn world<T>(&self, ask: impl FnOnce(&mut World) -> T) -> T {
        ask(&mut self.world.0.lock().unwrap())
    }

    pub(super) fn append(&mut self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn line(&mut self, level: &str, workload: &str, message: &str) -> String {
        self.written += 1;
        let ns = 123_000_000 + self.written;
        format!(
            "{{\"timestamp\":\"2026-11-22T10:11:12.{ns:09}Z\",\"level\":\"{level}\",\
             \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\
             \"message\":\"{message} {}\",\"event_type\":\"log\",\"workload\":\"{workload}\",\
             \"repetition\":1}}\n",
            self.written
        )
    }

    pub(super) fn lines(&mut self, count: usize) {
        let lines: String = (0..count).map(|_| self.line("INFO", "w", "m")).collect();
        self.append(&lines);
    }

    pub(super) fn rotate(&self, number: u64) {
        std::fs::rename(&self.log, names::segment(&self.log, number)).unwrap();
    }

    /// One step; time passes where there is nothing to do.
    pub(super) fn step(&mut self) -> Step {
        let step = self.engine.step();
        if let Step::Idle(until) = step {
            self.world(|world| {
                let passed = until.saturating_sub(world.now.at).max(Duration::from_millis(1));
                world.now.at += passed;
                world.now.ns += i64::try_from(passed.as_nanos()).unwrap();
            });
        }
        self.check();
        step
    }

    pub(super) fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Since the scene began.
    pub(super) fn elapsed(&self) -> Duration {
        self.world(|world| world.now.at.saturating_sub(BEGAN))
    }

    /// Until nothing is left to do.
    pub(super) fn run(&mut self) -> Delivery {
        self.engine.finish();
        for _ in 0..200_000 {
            self.step();
            if self.engine.is_done() {
                return self.engine.delivery();
            }
        }
        panic!("never done: {:?}, {:?}", self.engine.delivery(), self.engine.last_failure());
    }

    pub(super) fn saved(&self) -> Option<Offset> {
        OffsetFile::new(&self.log, &target()).read(&target()).unwrap()
    }

    pub(super) fn quarantined(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(names::quarantine(&self.log)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What must hold at any moment: the accounting, and that no line before a mark in the offset
    /// file is somebody's loss.
    pub(super) fn check(&self) {
        let sum = self.engine.delivery();
        assert_eq!(
            sum.lines,
            sum.acknowledged + sum.below_level + sum.pending + sum.quarantined,
            "{sum:?}"
        );
        let Some(offset) = self.saved() else { return };
        let quarantined: HashSet<String> = self
            .quarantined()
            .iter()
            .map(|entry| entry["line"].as_str().unwrap().to_owned())
            .collect();
        for segment in &offset.segments {
            let path = self.log.with_file_name(&segment.file);
            // Rotated since the offset was saved, or deleted by the test.
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            if LineHash::of(text.lines().next().unwrap_or_default().as_bytes()) != segment.first {
                continue;
            }
            let mut at = 0;
            for line in text.split_inclusive('\n') {
                let (start, text) = (at, line.trim_end_matches('\n'));
                at += line.len() as u64;
                let passed = at <= segment.mark || segment.done.end_at(start).is_some();
                let parked =
                    segment.parked.iter().any(|group| group.ranges.end_at(start).is_some());
                let stored = self.world(|world| world.stored.contains_key(text));
                let dealt_with = stored
                    || parked
                    || quarantined.contains(text)
                    || line.contains("\"level\":\"DEBUG\"");
                assert!(!passed || dealt_with, "the offset passed {line} in {segment:?}");
            }
        }
    }

    /// Every record of these lines is in Loki once, or (bad ones, and what is no record) in the
    /// quarantine once.
    pub(super) fn check_all(&self, texts: &[String], replayed: u64) {
        let quarantined = self.quarantined();
        let stored = self.world(|world| world.stored.clone());
        let (mut times, mut mistakes) = (0, String::new());
        for text in texts.iter().flat_map(|text| text.lines()) {
            let in_quarantine =
                quarantined.iter().filter(|entry| entry["line"].as_str() == Some(text)).count();
            let in_loki = stored.get(text).copied().unwrap_or(0);
            let wanted = match text {
                _ if text.contains("\"DEBUG\"") => (0, 0),
                _ if text.contains("BAD") || text.contains("WORSE") || !text.starts_with('{') => {
                    (0, 1)
                }
                _ => (in_loki.max(1), 0),
            };
            times += in_loki.saturating_sub(1);
            if (in_loki, in_quarantine) != wanted {
                let _ =
                    writeln!(mistakes, "{in_loki} × Loki, {in_quarantine} × quarantine: {text}");
            }
        }
        assert!(mistakes.is_empty(), "{mistakes}");
        assert!(times <= replayed, "{times} doubled, {replayed} counted as replayed");
    }

    pub(super) fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}
