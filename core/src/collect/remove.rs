//! Removes a log's files that were collected: under its lock, when nobody owns it, and when they
//! are still what was collected.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::content::read_plain;
use super::source::{Removal, Verified};
use crate::config::Rotation;
use crate::error::Error;
use crate::file::{Beside, LockError, LockFile, LogFile, distrusted_at};
use crate::names;
use crate::recover::drain;

/// Removes these files of the log.
pub(super) fn remove(log: &Path, files: &[(PathBuf, &Verified)]) -> Removal {
    let refused = |error| {
        let kept = vec![format!("{error}; nothing of it was removed")];
        Removal { removed: Vec::new(), kept }
    };
    try_remove(log, files).unwrap_or_else(refused)
}

/// What of these files could be removed; an error says why none was.
fn try_remove(log: &Path, files: &[(PathBuf, &Verified)]) -> Result<Removal, String> {
    let refused = |why: &str| format!("{}: {why}", log.display());
    let failed = |error: Error| error.to_string();
    if let Some(name) = distrusted_at(log) {
        let why = format!("locks on this file system ({name}) are not to be trusted");
        return Err(refused(&why));
    }
    if !names::lock_file(log).exists() {
        return Err(refused("it has no lock file, and nobody can know whether it is in use"));
    }
    let found = drain(log, Rotation::default()).map_err(failed)?;
    if let Some(why) = found.unreachable.first() {
        return Err(refused(why));
    }
    let mut came = Removal::default();
    let mut checked = Vec::new();
    // Before the lock: it takes as long as reading the files does.
    for (path, file) in files {
        match check(path, file) {
            Ok(Ok(metadata)) => checked.push((path, file, metadata)),
            Ok(Err(why)) => came.kept.push(format!("{}: {why}", path.display())),
            Err(error) => came.kept.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    let mut shipper = LockFile::new(names::shipper_lock(log));
    if shipper.path().exists() {
        match shipper.keep(Duration::ZERO) {
            Ok(_) => {}
            Err(LockError::Busy) => return Err(refused("a process pushes it to Loki")),
            Err(LockError::Io(error)) => {
                return Err(failed(Error::io(shipper.path(), "locking", error)));
            }
        }
    }
    let mut file = LogFile::new(log, Rotation::default());
    let _locked = file.lock().map_err(failed)?;
    // Behind a drain notes lead to the living alone.
    if !Beside::of(log).map_err(failed)?.notes.is_empty() {
        return Err(refused("a process that writes to it lives; remove it when that has ended"));
    }
    for (path, file, before) in checked {
        let removed = unchanged(path, &before).and_then(|same| {
            if same { std::fs::remove_file(path).map(|()| true) } else { Ok(false) }
        });
        match removed {
            Ok(true) => came.removed.push(file.path.clone()),
            Ok(false) => came.kept.push(format!("{}: {CHANGED}", path.display())),
            Err(error) => came.kept.push(format!("{}: cannot be removed: {error}", path.display())),
        }
    }
    Ok(came)
}

const CHANGED: &str = "it has changed since it was collected; collect it again";

/// `Err` inside: why it is not what was collected.
fn check(path: &Path, collected: &Verified) -> io::Result<Result<std::fs::Metadata, String>> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Ok(Err("this is no regular file".to_owned()));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() != collected.size {
        return Ok(Err(CHANGED.to_owned()));
    }
    let content = read_plain(&file, collected.size)?;
    if (content.size, &content.sha256) != (collected.size, &collected.sha256) {
        return Ok(Err("it is not what was collected".to_owned()));
    }
    Ok(Ok(metadata))
}

fn unchanged(path: &Path, before: &std::fs::Metadata) -> io::Result<bool> {
    let of = |m: &std::fs::Metadata| (m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec());
    Ok(of(&std::fs::symlink_metadata(path)?) == of(before))
}
