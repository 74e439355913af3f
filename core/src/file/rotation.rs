//! Rotation: when a log becomes a segment, and what its segments are.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::log::Locked;
use crate::clock::realtime_ns;
use crate::config::Rotation;
use crate::failpoint::{self, Point};
use crate::names;

/// A rotated file of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl Locked<'_> {
    /// Step 2b: whether `adding` bytes must go into a new file.
    pub(super) fn due(&self, adding: u64) -> bool {
        must_rotate(
            self.log.rotation,
            self.state.committed,
            adding,
            realtime_ns().saturating_sub(self.state.started_ns),
        )
    }

    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.state.next_segment <= 1 {
            // The first rotation, or the lock file was lost: the newest segment has the highest
            // number, whatever is there already.
            let last = self.segments()?.last().map_or(0, |segment| segment.number);
            self.state.next_segment = last.saturating_add(1);
        }
        loop {
            let number = self.state.next_segment.max(1);
            // Raised first: a number is never used twice, whatever happens to the rename.
            self.state.next_segment = number.wrapping_add(1);
            self.save()?;
            failpoint::at(Point::SegmentRaised);
            if rename_without_replacing(&self.log.path, &names::segment(&self.log.path, number))? {
                break;
            }
        }
        failpoint::at(Point::SegmentRenamed);
        self.log.rotations += 1;
        self.log.open = None;
        self.try_ensure_log()
    }

    /// The log's segments, oldest first: regular files, no links, whose names are exactly ours.
    pub(crate) fn segments(&self) -> io::Result<Vec<Segment>> {
        let log = &self.log.path;
        let stem = names::stem(log);
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder_of(log))? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((of, number)) = name.to_str().and_then(names::parse_segment) else { continue };
            if Some(of) != stem {
                continue;
            }
            match std::fs::symlink_metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => {
                    let (path, bytes) = (names::segment(log, number), metadata.size());
                    found.push(Segment { number, path, bytes });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|segment| segment.number);
        Ok(found)
    }
}

/// The folder that a log lies in.
pub(crate) fn folder_of(log: &Path) -> &Path {
    log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Forces the names of all files beside this one, and its own, to the disk.
pub(crate) fn force_names(file: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, NotFound};
    match File::open(folder_of(file)).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot, and a folder that is gone has no names.
        Err(error) if !matches!(error.kind(), InvalidInput | NotFound) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a file of `committed` bytes and this age must be rotated before `adding` more.
fn must_rotate(rotation: Rotation, committed: u64, adding: u64, age_ns: i64) -> bool {
    let over = rotation.max_bytes.is_some_and(|max| committed + adding > max);
    let old = rotation
        .max_age
        .is_some_and(|max| u64::try_from(age_ns).is_ok_and(|age| Duration::from_nanos(age) >= max));
    committed > 0 && (over || old)
}

/// False where the new name is taken.
pub(crate) fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // A file system without the flag: a link never replaces either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match std::fs::hard_link(from, to) {
            Ok(()) => std::fs::remove_file(from).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pure_decision() {
        let by_age = Rotation { max_bytes: None, max_age: Some(Duration::from_secs(1)) };
        let by_size = Rotation { max_bytes: Some(100), max_age: None };
        assert!(!must_rotate(by_size, 0, 1000, 0), "an empty file is never rotated");
        assert!(!must_rotate(by_size, 60, 40, 0));
        assert!(must_rotate(by_size, 60, 41, 0));
        assert!(!must_rotate(by_age, 1, 1, 999_999_999));
        assert!(must_rotate(by_age, 1, 1, 1_000_000_000));
        assert!(!must_rotate(by_age, 1, 1, -5));
        assert!(!must_rotate(Rotation::default(), u64::MAX, 0, i64::MAX));
    }
}
