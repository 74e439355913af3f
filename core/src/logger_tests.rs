#![allow(clippy::unwrap_used)]
use super::*;
use crate::contexts::INVALID;
use crate::record::{Level, TagValue};
use crate::stats::RingsIn;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn open(&self, more: &Value) -> Logger {
        let mut config = json!({
            "output_dir": self.dir.path(), "run_id": "r1", "component": "c", "host": "h",
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        let bytes = serde_json::to_vec(&config).unwrap();
        Logger::with(config::load_with(&bytes, &around(self.dir.path())).unwrap()).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("r1/logs")
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder().join("c-h.jsonl")).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn around(cwd: &Path) -> config::Surroundings {
    let mut around = config::Surroundings::of_process().unwrap();
    around.env.clear();
    around.cwd = cwd.to_path_buf();
    around.home = None;
    around
}

fn say_to(logger: &Logger, message: &[u8]) -> Result<()> {
    tagged(logger, message, &[])
}

fn tagged(logger: &Logger, message: &[u8], tags: &[(&[u8], TagValue<'_>)]) -> Result<()> {
    let record = Record { context: 0, level: Level::Info, timestamp_ns: None, message, tags };
    logger.log(record)
}

fn balanced(stats: &Stats) -> bool {
    stats.offered == stats.written + stats.queued + stats.dropped + stats.rejected
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn what_was_logged_is_in_the_file_and_close_leaves_nothing_else() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    for number in 0..1000 {
        tagged(&logger, b"hello", &[(b"n", TagValue::Integer(number))]).unwrap();
    }
    logger.flush(SOON).unwrap();
    let lines = home.lines();
    assert_eq!(lines.len(), 1000);
    assert!(lines.iter().enumerate().all(|(number, line)| line["tags"]["n"] == number));
    let mut times: Vec<_> = lines.iter().map(|line| line["timestamp"].to_string()).collect();
    times.dedup();
    assert_eq!(times.len(), 1000, "no two records of a thread share a timestamp");
    assert!(times.is_sorted());
    let stats = logger.stats();
    assert!(balanced(&stats) && stats.written == 1000, "{stats:?}");
    let living = crate::living::living(&home.folder().join("c-h.jsonl")).unwrap();
    if logger.stats().rings_in != RingsIn::Memory {
        assert_eq!((living[0].pid, living[0].written), (Some(std::process::id()), 1000));
    }
    assert!(
        home.files().iter().any(|name| crate::names::parse_rings_note(name).is_some())
            || logger.stats().rings_in == RingsIn::Memory
    );
    logger.close(SOON).unwrap();
    assert!(matches!(say_to(&logger, b"late"), Err(Error::Closed)));
    assert_eq!(home.files(), [".c-h.lock", "c-h.jsonl"]);
    logger.close(SOON).unwrap();
}

#[test]
fn threads_keep_their_order_wherever_the_rings_are() {
    for dir in ["auto", "log", "memory"] {
        let home = Home::new();
        // A sanitizer takes its time.
        let logger = home.open(&json!({
            "ring_dir": dir, "ring_bytes": 65_536, "ring_total_bytes": 262_144,
            "full_timeout_ms": 10_000,
        }));
        // All begin before one ends, so that there are more threads than rings.
        let begin = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let (logger, begin) = (&logger, &begin);
                scope.spawn(move || {
                    tagged(logger, b"first", &[]).unwrap();
                    begin.wait();
                    for number in 0..2000 {
                        let tags = [
                            (&b"thread"[..], TagValue::Integer(thread)),
                            (&b"n"[..], TagValue::Integer(number)),
                        ];
                        tagged(logger, b"m", &tags).unwrap();
                    }
                });
            }
        });
        logger.close(SOON).unwrap();
        let mut next = [0; 6];
        for line in home.lines().iter().filter(|line| line["message"] == "m") {
            let thread = usize::try_from(line["tags"]["thread"].as_u64().unwrap()).unwrap();
            assert_eq!(line["tags"]["n"], next[thread], "{dir}");
            next[thread] += 1;
        }
        assert_eq!(next, [2000; 6]);
        let stats = logger.stats();
        assert!(balanced(&stats) && stats.shared > 0, "{stats:?}");
    }
}

#[test]
fn golden_lines() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../schema/golden/cases.json")).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let home = Home::new();
        let logger = home.open(&json!({}));
        let context = logger.context(&serde_json::to_vec(&case["context"]).unwrap()).unwrap();
        let bytes = golden_record(&case["record"], context);
        let (result, outcome) = logger.push_batch(&bytes);
        outcome.unwrap();
        assert_eq!(result.accepted, 1);
        logger.close(SOON).unwrap();
        let text = std::fs::read_to_string(home.folder().join("c-h.jsonl")).unwrap();
        assert_eq!(text.trim_end_matches('\n'), case["line"].as_str().unwrap(), "{}", case["name"]);
    }
}

/// A golden record as a batch entry.
fn golden_record(record: &Value, context: u32) -> Vec<u8> {
    let mut tags = Vec::new();
    for tag in record["tags"].as_array().into_iter().flatten() {
        golden_tag(&mut tags, tag);
    }
    let message = golden_bytes(&record["message"]);
    entry(
        context,
        record["level"].as_str().unwrap(),
        record["timestamp_ns"].as_i64().unwrap(),
        &message,
        &tags,
    )
}

/// Text as it stands, or any bytes as `{"base64": …}`.
fn golden_bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(object) => base64(object["base64"].as_str().unwrap()),
        other => other.as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

fn golden_tag(out: &mut Vec<u8>, tag: &Value) {
    let key = golden_bytes(&tag[0]);
    let value = tag.get(2).unwrap_or(&Value::Null);
    let held;
    let value = match tag[1].as_str().unwrap() {
        "string" => {
            held = golden_bytes(value);
            TagValue::String(&held)
        }
        "integer" => TagValue::Integer(value.as_i64().unwrap()),
        "unsigned" => TagValue::Unsigned(value.as_u64().unwrap()),
        "number" => TagValue::Number(match value.as_str() {
            Some(name) => name.parse().unwrap(),
            None => value.as_f64().unwrap(),
        }),
        "boolean" => TagValue::Boolean(value.as_bool().unwrap()),
        "null" => TagValue::Null,
        other => panic!("{other}"),
    };
    crate::frame::append_tag(out, &key, value);
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    let mut bits = 0u32;
    let mut count = 0;
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = ALPHABET.iter().position(|letter| *letter == byte).unwrap();
        bits = bits << 6 | u32::try_from(digit).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 255).unwrap());
        }
    }
    out
}

fn entry(context: u32, level: &str, ns: i64, message: &[u8], tags: &[u8]) -> Vec<u8> {
    let narrow = |len: usize| u32::try_from(len).unwrap().to_le_bytes();
    let mut out = Vec::new();
    out.extend_from_slice(&narrow(24 + message.len() + tags.len()));
    out.extend_from_slice(&context.to_le_bytes());
    out.extend_from_slice(&ns.to_le_bytes());
    out.extend_from_slice(&narrow(message.len()));
    out.extend_from_slice(&[Level::from_name(level).unwrap() as u8, 0, 0, 0]);
    out.extend_from_slice(message);
    out.extend_from_slice(tags);
    out
}

#[test]
fn a_record_brings_its_own_time_and_a_batch_survives_its_worst_entry() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    let mut batch = entry(0, "INFO", 5, b"a", &[]);
    batch.extend(entry(INVALID, "INFO", 5, b"b", &[]));
    batch.extend(entry(9, "INFO", 5, b"c", &[]));
    batch.extend(entry(0, "INFO", 5, b"d", b"garbage"));
    batch.extend(entry(0, "INFO", 5, b"e", &[]));
    let (result, outcome) = logger.push_batch(&batch);
    assert_eq!(result, BatchResult { accepted: 2, dropped: 0, rejected: 3 });
    assert!(matches!(outcome, Err(Error::Rejected(_))));
    let (result, outcome) = logger.push_batch(&[1, 0, 0, 0, 9]);
    assert!(result.rejected == 1 && matches!(outcome, Err(Error::Argument(_))));
    logger.close(SOON).unwrap();
    let lines = home.lines();
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["a", "e"]);
    assert_eq!(lines[1]["timestamp"], "1970-01-01T00:00:00.000000005Z");
    assert!(balanced(&logger.stats()));
    assert_eq!(logger.stats().rejected, 4);
}

#[test]
fn what_is_too_large_is_cut_and_counted() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    let huge = vec![b'x'; 10_000_000];
    say_to(&logger, &huge).unwrap();
    let keys: Vec<String> = (0..10_000).map(|number| format!("key-{number}")).collect();
    let tags: Vec<_> =
        keys.iter().map(|key| (key.as_bytes(), TagValue::String(b"some value or other"))).collect();
    tagged(&logger, b"tags", &tags).unwrap();
    say_to(&logger, &vec![1; 100_000]).unwrap();
    say_to(&logger, b"neighbour").unwrap();
    logger.close(SOON).unwrap();
    let lines = home.lines();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| serde_json::to_string(line).unwrap().len() <= 256 * 1024));
    let kept = lines[0]["message"].as_str().unwrap().len();
    assert_eq!(lines[0]["tags"]["truncated_bytes"].as_u64().unwrap(), 10_000_000 - kept as u64);
    let kept: usize = lines[1]["tags"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| *key != "truncated_bytes")
        .map(|(key, value)| key.len() + value.as_str().unwrap().len())
        .sum();
    let all: usize = keys.iter().map(|key| key.len() + 19).sum();
    assert_eq!(lines[1]["tags"]["truncated_bytes"].as_u64().unwrap(), (all - kept) as u64);
    assert!(
        lines[2]["tags"]["truncated_bytes"].as_u64().unwrap() > 0,
        "escapes are counted in the line"
    );
    assert_eq!(lines[3]["message"], "neighbour");
    assert_eq!(logger.stats().truncated, 3);
}

#[test]
fn many_contexts_overflow_into_frames() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    for number in 1..=2000u64 {
        let json = json!({"repetition": number, "logger": "l".repeat(100)}).to_string();
        let context = logger.context(json.as_bytes()).unwrap();
        assert_eq!(context, logger.context(json.as_bytes()).unwrap());
        let tags: &[(&[u8], TagValue<'_>)] = &[];
        let record =
            Record { context, level: Level::Error, timestamp_ns: None, message: b"", tags };
        logger.log(record).unwrap();
    }
    logger.close(SOON).unwrap();
    let lines = home.lines();
    assert!((1..=2000).eq(lines.iter().map(|line| line["repetition"].as_u64().unwrap())));
}

#[test]
fn a_full_ring_drops_counts_and_goes_on() {
    let home = Home::new();
    let logger = home.open(&json!({"on_full": "drop", "ring_bytes": 65_536}));
    // The writer cannot have the lock for now.
    let mut blocker = crate::file::LockFile::new(crate::names::lock_file(&logger.config.log_path));
    let held = blocker.lock(SOON).unwrap();
    let outcomes: Vec<_> = (0..200).map(|_| say_to(&logger, &[b'x'; 1000])).collect();
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(Error::Dropped))));
    assert!(matches!(logger.flush(Duration::from_millis(1)), Err(Error::Timeout(_))));
    drop(held);
    logger.flush(SOON).unwrap();
    say_to(&logger, b"again").unwrap();
    logger.close(SOON).unwrap();
    let stats = logger.stats();
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64 + 1;
    assert!(balanced(&stats) && stats.written == accepted, "{stats:?}");
    let (gaps, records): (Vec<_>, Vec<_>) =
        home.lines().into_iter().partition(|line| line["event_type"] == "log_gap");
    assert_eq!(records.len() as u64, accepted);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["tags"]["lost"], stats.dropped);
    assert!(gaps[0]["tags"]["reason"].as_str().unwrap().starts_with("a ring was full: "));
}

#[test]
fn a_deleted_file_leaves_a_gap_in_the_next() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    say_to(&logger, b"one").unwrap();
    logger.flush(SOON).unwrap();
    std::fs::remove_dir_all(home.folder()).unwrap();
    say_to(&logger, b"two").unwrap();
    logger.close(SOON).unwrap();
    let lines = home.lines();
    assert_eq!((&lines[0]["message"], lines.len()), (&json!("two"), 2));
    assert_eq!(lines[1]["event_type"], "log_gap");
    assert_eq!(lines[1]["tags"]["lost"], Value::Null);
}

#[test]
fn rings_that_are_gone_leave_a_gap() {
    let home = Home::new();
    home.open(&json!({})).close(SOON).unwrap();
    let note = crate::names::rings_note(&home.folder().join("c-h.jsonl"), 7);
    let said = json!({"ring_dir": "shm", "device": 1, "inode": 2, "boot_id": "another", "pid": 3});
    std::fs::write(&note, said.to_string()).unwrap();
    let logger = home.open(&json!({}));
    logger.close(SOON).unwrap();
    assert!(!note.exists());
    let lines = home.lines();
    assert_eq!((&lines[0]["event_type"], lines.len()), (&json!("log_gap"), 1));
    assert!(lines[0]["message"].as_str().unwrap().contains("the machine was restarted"));
}

#[test]
fn what_close_could_not_write_the_next_one_does() {
    let home = Home::new();
    let logger = home.open(&json!({}));
    let mut blocker = crate::file::LockFile::new(crate::names::lock_file(&logger.config.log_path));
    let held = blocker.lock(SOON).unwrap();
    say_to(&logger, b"left").unwrap();
    let unfinished = logger.close(Duration::from_millis(1)).unwrap_err();
    assert!(matches!(unfinished, Error::Timeout(_)), "{unfinished}");
    while logger
        .first
        .core
        .as_ref()
        .unwrap()
        .intake
        .signals
        .wait(Instant::now(), |ended| ended.is_some())
        .is_err()
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(held);
    drop(logger);
    let next = home.open(&json!({}));
    assert_eq!(next.stats().recovered, 1);
    next.close(SOON).unwrap();
    assert_eq!(home.lines()[0]["message"], "left");
    assert_eq!(home.files(), [".c-h.lock", "c-h.jsonl"]);
}

#[test]
fn a_flush_waits_for_the_disk_where_it_is_asked_to() {
    for (always, expected) in [(true, 3), (false, 0)] {
        let home = Home::new();
        let sync = if always { "always" } else { "interval" };
        let logger = home.open(&json!({"sync": sync, "sync_interval_ms": 3_600_000}));
        logger.flush(SOON).unwrap();
        assert_eq!(logger.stats().syncs, 0, "nothing was written");
        for _ in 0..3 {
            say_to(&logger, b"safe").unwrap();
            logger.flush(SOON).unwrap();
            logger.flush(SOON).unwrap();
        }
        assert_eq!(logger.stats().syncs, expected, "{sync}");
        say_to(&logger, b"last").unwrap();
        logger.close(SOON).unwrap();
        assert_eq!((logger.stats().syncs, logger.stats().sync_errors), (expected + 1, 0), "{sync}");
        logger.flush(SOON).unwrap();
    }
}

#[test]
fn rotated_files_beyond_the_wanted_number_go() {
    let home = Home::new();
    let rotation = json!({"jsonl": {"log_rotate_bytes": "8KiB", "log_backups": 2}});
    let logger = home.open(&rotation);
    for _ in 0..400 {
        say_to(&logger, &[b'x'; 200]).unwrap();
        logger.flush(SOON).unwrap();
    }
    logger.close(SOON).unwrap();
    let stats = logger.stats();
    let segments: Vec<_> = home.files();
    let numbers: Vec<_> =
        segments.iter().filter_map(|name| crate::names::parse_segment(name)).collect();
    assert_eq!(numbers.len(), 2, "{segments:?}");
    assert_eq!(numbers[1].1, stats.rotations);
    assert_eq!(stats.segments_deleted, stats.rotations - 2);
}

#[test]
fn two_loggers_share_a_file() {
    let home = Home::new();
    let (one, two) =
        (home.open(&json!({})), home.open(&json!({"jsonl": {"log_rotate_bytes": 1_000_000}})));
    std::thread::scope(|scope| {
        for logger in [&one, &two] {
            scope.spawn(move || (0..5000).for_each(|_| say_to(logger, b"together").unwrap()));
        }
    });
    one.close(SOON).unwrap();
    two.close(SOON).unwrap();
    let mut total = home.lines().len();
    for name in home.files().iter().filter(|name| crate::names::parse_segment(name).is_some()) {
        let text = std::fs::read_to_string(home.folder().join(name)).unwrap();
        total += text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    }
    assert_eq!(total, 10_000);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let home = Home::new();
    std::fs::write(home.dir.path().join("r1"), b"a file").unwrap();
    let json = json!({"output_dir": home.dir.path(), "run_id": "r1"}).to_string();
    let config = config::load_with(json.as_bytes(), &around(home.dir.path())).unwrap();
    let Err(error) = Logger::with(config) else { panic!("opened") };
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().contains("r1"), "{error}");
}

#[test]
fn a_stopped_holder_of_the_lock_stops_nobody_else() {
    for dir in ["auto", "log"] {
        let home = Home::new();
        let logger = home.open(&json!({"ring_dir": dir}));
        let lock = crate::names::lock_file(&logger.config.log_path);
        let mut stopped = crate::file::LockFile::new(lock);
        let _held = stopped.lock(SOON).unwrap();
        say_to(&logger, b"one").unwrap();
        logger.flush(SOON).unwrap();
        // Whoever comes now does not wait for ever either.
        let late = home.open(&json!({}));
        say_to(&late, b"two").unwrap();
        late.close(SOON).unwrap();
        say_to(&logger, b"three").unwrap();
        logger.close(SOON).unwrap();
        let mut messages = Vec::new();
        let mut apart = 0;
        for name in home.files() {
            let known = crate::names::parse_lock(&name).is_some();
            assert!(known || crate::names::parse_log(&name).is_some(), "left behind: {name}");
            if name.starts_with("c-h~") {
                apart += 1;
                let text = std::fs::read_to_string(home.folder().join(name)).unwrap();
                messages.extend(text.lines().map(|line| {
                    serde_json::from_str::<Value>(line).unwrap()["message"].to_string()
                }));
            }
        }
        messages.sort();
        assert_eq!((apart, messages.concat().as_str()), (2, r#""one""three""two""#), "{dir}");
    }
}
