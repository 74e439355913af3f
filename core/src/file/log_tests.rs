#![allow(clippy::unwrap_used)]
use super::*;
use crate::ring::Layout;
use crate::ring::tests_support::birth;

const NEVER: Rotation = Rotation { max_bytes: None, max_age: None };

struct Bench {
    dir: tempfile::TempDir,
    rings: RingFile,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let birth = birth(1, Path::new("/x.jsonl"));
        let rings = RingFile::in_memory(Layout::new(65_536, 65_536), &birth).unwrap();
        Self { dir, rings }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("logs/k6-h.jsonl")
    }

    fn open(&self, rotation: Rotation) -> LogFile {
        LogFile::new(&self.path(), rotation)
    }

    fn append(&self, log: &mut LogFile, lines: &[u8]) -> (u64, Option<Error>) {
        let mut block = Block::default();
        let ring = self.rings.ring(0);
        block.begin(std::iter::once((0, ring.control.position())));
        let mut head = ring.control.head();
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            block.lines_mut().extend_from_slice(line);
            head += 8;
            block.mark(0, head, 1);
        }
        log.lock().unwrap().append(Some(&self.rings), &mut block)
    }

    fn content(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    fn state(&self) -> State {
        let lock = File::open(names::lock_file(&self.path())).unwrap();
        State::read(&lock).unwrap()
    }

    fn leave_note(&self, change: impl FnOnce(&mut State)) {
        let lock = OpenOptions::new().write(true).open(names::lock_file(&self.path())).unwrap();
        let mut state = self.state();
        change(&mut state);
        state.write(&lock).unwrap();
    }

    fn add_raw(&self, bytes: &[u8]) {
        OpenOptions::new().append(true).open(self.path()).unwrap().write_all(bytes).unwrap();
    }
}

#[test]
fn an_append_is_committed_and_takes_its_records() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    let (lines, error) = bench.append(&mut log, b"one\ntwo\n");
    assert_eq!((lines, error.is_none()), (2, true));
    assert_eq!(bench.content(), "one\ntwo\n");
    assert_eq!(bench.state().committed, 8);
    assert_eq!(bench.state().note, None);
    assert_eq!(bench.rings.ring(0).control.position().records, 2);
}

#[test]
fn a_dead_ones_append_that_is_not_whole_is_cut_away() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\n");
    bench.leave_note(|state| {
        state.note = Some(AppendNote { ring_id: 77, log: state.log, start: 4, len: 100 });
    });
    bench.add_raw(b"two\nthr");
    bench.append(&mut log, b"next\n");
    assert_eq!(bench.content(), "one\nnext\n");
}

#[test]
fn a_dead_ones_append_that_is_whole_stays() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\n");
    bench.leave_note(|state| {
        state.number += 1;
        state.note = Some(AppendNote { ring_id: 77, log: state.log, start: 4, len: 4 });
    });
    bench.add_raw(b"two\n");
    bench.append(&mut log, b"next\n");
    assert_eq!(bench.content(), "one\ntwo\nnext\n");
    assert!(bench.state().unreached.is_empty(), "no note leads to those rings");
}

#[test]
fn whole_lines_from_plain_memory_stay() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\n");
    bench.leave_note(|state| {
        state.number += 1;
        state.note = Some(AppendNote { ring_id: 0, log: state.log, start: 4, len: 100 });
    });
    bench.add_raw(b"two\nthr");
    bench.append(&mut log, b"next\n");
    assert_eq!(bench.content(), "one\ntwo\nnext\n");
}

#[test]
fn lines_of_our_own_failed_append_do_not_stay() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\n");
    // Under the number that this very log file has noted.
    bench.leave_note(|state| {
        state.note = Some(AppendNote { ring_id: 0, log: state.log, start: 4, len: 100 });
    });
    bench.add_raw(b"two\nthr");
    bench.append(&mut log, b"two\nnext\n");
    assert_eq!(bench.content(), "one\ntwo\nnext\n");
}

#[test]
fn another_boot_voids_note_and_length() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\ntwo\n");
    bench.leave_note(|state| {
        state.boot_id = [7; 16];
        state.note = Some(AppendNote { ring_id: 0, log: state.log, start: 0, len: 8 });
    });
    std::fs::write(bench.path(), b"one\nt").unwrap();
    bench.append(&mut log, b"next\n");
    assert_eq!(bench.content(), "one\nnext\n");
}

#[test]
fn a_lost_lock_file_costs_only_a_cut_line() {
    let bench = Bench::new();
    bench.append(&mut bench.open(NEVER), b"one\n");
    bench.add_raw(b"tw");
    std::fs::write(names::lock_file(&bench.path()), b"garbage").unwrap();
    bench.append(&mut bench.open(NEVER), b"next\n");
    assert_eq!(bench.content(), "one\nnext\n");
}

#[test]
fn a_deleted_or_replaced_file_is_followed() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    bench.append(&mut log, b"one\n");
    std::fs::remove_file(bench.path()).unwrap();
    bench.append(&mut log, b"two\n");
    assert_eq!((bench.content().as_str(), log.replaced()), ("two\n", 1));
    let other = bench.dir.path().join("other");
    std::fs::write(&other, b"foreign\ncut").unwrap();
    std::fs::rename(&other, bench.path()).unwrap();
    bench.append(&mut log, b"three\n");
    assert_eq!((bench.content().as_str(), log.replaced()), ("foreign\nthree\n", 2));
    std::fs::remove_dir_all(bench.path().parent().unwrap()).unwrap();
    bench.append(&mut log, b"four\n");
    assert_eq!((bench.content().as_str(), log.replaced()), ("four\n", 3));
}

#[test]
fn rotation_comes_before_the_limit_and_never_replaces() {
    let bench = Bench::new();
    let rotation = Rotation { max_bytes: Some(10), max_age: None };
    let (mut one, mut two) = (bench.open(rotation), bench.open(rotation));
    bench.append(&mut one, b"aaaa\n");
    bench.append(&mut two, b"bbbb\n");
    bench.append(&mut one, b"cccc\n");
    std::fs::write(names::segment(&bench.path(), 2), b"taken").unwrap();
    bench.append(&mut two, b"dddd\n");
    bench.append(&mut two, b"eeee\n");
    let segment = |seq| std::fs::read_to_string(names::segment(&bench.path(), seq)).unwrap();
    assert_eq!([segment(1), segment(2), segment(3)], ["aaaa\nbbbb\n", "taken", "cccc\ndddd\n"]);
    assert_eq!(bench.content(), "eeee\n");
    assert_eq!(bench.state().next_segment, 4);
    assert_eq!((one.replaced(), two.replaced()), (0, 0), "a rotation is not a loss");
}

#[test]
fn segments_that_are_there_already_are_older_than_ours() {
    let bench = Bench::new();
    let rotation = Rotation { max_bytes: Some(10), max_age: None };
    let plant = |seq| std::fs::write(names::segment(&bench.path(), seq), b"old").unwrap();
    let mut log = bench.open(rotation);
    bench.append(&mut log, b"aaaaaaaa\n");
    plant(41);
    bench.append(&mut log, b"bbbbbbbb\n");
    assert_eq!(std::fs::read(names::segment(&bench.path(), 42)).unwrap(), b"aaaaaaaa\n");
    // Not even the last number that there is stops anybody.
    plant(u64::MAX);
    bench.leave_note(|state| state.next_segment = u64::MAX);
    bench.append(&mut log, b"cccccccc\n");
    assert_eq!(std::fs::read(names::segment(&bench.path(), 1)).unwrap(), b"bbbbbbbb\n");
    assert_eq!(bench.content(), "cccccccc\n");
}

#[test]
fn a_line_of_our_own_and_the_last_one() {
    let bench = Bench::new();
    let mut log = bench.open(NEVER);
    assert_eq!(log.lock().unwrap().last_line().unwrap(), None);
    bench.append(&mut log, b"one\n");
    log.lock().unwrap().append_line(b"gap\n").unwrap();
    assert_eq!(bench.content(), "one\ngap\n");
    assert_eq!(log.lock().unwrap().last_line().unwrap(), Some(b"gap".to_vec()));
    assert_eq!(bench.rings.ring(0).control.position().records, 1);
}
