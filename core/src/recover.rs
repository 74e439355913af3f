//! Moves the records of dead processes from their rings into their log.
//!
//! Done by whoever opens a log, by each writer once a second for its dead siblings, and by
//! `lb drain`.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::file::{Beside, LogFile, Rotation, Seen, distrusted_at, look};
use crate::gap::tell_losses;
pub use crate::mover::Recovery;
use crate::mover::{identity_in, move_records};
use crate::names;
use crate::record::Context;
use crate::sweep::sweep_beside;

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
    let mut gone = Vec::new();
    let beside = Beside::of(log.path())?;
    for id in beside.notes.iter().copied().filter(|id| Some(*id) != own) {
        match recover_one(log, id, context)? {
            Some(found) => total.add(found),
            None => gone.push(id),
        }
    }
    total.add(sweep_beside(log, &beside, context)?);
    if !gone.is_empty() {
        // Behind what was moved: a new log has no record whose identity a gap could take.
        for id in gone {
            total.add(settle_gone(log, id, context)?);
        }
        // A note may have said something false of rings that are there.
        total.add(sweep_beside(log, &beside, context)?);
    }
    Ok(total)
}

/// What to do about rings that cannot be reached from here.
const STAY: &str = "its records stay there: run lb drain where and as whom they can be reached";

/// Moves the records of one dead process. `None` where its rings are gone.
fn recover_one(log: &mut LogFile, id: u64, context: Option<&Context>) -> Result<Option<Recovery>> {
    let path = log.path().to_path_buf();
    let boot = log.boot_id();
    let mut locked = log.lock()?;
    let mut found = Recovery::default();
    let seen = match look(&path, id, boot) {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(found)),
        Err(error) => {
            let what = if error.kind() == io::ErrorKind::InvalidInput { "remove it" } else { STAY };
            found.unreachable.push(describe(&path, id, &format!("{error}; {what}")));
            return Ok(Some(found));
        }
    };
    match seen {
        Seen::Alive => found.alive = 1,
        Seen::Gone { .. } => return Ok(None),
        Seen::Dead { note, rings } => {
            locked.honour_unreached(&rings);
            drop(locked);
            failpoint::at(Point::RecoveryLocked);
            move_records(log, &rings, &mut found)?;
            failpoint::at(Point::RecoveryMoved);
            tell_losses(log, &found, context.or(identity_in(&rings).as_ref()))?;
            let mut locked = log.lock()?;
            note.remove();
            failpoint::at(Point::RecoveryNoteRemoved);
            locked.forget_unreached(id)?;
            failpoint::at(Point::RecoveryForgotten);
            rings.remove();
            failpoint::at(Point::RecoveryDone);
        }
    }
    Ok(Some(found))
}

/// Tells in the log that the rings of a dead process are gone, and removes its note.
fn settle_gone(log: &mut LogFile, id: u64, context: Option<&Context>) -> Result<Recovery> {
    let path = log.path().to_path_buf();
    let boot = log.boot_id();
    let mut found = Recovery::default();
    let locked = log.lock()?;
    let Ok(Seen::Gone { note, why }) = look(&path, id, boot) else { return Ok(found) };
    drop(locked);
    found.gone.push(describe(&path, id, &why));
    // The note stays until its loss is told: better twice than never.
    tell_losses(log, &found, context)?;
    failpoint::at(Point::RecoveryGapTold);
    let mut locked = log.lock()?;
    note.remove();
    locked.forget_unreached(id)?;
    Ok(found)
}

fn describe(log: &Path, id: u64, why: &str) -> String {
    format!("{}: {why}", names::rings_note(log, id).display())
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

#[cfg(all(test, not(lb_loom), not(miri)))]
#[path = "hostile_tests.rs"]
mod hostile_tests;
