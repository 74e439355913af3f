//! A source on this machine. It is also what a far `lb` makes of its own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::listing::{LogName, Missing, Raw, RawFile};
use super::remove::remove;
use super::source::{Desk, Doomed, Ended, Interrupted, Removal, Source, Wanted};
use crate::config::Rotation;
use crate::error::Result;
use crate::file::{distrusted_at, whole_lines};
use crate::loki::Segments;
use crate::names;
use crate::record::BEGINNING;
use crate::recover::drain;
use crate::sweep::sweep;

/// The folder of a run on this machine.
pub(super) struct Local {
    output: PathBuf,
    run: PathBuf,
}

impl Local {
    pub(super) fn new(output: &Path, run_folder: &str) -> Self {
        Self { output: output.to_path_buf(), run: output.join(run_folder) }
    }

    /// The folder of a run itself.
    pub(super) fn of_run(run: &Path) -> Self {
        Self { output: run.parent().unwrap_or(run).to_path_buf(), run: run.to_path_buf() }
    }

    fn at(&self, path: &[u8]) -> PathBuf {
        self.run.join(OsStr::from_bytes(path.strip_prefix(b"./").unwrap_or(path)))
    }

    fn missing(&self) -> Option<Missing> {
        if self.run.is_dir() {
            return None;
        }
        if !self.output.is_dir() {
            return Some(Missing::Output);
        }
        let folders = std::fs::read_dir(&self.output).into_iter().flatten().flatten();
        let runs = folders.filter(|entry| entry.path().is_dir());
        Some(Missing::Run(runs.map(|r| r.file_name().to_string_lossy().into_owned()).collect()))
    }

    /// Everything whose name could be of ours, at any depth; links are not followed.
    fn walk(&self, raw: &mut Raw) {
        let mut folders = vec![b"./".to_vec()];
        while let Some(folder) = folders.pop() {
            let at = self.at(&folder);
            let entries = match std::fs::read_dir(&at) {
                Ok(entries) => entries,
                Err(error) => {
                    raw.problems.push(format!("{}: cannot be read: {error}", at.display()));
                    continue;
                }
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let mut path = [&folder, name.as_bytes()].concat();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => {
                        path.push(b'/');
                        folders.push(path);
                    }
                    Ok(kind) if kind.is_file() => self.note(raw, path, name.to_str()),
                    _ => {}
                }
            }
        }
    }

    fn note(&self, raw: &mut Raw, path: Vec<u8>, name: Option<&str>) {
        let Some(name) = name else { return };
        if name.ends_with(names::LOG_SUFFIX) {
            let mut start = [0; BEGINNING.len()];
            let read = File::open(self.at(&path)).and_then(|mut file| file.read_exact(&mut start));
            let begins = read.is_ok() && start == *BEGINNING;
            raw.files.push(RawFile { path, bytes: 0, stamp: String::new(), begins });
        } else if names::parse_lock(name).is_some()
            || names::parse_rings_note(name).is_some()
            || names::parse_offset(name).is_some()
        {
            raw.beside.push(path);
        }
    }

    /// The files of one log with what they have for good; what dead processes left in rings is moved
    /// into them before.
    fn settled(&self, log: &LogName, touch: bool, raw: &mut Raw) -> Result<Vec<RawFile>> {
        let live = self.at(&log.live());
        if touch
            && let Ok(found) = drain(&live, Rotation::default()).inspect_err(|error| {
                raw.problems.push(error.to_string());
            })
        {
            raw.problems.extend(found.problems(&live));
        }
        let mut files = Vec::new();
        // A lock that others do not see protects nobody; and to take one can change the log.
        if !touch || distrusted_at(&live).is_some() {
            return Ok(files);
        }
        let parts = Segments::new(&live).look()?;
        for part in parts {
            let Some(name) = part.path.file_name() else { continue };
            let path = [&log.folder, name.as_bytes()].concat();
            let Ok(there) = std::fs::symlink_metadata(&part.path) else { continue };
            if (there.dev(), there.ino()) == part.id && there.is_file() {
                files.push(RawFile {
                    path,
                    bytes: part.committed,
                    stamp: stamp(&there),
                    begins: true,
                });
            }
        }
        Ok(files)
    }
}

/// Changes with a file: its time, device and inode.
fn stamp(there: &std::fs::Metadata) -> String {
    format!("{}.{:09}-{}:{}", there.mtime(), there.mtime_nsec(), there.dev(), there.ino())
}

impl Source for Local {
    fn list(&mut self, touch: bool) -> std::result::Result<Raw, Ended> {
        let mut found = Raw { missing: self.missing(), ..Raw::default() };
        if found.missing.is_some() {
            return Ok(found);
        }
        if touch {
            found.problems.extend(sweep().unreachable);
        }
        self.walk(&mut found);
        let logs = found.logs();
        let mut files: BTreeMap<Vec<u8>, RawFile> = BTreeMap::new();
        let mut names: Vec<&LogName> = logs.files.iter().map(|file| &file.log).collect();
        names.extend(&logs.beside);
        names.sort();
        names.dedup();
        for log in names {
            match self.settled(log, touch, &mut found) {
                Ok(settled) => files.extend(settled.into_iter().map(|f| (f.path.clone(), f))),
                Err(error) => found.problems.push(error.to_string()),
            }
        }
        // What the log's own list does not have: quarantined lines, and logs without locks.
        for file in &logs.files {
            if files.contains_key(&file.path) {
                continue;
            }
            let at = self.at(&file.path);
            let whole = open(&at).and_then(|f| Ok((whole_lines(&f, 0)?, f.metadata()?)));
            match whole {
                Ok((bytes, there)) => {
                    let (path, stamp) = (file.path.clone(), stamp(&there));
                    files.insert(path.clone(), RawFile { path, bytes, stamp, begins: true });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    found.problems.push(format!("{}: cannot be read: {error}", at.display()));
                }
            }
        }
        // Notes of dead processes have gone.
        let mut now = Raw::default();
        self.walk(&mut now);
        let files = files.into_values().collect();
        Ok(Raw { files, beside: now.beside, settled: true, ..found })
    }

    fn fetch(&mut self, wanted: &[Wanted], desk: &mut dyn Desk) -> std::result::Result<(), Ended> {
        for (number, file) in wanted.iter().enumerate() {
            let opened = open(&self.at(file.path())).and_then(|opened| {
                let there = opened.metadata()?;
                Ok((opened, format!("{}:{}", there.dev(), there.ino())))
            });
            let (opened, id) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    desk.cannot(number, &error.to_string());
                    continue;
                }
            };
            match desk.take(number, &mut opened.take(file.bytes())) {
                Ok(()) => desk.taken(number, file.id().is_empty() || file.id() == id)?,
                Err(Interrupted::Reading(error)) => desk.cannot(number, &error.to_string()),
                Err(Interrupted::Ended(ended)) => return Err(ended),
            }
        }
        Ok(())
    }

    fn remove(&mut self, logs: &[Doomed]) -> std::result::Result<Removal, Ended> {
        let mut all = Removal::default();
        for Doomed { live, files } in logs {
            let files: Vec<_> = files.iter().map(|file| (self.at(&file.path), file)).collect();
            let came = remove(&self.at(live), &files);
            all.removed.extend(came.removed);
            all.kept.extend(came.kept);
        }
        Ok(all)
    }
}

/// Never through a link, and never held up by a pipe.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"))
}
