//! `lb drain` and `lb status` beside real processes: dead ones, whose records come into the file,
//! and a living one, whose records are counted.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lb_core::Logger;
use lb_core::logger::Record;
use lb_core::record::{Level, TagValue};
use serde_json::{Value, json};
use support::Lb;

const RECORDS: u64 = 50;

/// Not a test of its own: the program that the tests start and kill. It logs while nobody can take
/// anything from its rings, says how many records were accepted, and stays.
#[test]
fn program() {
    let Ok(config) = std::env::var("TEST_PROGRAM") else { return };
    let logger = Logger::open(config.as_bytes()).unwrap();
    let lock = File::open(lb_core::names::lock_file(&logger.config().log_path)).unwrap();
    lock.lock().unwrap();
    let filler = "x".repeat(std::env::var("TEST_BYTES").unwrap().parse().unwrap());
    let offer = |number| {
        let tags: &[(&[u8], TagValue<'_>)] = &[(b"number", TagValue::Unsigned(number))];
        let message = filler.as_bytes();
        let record = Record { context: 0, level: Level::Info, timestamp_ns: None, message, tags };
        logger.log(record).is_ok()
    };
    let accepted = (1..=RECORDS).filter(|number| offer(*number)).count();
    if accepted as u64 != RECORDS {
        lock.unlock().unwrap();
        logger.flush(Duration::from_secs(20)).unwrap();
    }
    println!("\naccepted {accepted}");
    std::thread::sleep(Duration::from_mins(1));
}

/// Starts the program and waits until it has logged records of so many bytes.
fn start(lb: &Lb, component: &str, more: &Value, bytes: usize) -> (Child, u64) {
    let mut config = json!({
        "output_dir": lb.path("out"), "run_id": "r", "component": component, "host": "h",
        "ring_dir": "log", "ring_bytes": "64KiB", "on_full": "drop",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "program", "--nocapture"])
        .env_clear()
        .env("TEST_PROGRAM", config.to_string())
        .env("TEST_BYTES", bytes.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said =
        lines.map(Result::unwrap).find_map(|line| line.strip_prefix("accepted ")?.parse().ok());
    (child, said.unwrap())
}

/// Starts the program and kills it when all its records are in its rings.
fn start_and_kill_with(lb: &Lb, component: &str, more: &Value) {
    let (child, accepted) = start(lb, component, more, 10);
    assert_eq!(accepted, RECORDS);
    kill(child);
}

fn start_and_kill(lb: &Lb, component: &str) {
    start_and_kill_with(lb, component, &json!({}));
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn numbers(lb: &Lb, file: &str) -> Vec<u64> {
    let text = std::fs::read_to_string(lb.path(file)).unwrap();
    text.lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["tags"]["number"].as_u64().unwrap()
        })
        .collect()
}

#[test]
fn drain_moves_what_a_killed_process_left() {
    let lb = Lb::new();
    start_and_kill(&lb, "a");
    start_and_kill(&lb, "b");
    let ran = lb.run("drain out");
    assert_eq!(
        ran.stdout, "out/r/logs/a-h.jsonl: 50 records\nout/r/logs/b-h.jsonl: 50 records\n",
        "{}",
        ran.stderr
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "out: 2 logs, 100 records moved\n"));
    for file in ["out/r/logs/a-h.jsonl", "out/r/logs/b-h.jsonl"] {
        assert_eq!(numbers(&lb, file), (1..=RECORDS).collect::<Vec<_>>());
    }
    let again = lb.run("drain out");
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(again.stderr, "out: 2 logs, nothing left to move\n");
}

#[test]
fn status_moves_first_and_then_counts() {
    let lb = Lb::new();
    start_and_kill(&lb, "a");
    let ran = lb.run("status r --output-dir out --format json");
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let log = &document["logs"][0];
    assert_eq!((&log["recovered"], &log["lines"]), (&json!(RECORDS), &json!(RECORDS)), "{log:#}");
    assert_eq!((ran.code, log["processes"].as_array().unwrap().len()), (0, 0));
    assert!(log["last_timestamp"].is_string());
}

#[test]
fn status_counts_what_living_processes_dropped() {
    let lb = Lb::new();
    let (child, accepted) = start(&lb, "a", &json!({}), 4000);
    let dropped = RECORDS - accepted;
    assert!(dropped > 0);
    let ran = lb.run("status r --output-dir out --format json");
    let table = lb.run("status r --output-dir out");
    let pid = child.id();
    kill(child);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let log = &document["logs"][0];
    let process = json!({
        "pid": pid, "written": accepted, "queued": 0, "dropped": dropped, "rejected": 0,
        "truncated": 0,
    });
    assert_eq!(log["processes"], json!([process]));
    assert_eq!((&log["lines"], &log["dropped"]), (&json!(accepted), &json!(dropped)));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let row: Vec<&str> = table.stdout.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row[row.len() - 4..], ["0", "0", &dropped.to_string(), "0"]);
}

#[test]
fn a_lock_that_is_held_is_named() {
    let lb = Lb::new();
    let (child, accepted) = start(&lb, "a", &json!({}), 10);
    let ran = lb.run("status r --output-dir out --format json");
    kill(child);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["logs"][0]["processes"][0]["queued"], accepted);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("warning: $F/out/r/logs/.a-h.lock: "), "{}", ran.stderr);
}

#[test]
fn what_is_no_note_is_named_and_the_others_are_moved() {
    let lb = Lb::new();
    start_and_kill(&lb, "a");
    lb.file("innocent", "dear to somebody");
    let note = lb.path("out/r/logs/.a-h.000000000000000b.rings");
    std::os::unix::fs::symlink(lb.path("innocent"), &note).unwrap();
    let why = "$F/out/r/logs/.a-h.000000000000000b.rings: a link, a folder or a device stands in \
               its place; remove it";
    for (command, records) in [("drain out", "50 records"), ("status r --output-dir out", "50")] {
        let ran = lb.run(command);
        assert_eq!(ran.code, 1, "{command}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains(records), "{command}: {}", ran.stdout);
    }
    assert_eq!(numbers(&lb, "out/r/logs/a-h.jsonl"), (1..=RECORDS).collect::<Vec<_>>());
    assert!(note.is_symlink());
    assert_eq!(std::fs::read_to_string(lb.path("innocent")).unwrap(), "dear to somebody");
}

/// A file in `/dev/shm` under a name of this test's own, removed whatever happens.
struct InShm(std::path::PathBuf);

impl InShm {
    fn new(id: u32, content: &[u8]) -> Self {
        let id = u64::from(std::process::id()) << 32 | u64::from(id);
        let path = format!("/dev/shm/lb-log-{id:016x}.rings").into();
        std::fs::write(&path, content).unwrap();
        // Older than any ring file that is being made.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1)).unwrap();
        Self(path)
    }
}

impl Drop for InShm {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn drain_sweeps_what_was_to_become_rings_and_no_strangers_file() {
    let lb = Lb::new();
    let (empty, begun) = (InShm::new(1, b""), InShm::new(2, b"lbrings1 and then it died"));
    let (zeros, strange) = (InShm::new(3, &[0; 8192]), InShm::new(4, b"dear to somebody"));
    lb.file("out/r/logs/.a-h.lock", "");
    lb.run("drain out");
    for swept in [empty, begun, zeros] {
        assert!(!swept.0.exists(), "{}", swept.0.display());
    }
    assert_eq!(std::fs::read_to_string(&strange.0).unwrap(), "dear to somebody");
}

/// Takes the note of a killed program away and returns the ring file that nothing leads to now.
fn orphan(lb: &Lb) -> std::path::PathBuf {
    let notes: Vec<_> = std::fs::read_dir(lb.path("out/r/logs"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let (_, id) = lb_core::names::parse_rings_note(entry.file_name().to_str()?)?;
            Some((entry.path(), id))
        })
        .collect();
    assert_eq!(notes.len(), 1);
    std::fs::remove_file(&notes[0].0).unwrap();
    format!("/dev/shm/lb-log-{:016x}.rings", notes[0].1).into()
}

// Any process that opens a log meanwhile may be the one that sweeps: only the outcome is looked at.

#[test]
fn rings_without_a_note_are_recovered() {
    let lb = Lb::new();
    start_and_kill_with(&lb, "a", &json!({"ring_dir": "shm"}));
    let rings = orphan(&lb);
    for _ in 0..50 {
        assert_eq!(lb.run("drain out").code, 0);
        if !rings.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(numbers(&lb, "out/r/logs/a-h.jsonl"), (1..=RECORDS).collect::<Vec<_>>());
    assert!(!rings.exists());
}

#[test]
fn rings_of_a_deleted_folder_are_taken_away() {
    let lb = Lb::new();
    start_and_kill_with(&lb, "a", &json!({"ring_dir": "shm"}));
    let rings = orphan(&lb);
    std::fs::remove_dir_all(lb.path("out/r")).unwrap();
    lb.run("drain out");
    assert!(!rings.exists());
    assert!(!lb.path("out/r").exists(), "a deleted folder is not made anew for the dead");
}

#[test]
fn drain_rotates_as_the_dead_did() {
    let lb = Lb::new();
    start_and_kill_with(&lb, "a", &json!({"jsonl": {"log_rotate_bytes": 4096}}));
    assert_eq!(lb.run("drain out").code, 0);
    let mut seen = Vec::new();
    for file in ["a-h.000001.jsonl", "a-h.000002.jsonl", "a-h.000003.jsonl", "a-h.jsonl"] {
        let file = format!("out/r/logs/{file}");
        if lb.path(&file).exists() {
            assert!(std::fs::metadata(lb.path(&file)).unwrap().len() <= 4096, "{file}");
            seen.extend(numbers(&lb, &file));
        }
    }
    assert_eq!(seen, (1..=RECORDS).collect::<Vec<_>>());
    assert!(lb.path("out/r/logs/a-h.000001.jsonl").exists());
}
