#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;

use super::super::patient::Verifying;
use super::*;
use crate::config::{Surroundings, load_with};
use crate::loki::ship::offset::{Offset, Place as Position, Why};
use crate::loki::ship::offset_file::OffsetFile;
use crate::loki::ship::parcel::PUSH_BYTES;
use crate::loki::wire::ask::AskError;
use crate::loki::wire::held::Held;
use crate::loki::wire::line::LineReader;
use crate::names;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;
const START: i64 = 1_795_342_272 * SECOND;

/// A folder with logs, and the Loki that they are compared with.
struct Scene {
    folder: tempfile::TempDir,
    config: LokiConfig,
    /// Lines that Loki does not have, by what their messages hold.
    lost: Vec<&'static str>,
    /// Lines that Loki has besides.
    more: Vec<String>,
    adjust: fn(&mut Held),
}

fn line(ns: i64, level: &str, workload: &str, message: &str) -> String {
    format!(
        "{{\"timestamp\":\"{}\",\"level\":\"{level}\",\"component\":\"c\",\"host\":\"h\",\
         \"run_id\":\"r\",\"logger\":\"l\",\"message\":\"{message}\",\"event_type\":\"log\",\
         \"workload\":\"{workload}\",\"repetition\":1}}\n",
        timestamp(ns)
    )
}

/// So many lines of two streams in turns, a millisecond apart.
fn lines(numbers: std::ops::Range<i64>) -> String {
    let mut text = String::new();
    for n in numbers {
        let workload = if n % 2 == 0 { "even" } else { "odd" };
        let _ = write!(
            text,
            "{}",
            line(START + n * SECOND / 1000, "INFO", workload, &format!("<{n}>"))
        );
    }
    text
}

impl Scene {
    fn new() -> Self {
        let request = serde_json::json!({"loki": {"endpoint": "http://loki"}}).to_string();
        let around =
            Surroundings { env: Vec::new(), home: None, ..Surroundings::of_process().unwrap() };
        let config = load_with(request.as_bytes(), &around).unwrap().loki.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, config, lost: Vec::new(), more: Vec::new(), adjust: |_| {} }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// What Loki holds of these logs.
    fn loki(&self, logs: &[PathBuf]) -> Held {
        let mut reader = LineReader::new(&self.config.labels);
        let mut streams: BTreeMap<String, Vec<(i64, String)>> = BTreeMap::new();
        let mut texts: Vec<String> = logs
            .iter()
            .flat_map(|log| parts_of(log).unwrap())
            .map(|part| std::fs::read_to_string(part.path).unwrap_or_default())
            .collect();
        texts.extend(self.more.iter().cloned());
        for text in texts.iter().flat_map(|text| text.lines()) {
            let Ok(read) = reader.read(text.as_bytes()) else { continue };
            let lost = self.lost.iter().any(|lost| text.contains(lost));
            let wanted =
                read.level >= self.config.min_level || self.more.iter().any(|m| m.trim() == text);
            if wanted && !lost {
                let lines = streams.entry(read.stream.selector().to_owned()).or_default();
                lines.push((read.ns, text.to_owned()));
            }
        }
        let streams: Vec<_> = streams.iter().map(|(s, lines)| (&**s, &**lines)).collect();
        let mut held = Held::new(&streams);
        (self.adjust)(&mut held);
        held
    }

    fn verify(&self, logs: &[PathBuf]) -> Verified {
        self.verify_with(logs, &[], self.loki(logs))
    }

    fn verify_with(&self, logs: &[PathBuf], beside: &[PathBuf], loki: Held) -> Verified {
        let mut watch = |_: &Verifying, _: Option<&str>| ControlFlow::Continue(());
        let mut loki = Patient::new(loki, &mut watch);
        Verifier::new(logs, BTreeMap::new(), &self.config)
            .unwrap()
            .run(logs, beside, &mut loki)
            .unwrap()
    }
}

fn gaps(verified: &Verified) -> Vec<(u64, u64, u64)> {
    verified.gaps.iter().map(|gap| (gap.first_line, gap.last_line, gap.lines)).collect()
}

fn extra_of(verified: &Verified) -> Vec<u64> {
    let count = |stream: &StreamChecked| match stream.extra {
        Extra::Lines { count, .. } => count,
        Extra::Uncounted => panic!("{stream:?}"),
    };
    verified.streams.iter().map(count).collect()
}

#[test]
fn all_is_there() {
    let scene = Scene::new();
    let debug = line(START, "DEBUG", "even", "not shipped");
    let log = scene.write("a.jsonl", &(debug + &lines(0..20_000) + "{\"timest"));
    let verified = scene.verify(&[log]);
    assert!(verified.is_equal(), "{:?}", verified.tally());
    let tally = Tally { lines: 20_000, held: 20_000, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
    assert_eq!((verified.files[0].lines, verified.files[0].below_level), (20_001, 1));
    assert_eq!(extra_of(&verified), [0, 0]);
    let counted: Vec<_> = verified.streams.iter().map(|stream| stream.counted).collect();
    assert_eq!(counted, [Some(10_000), Some(10_000)]);
}

#[test]
fn each_gap_is_named() {
    let mut scene = Scene::new();
    let segment = scene.write("a.000001.jsonl", &lines(0..100));
    let log = scene.write("a.jsonl", &lines(100..200));
    scene.lost = vec!["<10>", "<12>", "<13>", "<98>", "<100>", "<199>"];
    let verified = scene.verify(std::slice::from_ref(&log));
    assert!(!verified.is_equal() && verified.finished);
    assert_eq!(gaps(&verified), [(11, 13, 2), (99, 99, 1), (14, 14, 1), (1, 1, 1), (100, 100, 1)]);
    let files: Vec<_> = verified.gaps.iter().map(|gap| gap.file.clone()).collect();
    assert_eq!(files, [&segment, &segment, &segment, &log, &log].map(Clone::clone));
    let gap = &verified.gaps[0];
    assert_eq!(gap.first, timestamp(START + 10 * SECOND / 1000));
    assert_eq!(gap.last, timestamp(START + 12 * SECOND / 1000));
    assert_eq!(verified.streams[gap.stream].labels["workload"], "even");
    let tally = Tally { lines: 200, held: 194, lacking: 6, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
}

#[test]
fn the_order_of_the_file_does_not_matter() {
    let mut scene = Scene::new();
    let text = lines(0..30_000);
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    // Blocks change places, one line comes very late and one much too early.
    let mut order: Vec<usize> = (0..all.len()).collect();
    for block in order.chunks_mut(3_000) {
        block.rotate_left(1_700);
    }
    order.swap(3, 29_990);
    let shuffled: String = order.iter().map(|index| all[*index]).collect();
    scene.lost = vec!["<3>", "<1700>", "<29990>", "<29991>"];
    let log = scene.write("a.jsonl", &shuffled);
    let verified = scene.verify(&[log]);
    let tally = Tally { lines: 30_000, held: 29_996, lacking: 4, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
    assert_eq!(extra_of(&verified), [0, 0]);
    assert_eq!(verified.gaps.len(), 4);
}

#[test]
fn more_than_waits_at_once() {
    let mut scene = Scene::new();
    let filler = "x".repeat(3000);
    let mut text = String::new();
    for n in 0..8_000 {
        let late = if n % 1000 == 999 { 7 * n } else { n };
        let ns = START + late * SECOND;
        let message = format!("<{n}> {filler}");
        let _ = write!(text, "{}", line(ns, "INFO", "w", &message));
    }
    assert!(text.len() > WAITING_BYTES && WAITING_BYTES > 4 * PUSH_BYTES);
    scene.lost = vec!["<0>", "<4000>", "<4001>", "<6999>", "<7999>"];
    let log = scene.write("a.jsonl", &text);
    let verified = scene.verify(&[log]);
    let tally = Tally { lines: 8_000, held: 7_995, lacking: 5, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
    assert_eq!(gaps(&verified), [(1, 1, 1), (4001, 4002, 2), (7000, 7000, 1), (8000, 8000, 1)]);
    assert_eq!(extra_of(&verified), [0]);
}

#[test]
fn equal_lines_of_one_nanosecond_count_as_one() {
    let mut scene = Scene::new();
    let same = line(START, "INFO", "even", "same");
    let lost = line(START, "INFO", "even", "lost");
    let log = scene.write("a.jsonl", &(same.repeat(3) + &lost + &lost + &lines(0..10)));
    scene.lost = vec!["lost"];
    let verified = scene.verify(&[log]);
    let tally = Tally { lines: 15, held: 13, equal: 2, lacking: 2, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
    assert_eq!(gaps(&verified), [(4, 5, 2)]);
}

#[test]
fn old_lines_that_come_late_are_no_equal_ones() {
    let scene = Scene::new();
    let text =
        lines(0..60_000) + &line(START - 3 * HOUR, "INFO", "even", "old") + &lines(60_000..60_010);
    assert!(text.len() > WAITING_BYTES / 2);
    let log = scene.write("a.jsonl", &text);
    let verified = scene.verify(&[log]);
    let tally = Tally { lines: 60_011, held: 60_011, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
    assert_eq!(extra_of(&verified), [0, 0]);
}

#[test]
fn crowded_nanoseconds() {
    let mut scene = Scene::new();
    let mut text = lines(0..100);
    for n in 0..9_000 {
        let _ = write!(text, "{}", line(START + SECOND, "INFO", "even", &format!("({n})")));
    }
    text.push_str(&lines(2_000..2_100));
    scene.lost = vec!["(0)", "(4444)", "<2001>"];
    let log = scene.write("a.jsonl", &text);
    let verified = scene.verify(&[log]);
    let tally = Tally { lines: 9_200, held: 9_197, lacking: 3, ..Tally::default() };
    assert_eq!(verified.tally(), tally);
}

#[test]
fn what_loki_has_besides() {
    let mut scene = Scene::new();
    let log =
        scene.write("a.jsonl", &(lines(0..100) + &line(START, "DEBUG", "even", "shipped before")));
    let beside = scene.write("a~00000001.jsonl", &lines(100..110));
    scene.more = vec![
        line(START, "DEBUG", "even", "shipped before"),
        lines(100..110),
        line(START - HOUR / 2, "INFO", "even", "of nobody"),
        line(START + HOUR / 2, "INFO", "odd", "of nobody"),
        line(START + HOUR / 2, "INFO", "odd", "of nobody either"),
        line(START + 9 * HOUR, "INFO", "odd", "too far away"),
    ];
    let logs = [log];
    let verified = scene.verify_with(&logs, &[beside], scene.loki(&logs));
    assert_eq!(extra_of(&verified), [1, 2]);
    assert!(verified.is_equal(), "the files' own lines are all there");
    let Extra::Lines { first, last, .. } = &verified.streams[1].extra else { panic!() };
    assert_eq!((first, last), (&timestamp(START + HOUR / 2), &timestamp(START + HOUR / 2)));
}

#[test]
fn what_was_not_sent_is_parked_or_in_quarantine_is_no_gap() {
    let mut scene = Scene::new();
    let text = lines(0..10) + "no record\n" + &lines(10..12);
    let log = scene.write("a.jsonl", &text);
    let ends: Vec<u64> = text.match_indices('\n').map(|(at, _)| at as u64 + 1).collect();
    let place = |n: usize| Position {
        segment: 0,
        start: if n == 0 { 0 } else { ends[n - 1] },
        end: ends[n],
    };
    let target = target(&scene.config);
    let mut offset = Offset::new(target.clone(), BTreeMap::new());
    let parts = parts_of(&log).unwrap();
    crate::loki::ship::segments::recognise(&mut offset, &parts, &[]).unwrap();
    for (n, end) in ends.iter().enumerate().take(11) {
        offset.segments[0].count_line(*end);
        match n {
            3 => offset.park(place(3), Why::TooFarBehind, "why", 0, 0),
            5 | 10 => offset.quarantine(place(n)),
            _ => offset.acknowledge(place(n)),
        }
    }
    OffsetFile::new(&log, &target).write(&offset).unwrap();
    let mut quarantine = crate::loki::ship::quarantine::Quarantine::new(
        &log,
        crate::loki::ship::identity::LineHash::from_id(target.id()),
    );
    for n in [5, 10] {
        let condemned = crate::loki::ship::quarantine::Condemned::new(
            &offset.segments[0],
            place(n),
            "why",
            b"",
        );
        quarantine.add(&condemned, 0);
    }
    quarantine.flush().unwrap();
    scene.lost = vec!["<3>", "<5>", "<7>", "<11>"];
    let verified = scene.verify(&[log]);
    let tally = Tally {
        lines: 13,
        held: 8,
        lacking: 1,
        pending: 1,
        parked: 1,
        quarantined: 2,
        ..Tally::default()
    };
    assert_eq!(verified.tally(), tally);
    assert_eq!(gaps(&verified), [(8, 8, 1)]);
    assert_eq!(verified.files[0].unreadable, 0);
}

#[test]
fn lines_that_are_no_records_are_told() {
    let scene = Scene::new();
    let log = scene.write("a.jsonl", &(lines(0..2) + "nonsense\n"));
    let verified = scene.verify(&[log]);
    assert_eq!((verified.tally().lines, verified.files[0].unreadable), (2, 1));
    assert!(!verified.is_equal());
}

#[test]
fn a_collected_log_is_read_as_it_is() {
    let mut scene = Scene::new();
    let plain = scene.write("plain.jsonl", &lines(0..500));
    let path = scene.path("a.jsonl.gz");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(lines(0..500).as_bytes()).unwrap();
    std::fs::write(&path, packed.finish().unwrap()).unwrap();
    scene.lost = vec!["<77>"];
    let logs = [path];
    let verified = scene.verify_with(&logs, &[], scene.loki(std::slice::from_ref(&plain)));
    assert_eq!(gaps(&verified), [(78, 78, 1)]);
    assert_eq!(verified.tally().held, 499);

    // What was in quarantine where it comes from is so here.
    let text = lines(0..500);
    let start = text.find(&lines(77..78)).unwrap() as u64;
    let first =
        crate::loki::ship::identity::LineHash::of_first(text.lines().next().unwrap().as_bytes());
    let segment = crate::loki::ship::offset::Segment { first, ..Default::default() };
    let end = start + lines(77..78).len() as u64;
    let condemned = crate::loki::ship::quarantine::Condemned::new(
        &segment,
        Position { segment: 0, start, end },
        "why",
        b"",
    );
    let id = crate::loki::ship::identity::LineHash::from_id(target(&scene.config).id());
    let mut quarantine = crate::loki::ship::quarantine::Quarantine::new(&scene.path("a.jsonl"), id);
    quarantine.add(&condemned, 0);
    quarantine.flush().unwrap();
    let entries = std::fs::read(quarantine.path()).unwrap();
    std::fs::remove_file(quarantine.path()).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&entries).unwrap();
    std::fs::write(scene.path("a.quarantined.jsonl.gz"), packed.finish().unwrap()).unwrap();
    let verified = scene.verify_with(&logs, &[], scene.loki(&[plain]));
    assert_eq!((gaps(&verified), verified.tally().quarantined), (vec![], 1));
}

#[test]
fn replays_are_counted_and_no_fault() {
    let mut scene = Scene::new();
    let log = scene.write("a.jsonl", &lines(0..10));
    scene.adjust = |held| held.counted = 2;
    let verified = scene.verify(&[log]);
    assert!(verified.is_equal());
    assert_eq!(verified.streams[0].counted, Some(10));
    assert_eq!(verified.streams[0].tally.held, 5);
}

#[test]
fn a_loki_that_does_not_answer_is_asked_again_and_a_wrong_one_is_not() {
    let mut scene = Scene::new();
    let log = scene.write("a.jsonl", &lines(0..10));
    scene.adjust = |held| held.failures = vec![AskError::Failed { why: "later".into() }];
    assert!(scene.verify(std::slice::from_ref(&log)).is_equal());
    let logs = [log];
    let mut loki = scene.loki(&logs);
    loki.failures = vec![AskError::Refused { why: "HTTP 401".into() }];
    let mut watch = |_: &Verifying, _: Option<&str>| ControlFlow::Continue(());
    let mut loki = Patient::new(loki, &mut watch);
    let refused =
        Verifier::new(&logs, BTreeMap::new(), &scene.config).unwrap().run(&logs, &[], &mut loki);
    let Err(Failure::Loki(why)) = refused else { panic!("{refused:?}") };
    assert!(
        why.starts_with("http://loki/loki/api/v1/push: ") && why.ends_with("HTTP 401"),
        "{why}"
    );
}

#[test]
fn whoever_ends_it_gets_no_proof() {
    let scene = Scene::new();
    let log = scene.write("a.jsonl", &lines(0..10));
    let logs = [log];
    let mut watch = |_: &Verifying, _: Option<&str>| ControlFlow::Break(());
    let loki = scene.loki(&logs);
    let mut loki = Patient::new(loki, &mut watch);
    let verified = Verifier::new(&logs, BTreeMap::new(), &scene.config)
        .unwrap()
        .run(&logs, &[], &mut loki)
        .unwrap();
    assert!(!verified.finished && !verified.is_equal());
}

#[test]
fn several_logs_of_one_stream() {
    let mut scene = Scene::new();
    let one = scene.write("a.jsonl", &lines(0..1_000));
    let two = scene.write("a~00000001.jsonl", &lines(500..3_000));
    scene.lost = vec!["<600>", "<2000>"];
    let verified = scene.verify(&[one, two]);
    let Tally { lines, held, equal, lacking, .. } = verified.tally();
    assert_eq!((lines, held, equal, lacking), (3_500, 3_497, 499, 3));
    assert!(!names::lock_file(&scene.path("a.jsonl")).exists(), "nothing is left behind");
}
