//! The lock of a log: flock on a file that is never renamed or removed.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::ring::FileId;
use crate::sys::NotInherited;

/// Device and inode of an open file.
pub(crate) fn id_of(file: &File) -> io::Result<FileId> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Device and inode that a path leads to; `None` where there is nothing.
pub(crate) fn id_at(path: &Path) -> io::Result<Option<FileId>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes a lock without waiting; false where another holds it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether somebody holds the lock of this file, for a look from outside: nobody waits because of it.
pub(crate) fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Somebody else held it all the time.
    Busy,
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A log's lock file, open.
pub(crate) struct LockFile {
    path: PathBuf,
    open: Option<Open>,
    /// Nobody is there who wants the folder: should it be gone, it stays away.
    pub(super) lingers: Arc<AtomicBool>,
}

struct Open {
    /// Before the file: the place is free before the descriptor is.
    _not_inherited: NotInherited,
    file: File,
    id: FileId,
}

impl LockFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, open: None, lingers: Arc::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock within `patience` and hands out the file to read and write. Makes the
    /// file, and its folder, where they are missing.
    pub(crate) fn lock(&mut self, patience: Duration) -> Result<Held<'_>, LockError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_micros(20);
        let mut tries = 0;
        loop {
            let id = self.ensure_open()?;
            let Some(Open { file, .. }) = &self.open else {
                return Err(LockError::Io(io::Error::other("the lock file was closed")));
            };
            if try_lock(file)? {
                // Whoever removed the file left us with a lock that nobody else sees.
                if id_at(&self.path)? == Some(id) {
                    break;
                }
                self.open = None;
                continue;
            }
            if Instant::now() >= deadline {
                return Err(LockError::Busy);
            }
            tries += 1;
            if tries <= 20 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(1));
            }
        }
        match &self.open {
            Some(Open { file, .. }) => Ok(Held { file }),
            None => Err(LockError::Io(io::Error::other("the lock file was closed"))),
        }
    }

    /// Takes the lock within `patience` and keeps it until this value is dropped.
    pub(crate) fn keep(&mut self, patience: Duration) -> Result<&File, LockError> {
        let held = self.lock(patience)?;
        let file = held.file;
        // Its end would be the lock's.
        std::mem::forget(held);
        Ok(file)
    }

    /// The file, where it is open.
    pub(crate) fn file(&self) -> Option<&File> {
        self.open.as_ref().map(|open| &open.file)
    }

    fn ensure_open(&mut self) -> io::Result<FileId> {
        if let Some(open) = &self.open {
            return Ok(open.id);
        }
        let open = || {
            let mut options = OpenOptions::new();
            // Nobody can make us write into another file of ours by a link.
            options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
            options.read(true).write(true).create(true).truncate(false).open(&self.path)
        };
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.lingers.load(Ordering::Relaxed) {
                    return Err(error);
                }
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                open()?
            }
            opened => opened?,
        };
        let id = id_of(&file)?;
        self.open = Some(Open { _not_inherited: NotInherited::new(&file), file, id });
        Ok(id)
    }
}

/// The lock, held until dropped.
pub(crate) struct Held<'l> {
    file: &'l File,
}

impl Held<'_> {
    pub(crate) fn file(&self) -> &File {
        self.file
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _ = flock(self.file, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_at_a_time_and_a_removed_file_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/.a.lock");
        let (mut one, mut two) = (LockFile::new(path.clone()), LockFile::new(path.clone()));
        let held = one.lock(Duration::ZERO).unwrap();
        assert!(matches!(two.lock(Duration::from_millis(5)), Err(LockError::Busy)));
        drop(held);
        drop(two.lock(Duration::ZERO).unwrap());
        std::fs::remove_file(&path).unwrap();
        let _held = one.lock(Duration::ZERO).unwrap();
        assert!(path.exists());
        assert!(matches!(two.lock(Duration::ZERO), Err(LockError::Busy)));
    }
}
