#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::Rotation;
use crate::names;
use crate::record::tests_support::context;
use std::path::PathBuf;

struct Bench {
    dir: tempfile::TempDir,
    log: LogFile,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rotation = Rotation { max_bytes: Some(4096), max_age: None };
        let log = LogFile::new(&dir.path().join("x-h.jsonl"), rotation);
        Self { dir, log }
    }

    /// Fills so many segments, and begins the next.
    fn fill(&mut self, segments: usize) {
        let line = [[b'x'; 4095].as_slice(), b"\n"].concat();
        (0..segments).for_each(|_| self.log.lock().unwrap().append_line(&line).unwrap());
        self.log.lock().unwrap().append_line(b"new\n").unwrap();
    }

    fn segment(&self, number: u64) -> PathBuf {
        names::segment(self.log.path(), number)
    }

    fn numbers(&mut self) -> Vec<u64> {
        let all = self.log.lock().unwrap().segments().unwrap();
        all.iter().map(|segment| segment.number).collect()
    }

    fn told(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.log.path()).unwrap();
        let told = text.lines().filter(|line| line.contains("log_deleted"));
        told.map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn keep(backups: u64) -> Retention {
    Retention::new(
        RetentionConfig { backups: Some(backups), needs_delivery: false },
        Arc::default(),
    )
}

#[test]
fn the_oldest_go_and_each_is_told() {
    let mut bench = Bench::new();
    bench.fill(5);
    let mut retention = keep(2);
    assert!(retention.is_due(&bench.log));
    assert_eq!(retention.run(&mut bench.log, &context()), 3);
    assert!(!retention.is_due(&bench.log));
    assert_eq!(bench.numbers(), [4, 5]);
    let told = bench.told();
    let numbers: Vec<_> =
        told.iter().map(|line| line["tags"]["segment"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(told[0]["tags"]["file"], "x-h.000001.jsonl");
    assert_eq!(told[0]["tags"]["bytes"], 4096);
    assert_eq!(told[0]["logger"], "lb_log");
    assert_eq!(keep(0).run(&mut bench.log, &context()), 2);
}

#[test]
fn nothing_else_is_deleted() {
    let mut bench = Bench::new();
    bench.fill(3);
    let path = |name: &str| bench.dir.path().join(name);
    let foreign = [
        "x-h.000001.jsonl.bak",
        "x-h.1.jsonl",
        "x-h.0000001.jsonl",
        "x-h.+00004.jsonl",
        "x-h.00000a.jsonl",
        "y-h.000001.jsonl",
        "x-h.b.000001.jsonl",
        "x-h.quarantined.jsonl",
        ".x-h.0123456789abcdef.rings",
        "x-h.000001.jsonl.gz",
        "x-h~00000001.000001.jsonl",
    ];
    for name in foreign {
        std::fs::write(path(name), b"foreign").unwrap();
    }
    std::fs::create_dir(path("x-h.000000.jsonl")).unwrap();
    std::os::unix::fs::symlink(path("y-h.000001.jsonl"), path("x-h.000009.jsonl")).unwrap();
    let before = std::fs::read_dir(bench.dir.path()).unwrap().count();
    assert_eq!(keep(0).run(&mut bench.log, &context()), 3);
    assert_eq!(std::fs::read_dir(bench.dir.path()).unwrap().count(), before - 3);
    assert!(path("x-h.jsonl").exists() && path("x-h.000009.jsonl").is_symlink());
    assert!(bench.numbers().is_empty());
}

#[test]
fn a_deletion_that_cannot_be_told_does_not_happen() {
    let mut bench = Bench::new();
    bench.fill(2);
    let path = bench.log.path().to_path_buf();
    let mut retention = keep(1);
    // Nobody can append to a folder in the place of the log.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(retention.run(&mut bench.log, &context()), 0);
    assert!(bench.segment(1).exists() && !retention.is_due(&bench.log));
    std::fs::remove_dir(&path).unwrap();
    retention.try_again();
    assert!(retention.is_due(&bench.log));
    assert_eq!((retention.run(&mut bench.log, &context()), bench.told().len()), (1, 1));
}

#[test]
fn what_a_killed_process_has_told_is_deleted_by_the_next_and_told_under_the_same_number() {
    let mut bench = Bench::new();
    bench.fill(2);
    let all = bench.log.lock().unwrap().segments().unwrap();
    let line = deletion(&all[0], 1).line(&context(), 1);
    bench.log.lock().unwrap().append_line(&line).unwrap();
    assert_eq!(keep(1).run(&mut bench.log, &context()), 1);
    let told = bench.told();
    assert_eq!((told.len(), &told[0]["tags"]), (2, &told[1]["tags"]));
}

#[test]
fn a_lock_file_that_was_lost_makes_no_new_segment_look_old() {
    let mut bench = Bench::new();
    bench.fill(5);
    keep(2).run(&mut bench.log, &context());
    std::fs::remove_file(names::lock_file(bench.log.path())).unwrap();
    bench.fill(1);
    assert_eq!(keep(2).run(&mut bench.log, &context()), 2);
    assert_eq!(bench.numbers(), [6, 7]);
}

#[test]
fn loki_comes_first_unless_retention_does() {
    let segment = |number| Segment { number, path: PathBuf::new(), bytes: 1 };
    let all = [segment(3), segment(4), segment(7), segment(9)];
    assert_eq!(surplus(&all, 1), &all[..3]);
    assert_eq!(surplus(&all, 5), &all[..0]);
    assert_eq!(surplus(&[], 0), &all[..0]);

    let mut bench = Bench::new();
    bench.fill(2);
    let target = Arc::new(OnceLock::new());
    let config = RetentionConfig { backups: Some(0), needs_delivery: true };
    let mut waits = Retention::new(config, target.clone());
    target.set(Target { endpoint: "http://loki".into(), ..Target::default() }).unwrap();
    assert_eq!(waits.run(&mut bench.log, &context()), 0);
    assert_eq!(bench.numbers(), [1, 2]);
    assert!(!waits.is_due(&bench.log), "not again at once");
    waits.try_again();
    assert!(waits.is_due(&bench.log), "Loki may have them now");
    assert_eq!(keep(0).run(&mut bench.log, &context()), 2);
}

#[test]
fn many_go_in_several_steps() {
    let mut bench = Bench::new();
    bench.fill(AT_ONCE + 3);
    let mut retention = keep(1);
    assert_eq!(retention.run(&mut bench.log, &context()), AT_ONCE as u64);
    assert!(retention.is_due(&bench.log));
    while retention.is_due(&bench.log) {
        retention.run(&mut bench.log, &context());
    }
    assert_eq!(bench.numbers().len(), 1);
}
