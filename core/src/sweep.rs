//! Ring files that nothing leads to any more: their process died before it made its note, or
//! somebody deleted the folder with the note.
//!
//! A ring file is locked by its owner from before its header is written. One with a sound header
//! whose lock can be had is therefore a dead process's.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::file::{LogFile, RingPlace, Rotation, open_ring_file, ring_id_in, try_lock};
use crate::names;
use crate::recover::{Recovery, move_records};
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
        let id = entry.file_name().to_str().and_then(ring_id_in);
        if let Some(id) = id {
            sweep_one(&entry.path(), id, &mut found);
        }
    }
    found
}

fn sweep_one(path: &Path, id: u64, found: &mut Recovery) {
    let Ok(file) = open_ring_file(path) else { return };
    let Ok(metadata) = file.metadata() else { return };
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return;
    }
    let Ok(lock) = file.try_clone() else { return };
    // A header first, then the lock: who has written it has locked the file before.
    let rings = RingFile::open(file, path);
    let settled = rings.as_ref().map_or_else(|_| is_old(&lock), |rings| rings.id() == id);
    if !settled || !try_lock(&lock).is_ok_and(|locked| locked) {
        return;
    }
    match rings {
        Ok(rings) => sweep_rings(&rings, found),
        Err(_) => drop(std::fs::remove_file(path)),
    }
}

/// A dead process's rings, locked by us.
fn sweep_rings(rings: &RingFile, found: &mut Recovery) {
    let log = rings.log_path().to_path_buf();
    if names::rings_note(&log, rings.id()).symlink_metadata().is_ok() {
        // Its log's own recovery does it, with everything that belongs to it.
        return;
    }
    if !has_folder(&log) {
        rings.remove();
        return;
    }
    let mut file = LogFile::new(&log, Rotation::default());
    if move_records(&mut file, rings, found).is_ok() {
        rings.remove();
    }
}

/// Whether the log's folder is still there: a deleted one is not made anew for the dead.
fn has_folder(log: &Path) -> bool {
    let folder: Option<PathBuf> = log.parent().map(Path::to_path_buf);
    log.is_absolute() && folder.is_some_and(|folder| folder.is_dir())
}

fn is_old(file: &File) -> bool {
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > HALF_MADE))
}
