#![allow(clippy::unwrap_used)]
use super::super::listing::LogName;
use super::*;

const RUN: &str = "run-1";

fn lines(from: u32, to: u32) -> String {
    let line = |n| format!("{{\"timestamp\":\"2026-11-22T10:11:00.{n:09}Z\"}}\n");
    (from..to).map(line).collect()
}

fn file(stem: &str, kind: Kind, bytes: usize) -> LogFile {
    let log = LogName { folder: b"./logs/".to_vec(), stem: stem.to_owned() };
    let (path, stamp) = (log.live(), "1-2:3".to_owned());
    LogFile { path, log, kind, bytes: bytes as u64, stamp }
}

/// Puts a file on the shelf; its path below the run's folder.
fn put(shelf: &Shelf, source: &str, stem: &str, kind: Kind, content: &str) -> String {
    let draft = shelf.draft(&mut content.as_bytes()).unwrap();
    let file = file(stem, kind, content.len());
    let log = source.split('#').next().unwrap().to_owned();
    let labels = BTreeMap::new();
    let origin = Origin { source, log: &log, here: None, file: &file, labels };
    shelf.place(draft, &origin).unwrap().path
}

fn open(folder: &Path, level: Option<u32>) -> Shelf {
    Shelf::open(&folder.join(RUN), RUN, level).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(RUN).join(LOGS)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_longer_copy_replaces_and_another_stands_beside() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = open(folder.path(), Some(6));
    let plain = "logs/k6-h.jsonl.gz";
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 5)), plain);
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 5)), plain, "the same again");
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 9)), plain, "longer");
    assert_eq!(
        put(&shelf, "b", "k6-h", Kind::Live, &lines(0, 9)),
        plain,
        "the same from elsewhere"
    );
    let marked = put(&shelf, "c", "k6-h", Kind::Live, &lines(0, 12));
    assert_ne!(marked, plain, "another source's file is not replaced, even by a longer one");
    assert_eq!(put(&shelf, "c", "k6-h", Kind::Live, &lines(0, 13)), marked, "it keeps its name");
    assert_ne!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 4)), plain, "shorter");
    assert_eq!(names(folder.path()).len(), 3);
}

#[test]
fn what_a_killed_collection_has_left_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = open(folder.path(), Some(6));
    put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 5));
    // Killed: no manifest, and a file without a name.
    drop(shelf);
    std::fs::write(folder.path().join("run-1/logs/.collecting-7.tmp"), "half").unwrap();
    let shelf = open(folder.path(), Some(6));
    assert_eq!(names(folder.path()), ["k6-h.jsonl.gz"]);
    assert_eq!(put(&shelf, "b", "k6-h", Kind::Live, &lines(0, 6)), "logs/k6-h.jsonl.gz");
    assert_eq!(names(folder.path()), ["k6-h.jsonl.gz"]);
}

#[test]
fn a_live_log_that_became_a_segment_is_not_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = open(folder.path(), None);
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 5)), "logs/k6-h.jsonl");
    put(&shelf, "a#1", "k6-h", Kind::Segment(1), &lines(0, 9));
    assert_eq!(names(folder.path()), ["k6-h.000001.jsonl"]);
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(9, 12)), "logs/k6-h.jsonl");
    assert_eq!(names(folder.path()), ["k6-h.000001.jsonl", "k6-h.jsonl"]);
    // A plain file that nobody owns may be the log of a program.
    let other = folder.path().join("run-1/logs/other.jsonl");
    std::fs::write(&other, lines(0, 3)).unwrap();
    assert_ne!(put(&shelf, "a", "other", Kind::Live, &lines(0, 4)), "logs/other.jsonl");
    std::fs::remove_file(&other).unwrap();
    // The other way of packing: the old copy goes when the new one has it all.
    shelf.save().unwrap();
    drop(shelf);
    let shelf = open(folder.path(), Some(1));
    assert_eq!(put(&shelf, "a", "k6-h", Kind::Live, &lines(9, 12)), "logs/k6-h.jsonl.gz");
    assert!(!names(folder.path()).contains(&"k6-h.jsonl".to_owned()));
}

#[test]
fn a_file_that_somebody_logs_to_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = open(folder.path(), None);
    let live = folder.path().join("run-1/logs/k6-h.jsonl");
    std::fs::write(&live, lines(0, 5)).unwrap();
    std::fs::write(names::lock_file(&live), "").unwrap();
    assert_ne!(put(&shelf, "a", "k6-h", Kind::Live, &lines(0, 9)), "logs/k6-h.jsonl");
    assert_eq!(std::fs::read_to_string(&live).unwrap(), lines(0, 5));
}

#[test]
fn a_folder_that_was_made_for_nothing_goes_again() {
    let folder = tempfile::tempdir().unwrap();
    let failed = [Failure { source: "a".to_owned(), why: "it hangs".to_owned() }];
    open(folder.path(), None).finish(&failed, &[]).unwrap();
    assert!(!folder.path().join(RUN).exists());
    std::fs::create_dir(folder.path().join(RUN)).unwrap();
    open(folder.path(), None).finish(&failed, &[]).unwrap();
    let left = || Manifest::read(&folder.path().join(RUN), RUN).unwrap().failed;
    assert_eq!(left(), failed);
    open(folder.path(), None).finish(&[], &["b".to_owned()]).unwrap();
    assert_eq!(left(), failed, "nobody has asked it again");
    open(folder.path(), None).finish(&[], &["a".to_owned()]).unwrap();
    assert_eq!(left(), []);
}

#[test]
fn one_collection_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = open(folder.path(), None);
    let second = Shelf::open(&folder.path().join(RUN), RUN, None);
    assert!(matches!(second.err(), Some(Error::Timeout(_))));
    drop(shelf);
    open(folder.path(), None);
}
