//! Log files of ours below a folder: told by their names and by what lies beside them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use lb_core::names;

/// A log: the file that is written to, and the files that were it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Log {
    /// Where records go. It may not exist yet: a process can die before its first line.
    pub(crate) path: PathBuf,
    /// Rotated segments, oldest first.
    pub(crate) segments: Vec<PathBuf>,
    /// Lines that Loki refuses.
    pub(crate) quarantine: Option<PathBuf>,
    /// Whether a lock file or a rings note lies beside it.
    beside: bool,
}

impl Log {
    /// The log of one file: of a live one, of a segment, or of a quarantine.
    pub(crate) fn of_file(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        let stem = names::parse_segment(name)
            .map(|(stem, _)| stem)
            .or_else(|| names::parse_quarantine(name))
            .or_else(|| names::parse_log(name))?;
        let path = file.with_file_name(format!("{stem}{}", names::LOG_SUFFIX));
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut problems = Vec::new();
        let logs = in_folder(folder, &mut Vec::new(), &mut problems);
        logs.into_iter()
            .find(|log| log.path.file_name() == path.file_name())
            .map(|log| Self { path, ..log })
    }

    /// Files that exist, oldest first.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let live = self.path.exists().then_some(&self.path);
        self.segments.iter().chain(live).chain(&self.quarantine).map(PathBuf::as_path)
    }
}

/// All logs below a folder, at any depth, in the order of their paths; and what could not be read.
/// Symbolic links to folders are not followed.
pub(crate) fn below(folder: &Path) -> (Vec<Log>, Vec<String>) {
    let (mut logs, mut problems) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        logs.extend(in_folder(&folder, &mut folders, &mut problems));
    }
    logs.sort_by(|a, b| a.path.cmp(&b.path));
    (logs, problems)
}

fn in_folder(folder: &Path, folders: &mut Vec<PathBuf>, problems: &mut Vec<String>) -> Vec<Log> {
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) => {
            problems.push(format!("{}: cannot be read: {e}", folder.display()));
            return Vec::new();
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(path);
        } else if let Some(name) = entry.file_name().to_str() {
            sort_in(&mut logs, name, path);
        }
    }
    let ours = |log: &Log| log.beside || log.files().any(begins_with_record);
    let mut logs: Vec<Log> = logs.into_values().filter(ours).collect();
    for log in &mut logs {
        log.segments.sort_by_key(|path| number(path));
    }
    logs
}

fn sort_in(logs: &mut BTreeMap<String, Log>, name: &str, path: PathBuf) {
    let segment = names::parse_segment(name).map(|(stem, _)| stem);
    let quarantine = names::parse_quarantine(name);
    let beside = names::parse_lock(name).or(names::parse_rings_note(name).map(|(stem, _)| stem));
    let Some(stem) = segment.or(quarantine).or(beside).or(names::parse_log(name)) else { return };
    let log = logs.entry(stem.to_owned()).or_default();
    log.path = path.with_file_name(format!("{stem}{}", names::LOG_SUFFIX));
    if segment.is_some() {
        log.segments.push(path);
    } else if quarantine.is_some() {
        log.quarantine = Some(path);
    } else if beside.is_some() {
        log.beside = true;
    }
}

fn number(segment: &Path) -> u64 {
    let name = segment.file_name().and_then(|name| name.to_str());
    name.and_then(names::parse_segment).map_or(0, |(_, seq)| seq)
}

/// Whether a file begins as a record of ours does, so that other programs' JSON lines are left alone.
fn begins_with_record(path: &Path) -> bool {
    const BEGINNING: &[u8] = br#"{"timestamp":""#;
    let mut start = [0; BEGINNING.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *BEGINNING
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = "{\"timestamp\":\"2026-11-22T10:11:12.000000000Z\"}\n";

    #[test]
    fn ours_are_found_and_others_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("host/deep")).unwrap();
        for (name, text) in [
            ("k6-h.jsonl", LINE),
            ("k6-h.000002.jsonl", LINE),
            ("k6-h.1000000.jsonl", LINE),
            ("k6-h.000001.jsonl", LINE),
            ("k6-h.quarantined.jsonl", "{}"),
            (".k6-h.lock", ""),
            ("host/deep/copied.jsonl", LINE),
            ("host/.unborn.00000000000000ab.rings", ""),
            ("host/empty.jsonl", ""),
            ("host/.empty.lock", ""),
            ("others.jsonl", "{\"type\":1}\n"),
            ("others-empty.jsonl", ""),
            ("run.log", LINE),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("host/loop")).unwrap();
        let (logs, problems) = below(root);
        assert!(problems.is_empty());
        let paths: Vec<_> = logs.iter().map(|log| log.path.strip_prefix(root).unwrap()).collect();
        let expected =
            ["host/deep/copied.jsonl", "host/empty.jsonl", "host/unborn.jsonl", "k6-h.jsonl"];
        assert_eq!(paths, expected.map(Path::new));
        let segments = ["k6-h.000001.jsonl", "k6-h.000002.jsonl", "k6-h.1000000.jsonl"];
        assert_eq!(logs[3].segments, segments.map(|name| root.join(name)));
        assert_eq!(logs[3].quarantine, Some(root.join("k6-h.quarantined.jsonl")));
        assert_eq!(logs[3].files().count(), 5);
        assert_eq!(logs[2].files().count(), 0);
        for name in ["k6-h.jsonl", "k6-h.000001.jsonl", "k6-h.quarantined.jsonl"] {
            assert_eq!(Log::of_file(&root.join(name)).as_ref(), Some(&logs[3]));
        }
        assert_eq!(Log::of_file(&root.join("run.log")), None);
        assert_eq!(below(&root.join("none")).1.len(), 1);
    }
}
