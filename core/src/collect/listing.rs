//! What lies below a run's folder, and which of it are logs of ours.

use std::collections::BTreeSet;

use crate::names;

/// Everything that was found at a source, as it was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Raw {
    /// Files whose names end as those of logs.
    pub(super) files: Vec<RawFile>,
    /// Lock files, rings notes and offset files, by their paths.
    pub(super) beside: Vec<Vec<u8>>,
    /// Whether dead processes' rings were moved into their files, and sizes are committed ones.
    pub(super) settled: bool,
    /// What could not be read or moved, one sentence each.
    pub(super) problems: Vec<String>,
    /// Why there is no folder of the run.
    pub(super) missing: Option<Missing>,
}

/// Which folder is not there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// That of all runs.
    Output,
    /// That of this run; these are there.
    Run(Vec<String>),
}

/// A file whose name ends as that of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct RawFile {
    /// Below the run's folder, as the source writes it.
    pub(super) path: Vec<u8>,
    /// Bytes to be collected: committed ones where the source knows them.
    pub(super) bytes: u64,
    /// Changes with the file: its time and identity. Empty where the source cannot tell.
    pub(super) stamp: String,
    /// Whether it begins as a log does.
    pub(super) begins: bool,
}

/// Which file of its log one is; in the order in which they are collected.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// Rotated; its number.
    Segment(u64),
    /// The one that is written to.
    Live,
    /// Lines that Loki refuses.
    Quarantine,
}

/// A file of a log of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LogFile {
    pub(super) path: Vec<u8>,
    /// The folder and stem of its log: what all its files and side files share.
    pub(super) log: LogName,
    pub(super) kind: Kind,
    pub(super) bytes: u64,
    pub(super) stamp: String,
}

/// A log's folder (with its slash) and stem.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct LogName {
    pub(super) folder: Vec<u8>,
    pub(super) stem: String,
}

impl LogName {
    /// The path of the live file.
    pub(super) fn live(&self) -> Vec<u8> {
        [&self.folder, self.stem.as_bytes(), names::LOG_SUFFIX.as_bytes()].concat()
    }
}

/// The logs of ours at a source.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Logs {
    /// In the order of their logs; of each log, segments first.
    pub(super) files: Vec<LogFile>,
    /// Where Loki's offsets are kept.
    pub(super) offsets: Vec<(LogName, Vec<u8>)>,
    /// Logs with a rings note beside them: somebody writes to them, or died.
    pub(super) noted: BTreeSet<LogName>,
    /// Logs with a lock file or a rings note, whether or not they have a file.
    pub(super) beside: BTreeSet<LogName>,
}

/// Folder (with its slash) and name.
fn split(path: &[u8]) -> Option<(&[u8], &str)> {
    let at = memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1);
    let (folder, name) = path.split_at(at);
    Some((folder, std::str::from_utf8(name).ok()?))
}

/// Which log of ours a file belongs to, by its name, and as what.
fn parse(path: &[u8]) -> Option<(LogName, Kind)> {
    let (folder, name) = split(path)?;
    let (stem, kind) = names::parse_segment(name)
        .map(|(stem, number)| (stem, Kind::Segment(number)))
        .or_else(|| names::parse_quarantine(name).map(|stem| (stem, Kind::Quarantine)))
        .or_else(|| names::parse_log(name).map(|stem| (stem, Kind::Live)))?;
    Some((LogName { folder: folder.to_vec(), stem: stem.to_owned() }, kind))
}

impl Raw {
    /// Sorts out the logs of ours: those with a lock file or a rings note beside them, and those of
    /// which a file begins as a log does.
    pub(super) fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        for path in &self.beside {
            let Some((folder, name)) = split(path) else { continue };
            let of = |stem: &str| LogName { folder: folder.to_vec(), stem: stem.to_owned() };
            if let Some((stem, _)) = names::parse_offset(name) {
                logs.offsets.push((of(stem), path.clone()));
            } else if let Some((stem, _)) = names::parse_rings_note(name) {
                logs.noted.insert(of(stem));
                logs.beside.insert(of(stem));
            } else if let Some(stem) = names::parse_lock(name) {
                logs.beside.insert(of(stem));
            }
        }
        let parsed: Vec<_> = self.files.iter().filter_map(|f| Some((f, parse(&f.path)?))).collect();
        let begun = parsed.iter().filter(|(file, _)| file.begins).map(|(_, (log, _))| log.clone());
        let ours: BTreeSet<LogName> = begun.chain(logs.beside.iter().cloned()).collect();
        let files = parsed.into_iter().filter(|(_, (log, _))| ours.contains(log));
        logs.files = files
            .map(|(file, (log, kind))| {
                let (path, stamp) = (file.path.clone(), file.stamp.clone());
                LogFile { path, log, kind, bytes: file.bytes, stamp }
            })
            .collect();
        logs.files.sort_by(|a, b| (&a.log, a.kind).cmp(&(&b.log, b.kind)));
        logs
    }
}

/// A path as text that stands for these bytes alone.
pub(super) fn shown(path: &[u8]) -> String {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    path.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, begins: bool) -> RawFile {
        let stamp = "7".to_owned();
        RawFile { path: path.as_bytes().to_vec(), bytes: 3, stamp, begins }
    }

    #[test]
    fn logs_are_told_by_their_beginnings_and_by_what_lies_beside_them() {
        let raw = Raw {
            files: vec![
                file("./h/logs/k6-h.jsonl", true),
                file("./h/logs/k6-h.quarantined.jsonl", false),
                file("./h/logs/k6-h.000002.jsonl", true),
                file("./h/logs/k6-h.000001.jsonl", true),
                file("./h/logs/k6-h~0a0b0c0d.jsonl", true),
                file("./other.jsonl", false),
                file("./empty.jsonl", false),
                file("./x/empty.jsonl", false),
            ],
            beside: [
                "./empty.jsonl/.strange.lock",
                "./.empty.lock",
                "./y/.unborn.00000000000000ab.rings",
                "./h/logs/.k6-h.00000000000000ab.offset",
            ]
            .map(|path| path.as_bytes().to_vec())
            .to_vec(),
            ..Raw::default()
        };
        let logs = raw.logs();
        let paths: Vec<_> = logs.files.iter().map(|file| shown(&file.path)).collect();
        assert_eq!(
            paths,
            [
                "empty.jsonl",
                "h/logs/k6-h.000001.jsonl",
                "h/logs/k6-h.000002.jsonl",
                "h/logs/k6-h.jsonl",
                "h/logs/k6-h.quarantined.jsonl",
                "h/logs/k6-h~0a0b0c0d.jsonl",
            ]
        );
        assert_eq!(logs.offsets.len(), 1);
        assert_eq!(logs.offsets[0].0, logs.files[1].log);
        let unborn = LogName { folder: b"./y/".to_vec(), stem: "unborn".to_owned() };
        assert!(logs.noted.contains(&unborn) && logs.beside.len() == 3);
        assert_eq!(unborn.live(), b"./y/unborn.jsonl");
    }

    #[test]
    fn a_shown_path_stands_for_its_bytes_alone() {
        assert_eq!(shown(b"./a/b\n"), "a/b\n");
        assert_eq!(shown(b"a\xff\xfeb\xc3"), "a\\xff\\xfeb\\xc3");
    }
}
