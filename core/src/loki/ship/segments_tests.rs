#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn files_of_this_log_in_order_up_to_what_they_have_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.jsonl");
    let mut segments = Segments::new(&log);
    assert!(segments.look().unwrap().is_empty());
    for (name, text) in [
        ("a.000010.jsonl", "10\n"),
        ("a.000009.jsonl", "9\nhalf"),
        ("a.jsonl", "live\nhalf"),
        ("a.quarantined.jsonl", "no\n"),
        ("b.000001.jsonl", "no\n"),
        ("a.1.jsonl", "no\n"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let seen: Vec<_> = segments
        .look()
        .unwrap()
        .iter()
        .map(|part| (part.path.file_name().unwrap().to_str().unwrap().to_owned(), part.committed))
        .collect();
    let expected =
        [("a.000009.jsonl", 2), ("a.000010.jsonl", 3), ("a.jsonl", 5)].map(|(n, c)| (n.into(), c));
    assert_eq!(seen, expected);
    assert!(!names::lock_file(&log).exists());
}

#[test]
fn an_append_under_way_is_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("a.jsonl");
    let mut writer = LogFile::open(&log, Rotation::default()).unwrap();
    writer.lock().unwrap().append_line(b"one\n").unwrap();
    let mut segments = Segments::new(&log);
    assert_eq!(segments.look().unwrap()[0].committed, 4);
    // Whole lines, and nobody has committed them.
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    std::io::Write::write_all(&mut file, b"two\n").unwrap();
    assert_eq!(segments.look().unwrap()[0].committed, 4);
    // A file that no writer of ours has begun.
    std::fs::rename(&log, folder.path().join("other")).unwrap();
    std::fs::copy(folder.path().join("other"), &log).unwrap();
    assert_eq!(segments.look().unwrap()[0].committed, 8);
}
