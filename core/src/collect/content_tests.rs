#![allow(clippy::unwrap_used)]
use super::*;

fn record(second: u32) -> String {
    format!("{{\"timestamp\":\"2026-11-22T10:11:{second:02}.000000000Z\"}}\n")
}

fn gzipped(path: &Path) -> bool {
    path.to_str().unwrap().ends_with(GZ)
}

fn compare(first: &Path, second: &Path) -> io::Result<Beginning> {
    super::compare((first, gzipped(first)), (second, gzipped(second)))
}

fn read_back(path: &Path) -> io::Result<Content> {
    super::read_back(path, gzipped(path))
}

fn stored(folder: &Path, name: &str, plain: &[u8]) -> (std::path::PathBuf, Content) {
    let path = folder.join(name);
    let level = name.ends_with(GZ).then_some(6);
    let content = copy(&mut &plain[..], &File::create(&path).unwrap(), level).unwrap();
    (path, content)
}

#[test]
fn whole_lines_are_kept_counted_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(3 * CHUNK) + "\n";
    let plain = record(1) + &long + &record(3) + "{\"times";
    for name in ["a.jsonl", "a.jsonl.gz"] {
        let (path, content) = stored(folder.path(), name, plain.as_bytes());
        assert_eq!(content.size, (plain.len() - 7) as u64);
        assert_eq!(content.lines, 3);
        assert_eq!(content.first_timestamp.as_deref(), Some("2026-11-22T10:11:01.000000000Z"));
        assert_eq!(content.last_timestamp.as_deref(), Some("2026-11-22T10:11:03.000000000Z"));
        assert_eq!(read_back(&path).unwrap(), content);
    }
    let (_, empty) = stored(folder.path(), "b.jsonl.gz", b"no newline");
    // The published value of the empty input.
    assert!(
        empty
            .sha256
            .starts_with("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    assert_eq!((empty.lines, empty.size, empty.first_timestamp), (0, 0, None));
}

#[test]
fn a_damaged_copy_is_not_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, content) = stored(folder.path(), "a.jsonl.gz", record(1).repeat(1000).as_bytes());
    let bytes = std::fs::read(&path).unwrap();
    for cut in [1, 10, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(read_back(&path).is_err(), "{cut}");
    }
    for at in [20, bytes.len() / 2, bytes.len() - 6] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        assert_ne!(read_back(&path).ok(), Some(content.clone()), "{at}");
    }
    let (path, _) = stored(folder.path(), "b.jsonl", record(1).as_bytes());
    std::fs::write(&path, record(1) + "half").unwrap();
    assert!(read_back(&path).is_err());
}

#[test]
fn beginnings_are_compared_whatever_the_packing() {
    let folder = tempfile::tempdir().unwrap();
    let base: String = (0..60).map(record).collect::<String>().repeat(1000);
    let (short, _) = stored(folder.path(), "short.jsonl", base.as_bytes());
    let (same, _) = stored(folder.path(), "same.jsonl.gz", base.as_bytes());
    let (long, _) = stored(folder.path(), "long.jsonl.gz", (base.clone() + &record(7)).as_bytes());
    let (other, _) = stored(folder.path(), "other.jsonl.gz", (record(9) + &base).as_bytes());
    let (empty, _) = stored(folder.path(), "empty.jsonl.gz", b"");
    assert_eq!(compare(&short, &same).unwrap(), Beginning::Same);
    assert_eq!(compare(&short, &long).unwrap(), Beginning::FirstIsShorter);
    assert_eq!(compare(&long, &short).unwrap(), Beginning::Other);
    assert_eq!(compare(&short, &other).unwrap(), Beginning::Other);
    assert_eq!(compare(&empty, &short).unwrap(), Beginning::FirstIsShorter);
    assert_eq!(compare(&empty, &empty).unwrap(), Beginning::Same);
}

#[test]
fn what_is_no_log_does_not_fill_the_memory() {
    let mut endless = std::io::repeat(b'x');
    let error = whole_lines(&mut endless, &mut io::sink()).unwrap_err();
    assert!(matches!(error, CopyError::Reading(e) if e.to_string().contains("no newline")));
}
