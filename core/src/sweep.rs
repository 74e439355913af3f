//! Ring files that nothing leads to any more: their process died before it made its note or
//! behind its removal, or somebody deleted the folder with the note.
//!
//! A ring file is locked by its owner from before its header is written. One with a sound header
//! whose lock can be had is therefore a dead process's.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::error::Result;
use crate::failpoint::{self, Point};
use crate::file::{Beside, LogFile, RingPlace, Rotation, open_ring_file, ring_id_in, try_lock};
use crate::gap::tell_losses;
use crate::mover::{Recovery, identity_in, move_records};
use crate::names;
use crate::record::Context;
use crate::ring::RingFile;

/// A file without a sound header is only taken away when it is older than this: a younger one may
/// be about to become a ring file.
const HALF_MADE: Duration = Duration::from_mins(1);

/// Looks at all ring files in `/dev/shm` that belong to this user and have no note. Their records
/// go into their log where its folder still exists; then the ring file is removed. What cannot
/// be had stays for the next one.
#[must_use]
pub fn sweep() -> Recovery {
    let mut found = Recovery::default();
    let folder = RingPlace::Shm.folder(Path::new(""));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(ring_id_in) else { continue };
        let Some(rings) = orphan(&entry.path(), id, None) else { continue };
        let path = rings.log_path().to_path_buf();
        if !rings.made_among_these_mounts() {
            // Its log's path means nothing here, or something else.
            continue;
        }
        if names::stem(&path).is_none() {
            let why = "its records belong into a file that is no log; remove it";
            found.unreachable.push(format!("{}: {why}", rings.path().display()));
            continue;
        }
        if !path.is_absolute() || !path.parent().is_some_and(Path::is_dir) {
            // A deleted folder is not made anew for the dead.
            rings.remove();
            continue;
        }
        let mut log = LogFile::new(&path, Rotation::default());
        // What cannot be written now stays where it is.
        let _ = settle(&rings, &mut log, None, &mut found);
    }
    found
}

/// Does the same for what lies beside a log, and clears away notes that were never finished.
pub(crate) fn sweep_beside(
    log: &mut LogFile,
    beside: &Beside,
    context: Option<&Context>,
) -> Result<Recovery> {
    let mut found = Recovery::default();
    let path = log.path().to_path_buf();
    for &id in &beside.rings {
        if let Some(rings) = orphan(&RingPlace::Log.path(&path, id), id, Some(&path)) {
            settle(&rings, log, context, &mut found)?;
        }
    }
    for &id in &beside.unfinished {
        remove_unlocked(&names::unfinished_note(&path, id));
    }
    Ok(found)
}

/// The ring file at a path, locked by us, if it is a dead process's and has no note beside `log`,
/// or else beside the log that it names. What never became a ring file is removed.
fn orphan(path: &Path, id: u64, log: Option<&Path>) -> Option<RingFile> {
    let file = open_ring_file(path).ok()?;
    let metadata = file.metadata().ok()?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let lock = file.try_clone().ok()?;
    // A header first, then the lock: who has written it has locked the file before.
    let Ok(rings) = RingFile::open(file, path) else {
        if RingFile::was_begun_in(&lock)
            && is_old(&lock)
            && try_lock(&lock).is_ok_and(|locked| locked)
        {
            let _ = std::fs::remove_file(path);
        }
        return None;
    };
    // Where there is a note its log's own recovery does it, with everything that belongs to it.
    // Asked before the lock, too, which that recovery wants to have.
    let noted = || match log {
        Some(log) => has_note(log, id),
        None => has_note(rings.log_path(), id) || went_apart(rings.log_path(), id),
    };
    if rings.id() != id || noted() || !rings.lock().is_ok_and(|locked| locked) || noted() {
        return None;
    }
    if metadata.nlink() > 1 {
        // Left on the way from one log to another: its note leads to its other name.
        rings.remove();
        return None;
    }
    Some(rings)
}

fn has_note(log: &Path, id: u64) -> bool {
    names::rings_note(log, id).symlink_metadata().is_ok()
}

/// Whether a ring file's note lies beside another log of the folder: its process went on in a log
/// apart.
fn went_apart(log: &Path, id: u64) -> bool {
    let beside = std::fs::read_dir(RingPlace::Log.folder(log)).into_iter().flatten().flatten();
    beside
        .filter_map(|entry| names::parse_rings_note(entry.file_name().to_str()?).map(|(_, id)| id))
        .any(|noted| noted == id)
}

/// Moves what a dead process's rings hold into its log, tells what is lost, and removes them.
fn settle(
    rings: &RingFile,
    log: &mut LogFile,
    context: Option<&Context>,
    total: &mut Recovery,
) -> Result<()> {
    failpoint::at(Point::SweepLocked);
    let mut found = Recovery::default();
    let done = if rings.boot_id() == log.boot_id() {
        move_records(log, rings, &mut found)
    } else {
        // What the disk kept of them proves nothing.
        let what = format!("{}: the machine was restarted", rings.path().display());
        found.gone.push(what);
        Ok(())
    };
    let told =
        done.and_then(|()| tell_losses(log, &found, context.or(identity_in(rings).as_ref())));
    total.add(found);
    told?;
    failpoint::at(Point::SweepMoved);
    rings.remove();
    Ok(())
}

fn remove_unlocked(path: &Path) {
    if open_ring_file(path).is_ok_and(|file| try_lock(&file).is_ok_and(|locked| locked)) {
        let _ = std::fs::remove_file(path);
    }
}

fn is_old(file: &File) -> bool {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > HALF_MADE))
}
