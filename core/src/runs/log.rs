//! Log files of ours below a folder: told by their names and by what lies beside them. Each file
//! may be gzipped, as it is when it was collected.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::blocks::{GZIP_SUFFIX, is_gzipped, plain, torn};
use crate::names;
use crate::record::BEGINNING;

/// A log: the file that is written to, and the files that were it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// Where records go. It may not exist yet: a process can die before its first line.
    pub path: PathBuf,
    /// Rotated segments, oldest first.
    pub segments: Vec<PathBuf>,
    /// Lines that Loki refuses.
    pub quarantine: Option<PathBuf>,
    /// The gzipped copy of `path`.
    copy: Option<PathBuf>,
    /// Whether a lock file or a rings note lies beside it.
    beside: bool,
}

impl Log {
    /// The log of one file: of a live one, of a segment, or of a quarantine.
    #[must_use]
    pub fn of_file(file: &Path) -> Option<Self> {
        let name = without_gzip(file.file_name()?.to_str()?);
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

    /// Files that exist, oldest first. A copy of what is here is left out.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.records().chain(self.quarantine.as_deref())
    }

    /// The files that hold the log's records, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Path> {
        let live = self.path.exists().then_some(&self.path);
        self.segments.iter().chain(live.or(self.copy.as_ref())).map(PathBuf::as_path)
    }

    /// Whether it lies where it was written; of a collected log there are only copies.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.beside || self.files().any(|file| !is_gzipped(file))
    }

    fn add_segment(&mut self, path: PathBuf) {
        let same = |other: &PathBuf| without_ending(other) == without_ending(&path);
        match self.segments.iter_mut().find(|other| same(other)) {
            Some(other) => keep_plain(other, path),
            None => self.segments.push(path),
        }
    }

    fn add_quarantine(&mut self, path: PathBuf) {
        match &mut self.quarantine {
            Some(other) => keep_plain(other, path),
            none => *none = Some(path),
        }
    }
}

/// The same path however its folder was named.
#[must_use]
pub fn in_real_folder(path: &Path) -> PathBuf {
    let folder = path.parent().and_then(|folder| Path::new(".").join(folder).canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

fn without_gzip(name: &str) -> &str {
    name.strip_suffix(GZIP_SUFFIX).unwrap_or(name)
}

fn without_ending(path: &Path) -> PathBuf {
    if is_gzipped(path) { path.with_extension("") } else { path.to_path_buf() }
}

/// Of a file and its copy the file is the newer one.
fn keep_plain(one: &mut PathBuf, other: PathBuf) {
    if is_gzipped(one) {
        *one = other;
    }
}

/// All logs below a folder, at any depth, in the order of their paths; and what could not be read.
/// Symbolic links to folders are not followed.
#[must_use]
pub fn below(folder: &Path) -> (Vec<Log>, Vec<String>) {
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
    let mut logs: Vec<Log> =
        logs.into_values().filter(|log| log.beside || is_ours(log, problems)).collect();
    for log in &mut logs {
        log.segments.sort_by_key(|path| number(path));
    }
    logs
}

fn sort_in(logs: &mut BTreeMap<String, Log>, name: &str, path: PathBuf) {
    let name = without_gzip(name);
    let segment = names::parse_segment(name).map(|(stem, _)| stem);
    let quarantine = names::parse_quarantine(name);
    let beside = names::parse_lock(name).or(names::parse_rings_note(name).map(|(stem, _)| stem));
    let Some(stem) = segment.or(quarantine).or(beside).or(names::parse_log(name)) else { return };
    let log = logs.entry(stem.to_owned()).or_default();
    log.path = path.with_file_name(format!("{stem}{}", names::LOG_SUFFIX));
    if segment.is_some() {
        log.add_segment(path);
    } else if quarantine.is_some() {
        log.add_quarantine(path);
    } else if beside.is_some() {
        log.beside = true;
    } else if is_gzipped(&path) {
        log.copy = Some(path);
    }
}

fn number(segment: &Path) -> u64 {
    let name = segment.file_name().and_then(|name| name.to_str()).map(without_gzip);
    name.and_then(names::parse_segment).map_or(0, |(_, seq)| seq)
}

/// Other programs' JSON lines are left alone. What cannot be read may be ours.
fn is_ours(log: &Log, problems: &mut Vec<String>) -> bool {
    log.files().any(|path| {
        let begins = begins_with_record(path);
        begins.unwrap_or_else(|error| {
            problems.push(format!("{}: {}", path.display(), torn(path, &error, 0, "")));
            false
        })
    })
}

/// Whether a file begins as a record of ours does.
pub(crate) fn begins_with_record(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    plain(path, file, 0).take(BEGINNING.len() as u64).read_to_end(&mut start)?;
    Ok(start == *BEGINNING)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn gzipped(text: &str) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn copies() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["k6-h.jsonl", "k6-h.000001.jsonl", "both-h.jsonl", "other.jsonl"] {
            let text = if name == "other.jsonl" { "{}\n" } else { LINE };
            fs::write(root.join(name.to_owned() + ".gz"), gzipped(text)).unwrap();
        }
        for name in ["both-h.jsonl", "both-h.000002.jsonl", "k6-h.000002.jsonl"] {
            fs::write(root.join(name), LINE).unwrap();
        }
        fs::write(root.join("k6-h.quarantined.jsonl.gz"), gzipped("{}")).unwrap();
        let (logs, _) = below(root);
        let names = |log: &Log| -> Vec<String> {
            let name = |file: &Path| file.file_name().unwrap().to_str().unwrap().to_owned();
            log.files().map(name).collect()
        };
        assert_eq!(logs.len(), 2);
        assert_eq!(names(&logs[0]), ["both-h.000002.jsonl", "both-h.jsonl"]);
        let k6 = [
            "k6-h.000001.jsonl.gz",
            "k6-h.000002.jsonl",
            "k6-h.jsonl.gz",
            "k6-h.quarantined.jsonl.gz",
        ];
        assert_eq!(names(&logs[1]), k6);
        assert_eq!(Log::of_file(&root.join(k6[0])).as_ref(), Some(&logs[1]));
        assert!(logs.iter().all(Log::is_here));
        fs::remove_file(root.join("k6-h.000002.jsonl")).unwrap();
        assert!(!below(root).0[1].is_here());
    }

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
