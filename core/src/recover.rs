//! Moves the records of dead processes from their rings into their log.
//!
//! Done by whoever opens a log, by each writer once a second for its dead siblings, and by
//! `lb drain`. Each thread's records keep their order, and each is written once: the positions
//! of the rings advance by the append protocol, whoever runs it and however often it dies.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::file::{LogFile, Rotation, Seen, distrusted_at, folder_of, look};
use crate::gap::Gap;
use crate::gather::{BLOCK_BYTES, Gatherer};
use crate::names;
use crate::own_record::tell;
use crate::record::Context;
use crate::ring::RingFile;

/// What recovery found beside one log.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Records that were moved into the file.
    pub records: u64,
    /// Records that could not be read, because their ring was damaged.
    pub damaged: u64,
    /// Ring files of living processes, which were left alone.
    pub alive: u64,
    /// Ring files of dead processes that are gone, with the reason: what they held is lost.
    pub gone: Vec<String>,
    /// Ring files that cannot be reached from here, with the reason: their notes stay.
    pub unreachable: Vec<String>,
}

impl Recovery {
    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.damaged += other.damaged;
        self.alive += other.alive;
        self.gone.extend(other.gone);
        self.unreachable.extend(other.unreachable);
    }
}

/// Recovers what dead processes left beside the log at `path`. It is rotated by these limits, else
/// by those of the dead; lines are as long as their own process would have written them.
///
/// # Errors
/// [`Error::Io`] or [`Error::Timeout`] where the log cannot be appended to; what was not moved
/// stays in its rings.
pub fn drain(path: &Path, rotation: Rotation) -> Result<Recovery> {
    if distrusted_at(path).is_some() {
        // Rings there are in plain memory and have died with their process, and a lock would not
        // keep us from cutting the line that somebody writes on another machine.
        return Ok(Recovery::default());
    }
    let mut log = LogFile::new(path, rotation);
    if names::lock_file(path).exists() {
        // Finishes the append of a dead process that has left no rings behind.
        drop(log.lock()?);
    }
    recover(&mut log, None, None)
}

/// Recovers all dead processes' rings of a log but `own`. What is lost is told in the log, under
/// the identity of `context` or else of the log's last record.
pub(crate) fn recover(
    log: &mut LogFile,
    own: Option<u64>,
    context: Option<&Context>,
) -> Result<Recovery> {
    let mut total = Recovery::default();
    for id in noted(log.path())? {
        if Some(id) != own {
            let found = recover_one(log, id)?;
            tell_losses(log, &found, context)?;
            total.add(found);
        }
    }
    Ok(total)
}

fn tell_losses(log: &mut LogFile, found: &Recovery, context: Option<&Context>) -> Result<()> {
    let damaged = (found.damaged > 0).then(|| Gap {
        lost: Some(found.damaged),
        reason: "the ring of a killed process was damaged".into(),
        since_ns: None,
    });
    let gone = found.gone.iter().map(|why| Gap {
        lost: None,
        reason: format!("what a process had not written when it ended is gone ({why})"),
        since_ns: None,
    });
    for gap in gone.chain(damaged) {
        tell(log, &gap, context)?;
    }
    Ok(())
}

/// The ids of all rings notes beside a log.
pub(crate) fn noted(log: &Path) -> Result<Vec<u64>> {
    let folder = folder_of(log);
    let failed = |error| Error::io(folder, "looking for rings of dead processes", error);
    let stem = names::stem(log);
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some((of, id)) = name.to_str().and_then(names::parse_rings_note)
            && Some(of) == stem
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn recover_one(log: &mut LogFile, id: u64) -> Result<Recovery> {
    let path = log.path().to_path_buf();
    let boot = log.boot_id();
    let mut locked = log.lock()?;
    let mut found = Recovery::default();
    let seen = match look(&path, id, boot) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => Seen::Unreachable { why: error.to_string() },
        Ok(seen) => seen,
    };
    match seen {
        Seen::Alive => found.alive = 1,
        Seen::Unreachable { why } => found.unreachable.push(describe(&path, id, &why)),
        Seen::Gone { note, why } => {
            note.remove();
            locked.forget_unreached(id)?;
            found.gone.push(describe(&path, id, &why));
        }
        Seen::Dead { note, rings } => {
            locked.honour_unreached(&rings);
            drop(locked);
            move_records(log, &rings, &mut found)?;
            let mut locked = log.lock()?;
            note.remove();
            locked.forget_unreached(id)?;
            rings.remove();
        }
    }
    Ok(found)
}

fn describe(log: &Path, id: u64, why: &str) -> String {
    format!("{}: {why}", names::rings_note(log, id).display())
}

/// Moves all records of a dead process's rings into its log.
pub(crate) fn move_records(
    log: &mut LogFile,
    rings: &RingFile,
    found: &mut Recovery,
) -> Result<()> {
    // Lines may be as long as the process itself would have written them.
    let mut gatherer = Gatherer::new(rings.max_record_bytes());
    let before = log.rotation();
    let theirs = rings.rotation();
    log.set_rotation(Rotation {
        max_bytes: before.max_bytes.or(theirs.max_bytes),
        max_age: before.max_age.or(theirs.max_age),
    });
    let moved = move_all(log, rings, &mut gatherer, found);
    log.set_rotation(before);
    moved
}

fn move_all(
    log: &mut LogFile,
    rings: &RingFile,
    gatherer: &mut Gatherer,
    found: &mut Recovery,
) -> Result<()> {
    let calibration = rings.calibration();
    loop {
        let limit = log.block_limit(BLOCK_BYTES);
        found.damaged +=
            gatherer.gather(rings, limit, |stamp| calibration.to_ns(stamp), true).damaged;
        let block = gatherer.block();
        if block.is_empty() {
            return Ok(());
        }
        let (lines, error) = log.lock()?.append(Some(rings), block);
        found.records += lines;
        if let Some(error) = error {
            return Err(error);
        }
    }
}

/// All logs below a folder that rings notes lead to, and those that are logs themselves.
///
/// # Errors
/// [`Error::Io`] where a folder cannot be read.
pub fn logs_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let failed = |error| Error::io(&folder, "looking for log files", error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Symbolic links are not followed: they may lead in circles or elsewhere.
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let stem = names::parse_rings_note(name)
                .map(|(stem, _)| stem)
                .or_else(|| names::parse_lock(name));
            if let Some(stem) = stem {
                logs.push(folder.join(format!("{stem}{}", names::LOG_SUFFIX)));
            }
        }
    }
    logs.sort();
    logs.dedup();
    Ok(logs)
}
