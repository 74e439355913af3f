#![allow(clippy::unwrap_used)]
use super::*;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use crate::file::NotOnDisk;
use crate::record::tests_support::context;

const HOUR: Duration = Duration::from_hours(1);

/// A log, the thread that syncs it, and a disk of our own: it says what it is asked for, and
/// answers what it is told.
struct Bench {
    dir: tempfile::TempDir,
    unsynced: Arc<Unsynced>,
    asked: Receiver<u64>,
    answer: Sender<io::Result<()>>,
    thread: Worker<Syncing<Toy>>,
}

struct Toy {
    ask: Sender<u64>,
    answers: Receiver<io::Result<()>>,
}

/// What the toy is asked for when it is asked for everything.
const EVERYTHING: u64 = u64::MAX;

impl Disk for Toy {
    fn force(&mut self, dirty: &Dirty) -> io::Result<()> {
        self.ask.send(dirty.bytes).unwrap();
        self.answers.recv().unwrap_or(Ok(()))
    }

    fn force_everything(&mut self, _: &Dirty) -> io::Result<()> {
        self.ask.send(EVERYTHING).unwrap();
        self.answers.recv().unwrap_or(Ok(()))
    }
}

impl Bench {
    fn new(interval: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let unsynced = Arc::new(Unsynced::default());
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        let rotation = Rotation::default();
        let syncer = Syncer { unsynced: unsynced.clone(), interval, context: context(), rotation };
        let thread = Syncing::new(syncer, Toy { ask, answers }).start(dir.path()).unwrap();
        Self { dir, unsynced, asked, answer, thread }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("k6-h.jsonl")
    }

    fn open(&self, rotation: Rotation) -> LogFile {
        LogFile::new(&self.path(), rotation).telling(self.unsynced.clone())
    }

    fn fail(&self) {
        self.answer.send(Err(io::Error::from_raw_os_error(libc::EIO))).unwrap();
    }

    fn succeed(&self) {
        self.answer.send(Ok(())).unwrap();
    }

    fn wait(&self) -> std::result::Result<(), NotOnDisk> {
        self.unsynced.wait(soon())
    }

    /// What the disk was asked for next: the length of the file.
    fn asked(&self) -> u64 {
        self.asked.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn told(&self) -> Vec<serde_json::Value> {
        let text = self.text();
        let ours = text.lines().filter(|line| line.starts_with('{'));
        ours.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn end(self) {
        drop(self.answer);
        self.unsynced.stop();
        self.unsynced.wait_for_end(soon()).unwrap();
        self.thread.join();
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn append(log: &mut LogFile, line: &[u8]) {
    log.lock().unwrap().append_line(line).unwrap();
}

#[test]
fn what_was_written_is_forced_to_the_disk_once_an_interval() {
    let bench = Bench::new(Duration::from_millis(20));
    let mut log = bench.open(Rotation::default());
    append(&mut log, b"one\n");
    let begun = Instant::now();
    bench.succeed();
    assert_eq!(bench.asked(), 4);
    assert!(begun.elapsed() >= Duration::from_millis(10), "{:?}", begun.elapsed());
    append(&mut log, b"two\n");
    append(&mut log, b"three\n");
    bench.succeed();
    assert_eq!(bench.asked(), 14);
    // Nothing was written since: the disk is left alone.
    assert!(bench.asked.recv_timeout(Duration::from_millis(100)).is_err());
    assert_eq!(bench.unsynced.counts(), (2, 0));
    bench.end();
}

#[test]
fn a_rotated_file_does_not_wait_for_the_interval() {
    let bench = Bench::new(HOUR);
    let mut log = bench.open(Rotation { max_bytes: Some(10), max_age: None });
    append(&mut log, b"aaaa\n");
    append(&mut log, b"bbbb\n");
    bench.succeed();
    bench.succeed();
    append(&mut log, b"cccc\n");
    assert_eq!((bench.asked(), bench.asked()), (10, 5));
    bench.end();
}

#[test]
fn more_files_than_can_wait_are_forced_to_the_disk_at_once() {
    let bench = Bench::new(HOUR);
    let mut log = bench.open(Rotation { max_bytes: Some(4), max_age: None });
    append(&mut log, b"one\n");
    append(&mut log, b"two\n");
    assert_eq!(bench.asked(), 4);
    // It does not answer meanwhile.
    (0..100).for_each(|_| append(&mut log, b"not\n"));
    bench.succeed();
    assert_eq!(bench.asked(), 4);
    bench.succeed();
    assert_eq!(bench.asked(), EVERYTHING);
    bench.succeed();
    assert_eq!(bench.wait(), Ok(()));
    assert_eq!(bench.unsynced.counts(), (3, 0));
    bench.end();
}

#[test]
fn a_failure_is_counted_told_and_never_tried_again() {
    let bench = Bench::new(HOUR);
    let mut log = bench.open(Rotation::default());
    append(&mut log, b"one\n");
    bench.fail();
    assert!(matches!(bench.wait(), Err(NotOnDisk::Lost(why)) if why.contains("Input/output")));
    assert_eq!(bench.asked(), 4);
    assert_eq!(bench.unsynced.counts(), (0, 1));
    // Told in the log; that line is new, and waits for the interval like any other.
    let deadline = soon();
    while bench.told().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    let told = bench.told();
    assert_eq!((&told[0]["event_type"], told.len()), (&"log_unsynced".into(), 1));
    assert_eq!(told[0]["tags"]["bytes"], 4);
    assert_eq!(told[0]["tags"]["file"], "k6-h.jsonl");
    assert!(bench.asked.recv_timeout(Duration::from_millis(100)).is_err(), "tried again");
    // Later lines are tried on their own, and that they fail, too, is told when it is over.
    append(&mut log, b"two\n");
    bench.fail();
    assert!(matches!(bench.wait(), Err(NotOnDisk::Lost(_))));
    let failed_at = bench.asked();
    append(&mut log, b"three\n");
    bench.succeed();
    assert_eq!(bench.wait(), Ok(()));
    assert_eq!((bench.asked(), bench.unsynced.counts()), (failed_at + 6, (1, 2)));
    let unsynced = bench.unsynced.clone();
    let path = bench.path();
    drop(bench.answer);
    unsynced.stop();
    unsynced.wait_for_end(soon()).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    let told: Vec<_> = text.lines().filter(|line| line.contains("log_unsynced")).collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told[1].contains(&format!("\"bytes\":{failed_at}")), "{text}");
    let all = text.len() as u64;
    assert_eq!(bench.asked.iter().last().unwrap(), all, "the last word is on the disk, too");
}

#[test]
fn a_disk_that_does_not_answer_holds_nobody_beyond_the_deadline() {
    let bench = Bench::new(HOUR);
    let mut log = bench.open(Rotation::default());
    append(&mut log, b"one\n");
    let begun = Instant::now();
    let wait = |ms| Instant::now() + Duration::from_millis(ms);
    assert_eq!(bench.unsynced.wait(wait(20)), Err(NotOnDisk::Late));
    assert_eq!(bench.asked(), 4);
    // The file's lock is free meanwhile.
    append(&mut log, b"two\n");
    bench.unsynced.stop();
    assert_eq!(bench.unsynced.wait_for_end(wait(20)), Err(NotOnDisk::Late));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    bench.succeed();
    bench.succeed();
    assert_eq!(bench.unsynced.wait_for_end(soon()), Ok(()));
    assert_eq!(bench.asked(), 8);
}

#[test]
fn the_disk_forces_a_file_and_its_folder() {
    // Where nobody else writes hard.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let log = dir.path().join("a.jsonl");
    let file = Arc::new(File::create(&log).unwrap());
    let mut disk = RealDisk::default();
    let mut dirty = Dirty { file, id: (1, 2), log, bytes: 0 };
    disk.force(&dirty).unwrap();
    assert_eq!(disk.named, Some((1, 2)));
    disk.force_everything(&dirty).unwrap();
    dirty.id = (1, 3);
    drop(dir);
    disk.force(&dirty).unwrap();
    // What cannot be forced to any disk is an error like any other.
    dirty.file = Arc::new(File::open("/proc/self/status").unwrap());
    assert!(disk.force(&dirty).is_err());
}
