#![allow(clippy::unwrap_used)]
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use super::super::answer::{Answer, read};
use super::super::batch::Batch;
use super::super::query::{Found, LookUpError};
use super::super::refusal::Rest;
use super::*;
use crate::names;

/// What the stand-in for Loki does with a push.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Store,
    Refuse,
    /// The connection is lost; so much of the push (of 4) is stored.
    Lose(usize),
    TooLarge,
    Hold,
    /// A 400 that names nothing; stored is what is not bad.
    Bad(Rest),
}

/// What the stand-in does with a look-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    Works,
    Fails,
    Refused,
}

/// Loki, as a test wants it, with what it holds: each line with how often it was stored.
struct World {
    stored: HashMap<String, u64>,
    acts: VecDeque<Act>,
    then: Act,
    reading: Reading,
    pushes: Vec<usize>,
    look_ups: usize,
    renewals: usize,
    seed: Option<u64>,
    now: Moment,
}

fn random(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap() % below
}

impl World {
    fn act(&mut self) -> Act {
        if let Some(seed) = &mut self.seed {
            return match random(seed, 9) {
                0 => Act::Refuse,
                1 => Act::Lose(random(seed, 5)),
                2 => Act::Hold,
                3 => Act::TooLarge,
                4 => Act::Bad([Rest::Unknown, Rest::NotStored][random(seed, 2)]),
                _ => Act::Store,
            };
        }
        self.acts.pop_front().unwrap_or(self.then)
    }

    fn reading(&mut self) -> Reading {
        let fails = self.seed.as_mut().is_some_and(|seed| random(seed, 4) == 0);
        if fails { Reading::Fails } else { self.reading }
    }

    fn store<'l>(&mut self, lines: impl Iterator<Item = &'l [u8]>) {
        for line in lines {
            let text = String::from_utf8(line.to_vec()).unwrap();
            *self.stored.entry(text).or_default() += 1;
        }
    }
}

#[derive(Clone)]
struct Stub(Arc<Mutex<World>>);

fn is_bad(line: &[u8]) -> bool {
    memchr::memmem::find(line, b"BAD").is_some()
}

/// A refusal that names nothing.
fn unnamed(rest: Rest) -> Answer {
    read(if rest == Rest::NotStored { 422 } else { 400 }, b"as the test wants it")
}

impl Sink for Stub {
    fn push(&mut self, batch: &Batch) -> Answer {
        let mut world = self.0.lock().unwrap();
        let act = world.act();
        world.pushes.push(batch.len());
        let why = "as the test wants it".to_owned();
        let lines = || batch.lines().map(|(_, line)| line);
        let bad = lines().any(is_bad);
        match act {
            Act::Store if bad => {
                world.store(lines().filter(|line| !is_bad(line)));
                unnamed(Rest::Unknown)
            }
            Act::Store => {
                world.store(lines());
                Answer::Stored
            }
            Act::Refuse => Answer::NotStored { why },
            Act::Lose(quarters) => {
                world.store(lines().take(batch.len() * quarters / 4).filter(|line| !is_bad(line)));
                Answer::Unknown { why }
            }
            // A single line would be quarantined.
            Act::TooLarge if batch.len() > 1 => Answer::TooLarge { why },
            Act::Bad(rest) if bad || batch.len() > 1 => {
                if rest == Rest::Unknown {
                    world.store(lines().filter(|line| !is_bad(line)));
                }
                unnamed(rest)
            }
            Act::TooLarge | Act::Bad(_) => Answer::NotStored { why },
            Act::Hold => Answer::Hold { why },
        }
    }

    fn look_up(&mut self, batch: &Batch) -> std::result::Result<Found, LookUpError> {
        let mut world = self.0.lock().unwrap();
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
struct Scene {
    _folder: tempfile::TempDir,
    log: PathBuf,
    world: Stub,
    engine: Engine<Stub>,
    written: u64,
    batch_lines: usize,
}

fn target() -> Target {
    Target { endpoint: "http://loki".into(), tenant: None, min_level: "INFO".into() }
}

impl Scene {
    fn new() -> Self {
        // In memory where there is such a place: offsets are forced to the disk a hundred times.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let log = folder.path().join("c-h.jsonl");
        let world = Stub(Arc::new(Mutex::new(World {
            stored: HashMap::new(),
            acts: VecDeque::new(),
            then: Act::Store,
            reading: Reading::Works,
            pushes: Vec::new(),
            look_ups: 0,
            renewals: 0,
            seed: None,
            now: Moment { at: Duration::from_secs(100), ns: 1_795_342_272_000_000_000 },
        })));
        let engine = Self::engine(&log, &world, 7, false);
        Self { _folder: folder, log, world, engine, written: 0, batch_lines: 7 }
    }

    fn engine(log: &Path, world: &Stub, batch_lines: usize, from_start: bool) -> Engine<Stub> {
        let backoff = Backoff { base: Duration::from_millis(500), factor: 2.0, max_retries: None };
        let flush_interval = Duration::from_secs(1);
        let rules = Rules { min_level: Level::Info, batch_lines, flush_interval, backoff };
        let labels = BTreeMap::new();
        let clock = Box::new(world.clone());
        Engine::open(log, &target(), Some(&labels), from_start, rules, world.clone(), clock)
    }

    /// The process dies, and another one takes over.
    fn kill(&mut self) {
        self.engine = Self::engine(&self.log, &self.world, self.batch_lines, false);
    }

    fn world<T>(&self, ask: impl FnOnce(&mut World) -> T) -> T {
        ask(&mut self.world.0.lock().unwrap())
    }

    fn append(&mut self, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.log).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self, level: &str, workload: &str, message: &str) -> String {
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

    fn lines(&mut self, count: usize) {
        let lines: String = (0..count).map(|_| self.line("INFO", "w", "m")).collect();
        self.append(&lines);
    }

    fn rotate(&self, number: u64) {
        std::fs::rename(&self.log, names::segment(&self.log, number)).unwrap();
    }

    /// One step; time passes where there is nothing to do.
    fn step(&mut self) -> Step {
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

    /// Until nothing is left to do.
    fn run(&mut self) -> Delivery {
        self.engine.finish();
        for _ in 0..200_000 {
            self.step();
            if self.engine.is_done() {
                return self.engine.delivery();
            }
        }
        panic!("never done: {:?}, {:?}", self.engine.delivery(), self.engine.last_failure());
    }

    fn saved(&self) -> Option<Offset> {
        OffsetFile::new(&self.log, &target()).read(&target()).unwrap()
    }

    fn quarantined(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(names::quarantine(&self.log)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What must hold at any moment: the accounting, and that no line before a mark in the offset
    /// file is somebody's loss.
    fn check(&self) {
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
    fn check_all(&self, texts: &[String], replayed: u64) {
        let quarantined = self.quarantined();
        let stored = self.world(|world| world.stored.clone());
        let (mut times, mut mistakes) = (0, String::new());
        for text in texts.iter().flat_map(|text| text.lines()) {
            let in_quarantine =
                quarantined.iter().filter(|entry| entry["line"].as_str() == Some(text)).count();
            let in_loki = stored.get(text).copied().unwrap_or(0);
            let wanted = match text {
                _ if text.contains("\"DEBUG\"") => (0, 0),
                _ if text.contains("BAD") || !text.starts_with('{') => (0, 1),
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

    fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

#[test]
fn lines_from_the_level_up_are_shipped_and_all_are_counted() {
    let mut scene = Scene::new();
    scene.lines(10);
    for (level, workload) in [("DEBUG", "w"), ("ERROR", "v"), ("INFO", "w")] {
        let line = scene.line(level, workload, "m");
        scene.append(&line);
    }
    scene.append("no record\n");
    let done = scene.run();
    assert_eq!(
        [done.lines, done.acknowledged, done.below_level, done.quarantined, done.pending],
        [14, 12, 1, 1, 0]
    );
    assert_eq!(scene.world(|world| world.pushes.clone()), [7, 4, 1]);
    scene.check_all(&[scene.text()], 0);
    let entry = &scene.quarantined()[0];
    assert_eq!(
        (entry["line"].as_str(), entry["segment"].as_str()),
        (Some("no record"), Some("c-h.jsonl"))
    );

    // Another process finds nothing to do, and goes on where this one was.
    scene.kill();
    assert_eq!(scene.run(), done);
    scene.lines(1);
    assert_eq!(scene.run().acknowledged, 13);
    assert_eq!(scene.world(|world| (world.pushes.len(), world.look_ups)), (4, 0));
}

#[test]
fn half_a_line_is_not_shipped() {
    let mut scene = Scene::new();
    scene.append("{\"half");
    assert_eq!(scene.run().lines, 0);
    assert!(scene.quarantined().is_empty());
}

#[test]
fn a_refused_connection_is_tried_again_later_and_later() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.world(|world| world.acts.extend([Act::Refuse; 12]));
    let began = scene.world(|world| world.now.at);
    let done = scene.run();
    assert_eq!((done.acknowledged, scene.world(|world| world.look_ups)), (3, 0));
    let took = scene.world(|world| world.now.at) - began;
    // 0.5 + 1 + 2 + … 16 s, then 30 s each, at most.
    assert!(took <= Duration::from_secs(32 + 6 * 30 + 10), "{took:?}");
    assert!(scene.engine.last_failure().is_none());
}

#[test]
fn an_unknown_answer_is_looked_up_and_only_what_is_missing_is_sent() {
    let mut scene = Scene::new();
    scene.lines(7);
    scene.world(|world| world.acts.extend([Act::Lose(2), Act::Store]));
    let began = scene.world(|world| world.now.at);
    assert_eq!(scene.run().acknowledged, 7);
    assert!(scene.world(|world| world.now.at) - began >= Duration::from_secs(2));
    assert_eq!(scene.world(|world| (world.pushes.clone(), world.look_ups)), (vec![7, 4], 1));
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn where_reading_is_refused_it_is_sent_again_and_counted() {
    let mut scene = Scene::new();
    scene.lines(7);
    scene.world(|world| {
        world.reading = Reading::Refused;
        world.acts.extend([Act::Lose(4), Act::Store]);
    });
    let done = scene.run();
    assert_eq!((done.acknowledged, done.replayed), (7, 7));
    scene.check_all(&[scene.text()], 7);
}

#[test]
fn too_large_is_split_and_a_bad_line_found_by_halving() {
    let mut scene = Scene::new();
    scene.lines(5);
    let bad = scene.line("INFO", "w", "BAD");
    scene.append(&bad);
    scene.world(|world| {
        world.acts.extend([Act::TooLarge]);
        world.then = Act::Bad(Rest::NotStored);
    });
    for _ in 0..40 {
        scene.step();
    }
    scene.world(|world| world.then = Act::Store);
    let done = scene.run();
    assert_eq!([done.acknowledged, done.quarantined, done.pending], [5, 1, 0]);
    scene.check_all(&[scene.text()], 0);
    assert_eq!(scene.quarantined()[0]["reason"], "HTTP 400: as the test wants it");
}

#[test]
fn a_hold_waits_half_a_minute_and_reads_secrets_again() {
    let mut scene = Scene::new();
    scene.lines(2);
    scene.world(|world| world.acts.extend([Act::Hold, Act::Hold]));
    let began = scene.world(|world| world.now.at);
    assert_eq!(scene.run().acknowledged, 2);
    assert_eq!(scene.world(|world| world.renewals), 2);
    assert!(scene.world(|world| world.now.at) - began >= Duration::from_secs(60));
}

#[test]
fn lines_are_counted_while_loki_is_away() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.world(|world| world.then = Act::Refuse);
    (0..50).for_each(|_| drop(scene.step()));
    scene.rotate(1);
    scene.lines(100);
    (0..50).for_each(|_| drop(scene.step()));
    let sum = scene.engine.delivery();
    assert_eq!((sum.lines, sum.pending, sum.acknowledged), (103, 103, 0));
    scene.engine.leave();
    scene.world(|world| world.then = Act::Store);
    scene.kill();
    assert_eq!(scene.run().acknowledged, 103);
    // What surely was not stored is not looked up.
    assert_eq!(scene.world(|world| world.look_ups), 0);
}

#[test]
fn segments_are_known_by_their_content() {
    let mut scene = Scene::new();
    scene.lines(5);
    let mut all = vec![scene.text()];
    scene.run();
    scene.rotate(1);
    scene.lines(5);
    all.push(scene.text());
    scene.rotate(2);
    scene.lines(5);
    all.push(scene.text());
    let done = scene.run();
    assert_eq!((done.lines, done.acknowledged), (15, 15));
    // A copy on another disk, under another process.
    for name in [names::segment(&scene.log, 1), scene.log.clone()] {
        let copy = name.with_extension("copy");
        std::fs::copy(&name, &copy).unwrap();
        std::fs::rename(&copy, &name).unwrap();
    }
    scene.kill();
    assert_eq!(scene.run(), done);
    scene.check_all(&all, 0);
    // Deleted ones are forgotten; lost is only what was pending.
    std::fs::remove_file(names::segment(&scene.log, 1)).unwrap();
    scene.kill();
    let left = scene.run();
    assert_eq!((left.lines, left.missing), (10, 0));
    scene.lines(3);
    scene.kill();
    scene.world(|world| world.then = Act::Refuse);
    (0..20).for_each(|_| drop(scene.step()));
    scene.rotate(3);
    scene.lines(1);
    std::fs::remove_file(names::segment(&scene.log, 3)).unwrap();
    scene.world(|world| world.then = Act::Store);
    scene.kill();
    let left = scene.run();
    assert_eq!((left.lines, left.pending), (6, 0), "{left:?}");
}

#[test]
fn a_log_cut_behind_the_offset_is_shipped_again_from_the_last_proven_point() {
    for keep in [0, 3, 10, 17] {
        let mut scene = Scene::new();
        for _ in 0..5 {
            scene.lines(4);
            let line = scene.line("DEBUG", "w", "m");
            scene.append(&line);
            scene.run();
        }
        let before = scene.text();
        let kept: String = before.split_inclusive('\n').take(keep).collect();
        std::fs::write(&scene.log, &kept).unwrap();
        // The lines that follow have the length of those that were lost.
        scene.lines(30);
        let after = scene.text();
        scene.kill();
        let done = scene.run();
        assert_eq!(done.lines, keep as u64 + 30, "{keep}");
        assert_eq!(done.pending, 0);
        let debug = kept.lines().filter(|line| line.contains("DEBUG")).count() as u64;
        assert_eq!((done.below_level, done.acknowledged), (debug, keep as u64 + 30 - debug));
        scene.check_all(&[after], 0);
    }
}

#[test]
fn a_damaged_offset_file_doubles_nothing() {
    let mut scene = Scene::new();
    scene.lines(20);
    scene.append("no record\n");
    let done = scene.run();
    std::fs::write(names::offset(&scene.log, target().id()), "{").unwrap();
    scene.kill();
    assert_eq!(scene.run(), done);
    let all = scene.text();
    scene.check_all(&[all], 0);
    assert_eq!(scene.world(|world| world.stored.values().sum::<u64>()), 20);
}

#[test]
fn from_the_start_sends_what_is_missing() {
    let mut scene = Scene::new();
    scene.lines(20);
    scene.run();
    let gone = scene.text().lines().nth(4).unwrap().to_owned();
    scene.world(|world| world.stored.remove(&gone));
    scene.engine = Scene::engine(&scene.log, &scene.world, 7, true);
    assert_eq!(scene.run().acknowledged, 20);
    scene.check_all(&[scene.text()], 0);
}

#[test]
fn a_deleted_folder_is_left_alone() {
    let mut scene = Scene::new();
    scene.lines(3);
    scene.run();
    let folder = scene.log.parent().unwrap().to_path_buf();
    std::fs::remove_dir_all(&folder).unwrap();
    (0..20).for_each(|_| drop(scene.engine.step()));
    assert!(!folder.exists());
    std::fs::create_dir(folder).unwrap();
}

/// Random answers, a process killed between any two steps, a log that grows and rotates.
#[test]
fn whatever_happens_each_line_arrives_once() {
    let seeds = std::env::var("LB_SHIP_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(40_u64) {
        let mut dice = seed;
        let mut scene = Scene::new();
        scene.batch_lines = 1 + random(&mut dice, 9);
        scene.kill();
        let reads = random(&mut dice, 4) > 0;
        scene.world(|world| {
            world.seed = Some(seed ^ 0x5eed);
            world.reading = if reads { Reading::Works } else { Reading::Refused };
        });
        let (mut rotated, mut segments) = (Vec::new(), 0);
        for _ in 0..150 {
            match random(&mut dice, 40) {
                0..4 => scene.kill(),
                4 => {
                    scene.engine.leave();
                    scene.kill();
                }
                5..15 => {
                    let level = ["DEBUG", "INFO", "ERROR"][random(&mut dice, 3)];
                    let workload = ["v", "w"][random(&mut dice, 2)];
                    let message = ["m", "m", "m", "BAD"][random(&mut dice, 4)];
                    let lines: String = (0..random(&mut dice, 6))
                        .map(|_| scene.line(level, workload, message))
                        .collect();
                    scene.append(&lines);
                }
                15 => {
                    scene.written += 1;
                    let number = scene.written;
                    scene.append(&format!("no record {number}\n"));
                }
                16 if scene.log.exists() && !scene.text().is_empty() => {
                    rotated.push(scene.text());
                    segments += 1;
                    scene.rotate(segments);
                }
                _ => drop(scene.step()),
            }
        }
        scene.world(|world| world.seed = None);
        let done = scene.run();
        scene.append("");
        println!("seed {seed}, reading {reads}: {done:?}");
        rotated.push(scene.text());
        let lines: u64 = rotated.iter().map(|text| text.lines().count() as u64).sum();
        assert_eq!((done.lines, done.pending), (lines, 0), "seed {seed}: {done:?}");
        assert!(!reads || done.replayed == 0, "seed {seed}: {done:?}");
        scene.check_all(&rotated, done.replayed);
    }
}
