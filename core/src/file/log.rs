//! The append protocol.
//!
//! Every append holds the file's lock. Under it the writer
//! 1. finishes what a dead one left ([`Locked::settle`]),
//! 2. opens or rotates the log ([`Locked::ensure_log`], [`Locked::rotate`]),
//! 3. notes the append, first in the rings and then in the lock file,
//! 4. writes,
//! 5. advances the rings, sets the committed length and clears the note.
//!
//! A process may die behind any of these steps: what it left is whole or is cut away, and the
//! rings agree with it, because their new positions count only under the number of step 3.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::block::Block;
use super::lock::{Held, LockError, LockFile, id_at, id_of};
use super::note::{boot_id, open_noted};
use super::opening::Apart;
use super::state::{AppendNote, State};
use super::tail::{last_line, whole_lines};
use super::unsynced::Unsynced;
use crate::clock::realtime_ns;
pub(crate) use crate::config::Rotation;
use crate::error::{Error, Result};
use crate::failpoint::{self, Point};
use crate::names;
use crate::ring::{FileId, RingFile};

/// How long an append waits for the lock before it says that it cannot have it.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// A log file and its lock. One per thread that appends.
pub(crate) struct LogFile {
    path: PathBuf,
    boot_id: [u8; 16],
    pub(super) lock: LockFile,
    pub(super) log: OpenLog,
    /// Since when the lock could not be had while the lock file held these bytes.
    pub(super) refused: Option<(Instant, Vec<u8>)>,
    /// Why this is no log that processes share.
    pub(super) apart: Option<Apart>,
}

/// The log itself, what decides when it is rotated, and who hears of its appends.
pub(super) struct OpenLog {
    pub(super) path: PathBuf,
    pub(super) rotation: Rotation,
    /// Shared with who forces it to the disk.
    pub(super) open: Option<(Arc<File>, FileId)>,
    pub(super) rotations: u64,
    /// How often the file was deleted or replaced under us.
    replaced: u64,
    /// The last append that we have noted.
    noted: u64,
    pub(super) unsynced: Option<Arc<Unsynced>>,
}

impl LogFile {
    pub(crate) fn new(path: &Path, rotation: Rotation) -> Self {
        let log = OpenLog {
            path: path.to_path_buf(),
            rotation,
            open: None,
            rotations: 0,
            replaced: 0,
            noted: 0,
            unsynced: None,
        };
        Self {
            path: path.to_path_buf(),
            boot_id: boot_id(),
            lock: LockFile::new(names::lock_file(path)),
            log,
            refused: None,
            apart: None,
        }
    }

    /// Lets `unsynced` know of each append from now on.
    pub(crate) fn telling(mut self, unsynced: Arc<Unsynced>) -> Self {
        self.log.unsynced = Some(unsynced);
        self
    }

    /// While `lingers` is true, a folder that somebody has deleted stays away.
    pub(crate) fn lingering(mut self, lingers: Arc<AtomicBool>) -> Self {
        self.lock.lingers = lingers;
        self
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }

    /// Most bytes of one append: a block never passes the limit of a segment.
    pub(crate) fn block_limit(&self, wanted: usize) -> usize {
        let segment = self.log.rotation.max_bytes.and_then(|max| usize::try_from(max).ok());
        segment.map_or(wanted, |segment| wanted.min(segment))
    }

    pub(crate) fn rotation(&self) -> Rotation {
        self.log.rotation
    }

    pub(crate) fn set_rotation(&mut self, rotation: Rotation) {
        self.log.rotation = rotation;
    }

    /// How often this process has rotated the log.
    pub(crate) fn rotations(&self) -> u64 {
        self.log.rotations
    }

    /// How often the log was deleted or replaced by others while this process had it open.
    pub(crate) fn replaced(&self) -> u64 {
        self.log.replaced
    }

    /// Takes the lock and finishes what a dead process left of an append.
    pub(crate) fn lock(&mut self) -> Result<Locked<'_>> {
        let path = &self.path;
        let lock_path = self.lock.path().to_path_buf();
        let refused = &mut self.refused;
        let held = self.lock.lock(LOCK_PATIENCE).map_err(|error| match error {
            LockError::Busy => {
                let bytes = std::fs::read(&lock_path).unwrap_or_default();
                if refused.as_ref().is_none_or(|(_, before)| *before != bytes) {
                    *refused = Some((Instant::now(), bytes));
                }
                Error::Timeout(format!(
                    "{0}: another process holds the lock and does not let go; is it stopped? (fuser \
                     {0} names it)",
                    lock_path.display()
                ))
            }
            LockError::Io(error) => Error::io(&lock_path, "using the lock file", error),
        })?;
        self.refused = None;
        let state = State::read(held.file())
            .map_err(|error| Error::io(&lock_path, "reading the lock file", error))?;
        let mut locked = Locked { held, state, log: &mut self.log };
        locked
            .settle(self.boot_id)
            .map_err(|error| Error::io(path, "finishing the append of a dead process", error))?;
        Ok(locked)
    }
}

impl OpenLog {
    /// Opens what the path leads to, or makes it. Whoever puts a pipe there must not hold us up.
    fn open_file(&mut self, create: bool) -> io::Result<FileId> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(create).custom_flags(libc::O_NONBLOCK);
        let file = options.open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("what is there is no regular file: move it away"));
        }
        let id = id_of(&file)?;
        self.open = Some((Arc::new(file), id));
        if create {
            failpoint::at(Point::LogMade);
        }
        Ok(id)
    }
}

/// The log under its lock. No append is under way.
pub(crate) struct Locked<'f> {
    held: Held<'f>,
    pub(super) state: State,
    pub(super) log: &'f mut OpenLog,
}

impl Locked<'_> {
    /// Committed bytes of the current file.
    pub(crate) fn committed(&self) -> u64 {
        self.state.committed
    }

    /// Device and inode of the current file, and its committed bytes.
    pub(crate) fn current(&self) -> (FileId, u64) {
        (self.state.log, self.state.committed)
    }

    pub(super) fn save(&self) -> io::Result<()> {
        self.state.write(self.held.file())
    }

    /// As a process leaves the lock file that dies while it writes it.
    fn save_half(&self) {
        let _ = self.state.write_half(self.held.file());
    }

    /// Step 1. Also run behind a failed append of our own.
    fn settle(&mut self, boot_id: [u8; 16]) -> io::Result<()> {
        if self.state.boot_id != boot_id {
            self.forget_other_boot(boot_id)?;
        }
        let Some(note) = self.state.note else {
            return Ok(());
        };
        let present = self.open_existing()? == Some(note.log);
        let size = match &self.log.open {
            Some((file, _)) if present => file.metadata()?.len(),
            _ => 0,
        };
        if present && size >= note.start + note.len {
            self.state.committed = note.start + note.len;
            self.state.log = note.log;
            self.appended();
            failpoint::at(Point::SettleBeforeRings);
            self.finish_rings(note.ring_id);
            failpoint::at(Point::SettleRings);
        } else if let Some((file, id)) = self.log.open.as_ref().filter(|_| present) {
            // Records from plain memory are nowhere else, but for an append of our own that failed:
            // they are still in its rings.
            let nowhere_else = note.ring_id == 0 && self.log.noted != self.state.number;
            let keep = if nowhere_else { whole_lines(file, note.start)? } else { note.start };
            failpoint::at(Point::SettleBeforeCut);
            file.set_len(keep.min(size))?;
            failpoint::at(Point::SettleCut);
            self.state.committed = keep.min(size);
            self.state.log = *id;
        }
        self.state.note = None;
        self.save()?;
        failpoint::at(Point::Settled);
        Ok(())
    }

    /// Another boot voids note and length: who knows what the disk kept of them. A lock file that
    /// is new or damaged is one of no boot.
    fn forget_other_boot(&mut self, boot_id: [u8; 16]) -> io::Result<()> {
        self.state.boot_id = boot_id;
        self.state.note = None;
        self.state.unreached.clear();
        // Without a log there is nothing to say, and perhaps no room for it.
        match self.open_existing()? {
            Some(id) => self.adopt(id).and_then(|()| self.save()),
            None => Ok(()),
        }
    }

    /// The append of this number is in the file: advance its rings, or remember that somebody must.
    fn finish_rings(&mut self, ring_id: u64) {
        if ring_id == 0 {
            return;
        }
        match open_noted(&self.log.path, ring_id) {
            Ok(rings) => rings.finish(self.state.number),
            // Without a note nobody will ever read those rings again.
            Err(_) if !names::rings_note(&self.log.path, ring_id).exists() => {}
            Err(_) => {
                let log = &self.log.path;
                self.state.unreached.retain(|&(_, id)| names::rings_note(log, id).exists());
                self.state.unreached.push((self.state.number, ring_id));
            }
        }
    }

    /// Opens what the log's path leads to now, without making it; says what it is.
    fn open_existing(&mut self) -> io::Result<Option<FileId>> {
        let there = id_at(&self.log.path)?;
        let open = self.log.open.as_ref().map(|(_, id)| *id);
        if there != open {
            // Whoever rotates the log says so in the lock file. Where that knows nothing else, or
            // is new itself, somebody took the file away.
            if let Some(open) = open.filter(|open| [*open, (0, 0)].contains(&self.state.log))
                && !self.is_last_segment(open)?
            {
                self.log.replaced += 1;
            }
            self.log.open = None;
        }
        if there.is_some() && self.log.open.is_none() {
            self.log.open_file(false)?;
        }
        Ok(self.log.open.as_ref().map(|(_, id)| *id))
    }

    /// Whether a file is the newest segment: who renamed it died before saying so.
    fn is_last_segment(&self, file: FileId) -> io::Result<bool> {
        let last = self.state.next_segment.saturating_sub(1);
        Ok(id_at(&names::segment(&self.log.path, last))? == Some(file))
    }

    /// Makes the open file the current one, cut to its last whole line.
    fn adopt(&mut self, id: FileId) -> io::Result<()> {
        if let Some((file, _)) = &self.log.open {
            let whole = whole_lines(file, 0)?;
            if whole < file.metadata()?.len() {
                file.set_len(whole)?;
                failpoint::at(Point::LogCut);
            }
            self.state.committed = whole;
        }
        if self.state.log != id {
            self.state.log = id;
            self.state.started_ns = realtime_ns();
        }
        Ok(())
    }

    /// Step 2a: the open file is the one that the path names, and ends where we left it.
    pub(crate) fn ensure_log(&mut self) -> Result<()> {
        let done = self.try_ensure_log();
        done.map_err(|error| Error::io(&self.log.path, "opening the log file for appending", error))
    }

    pub(super) fn try_ensure_log(&mut self) -> io::Result<()> {
        let id = match self.open_existing()? {
            Some(id) => id,
            None => self.log.open_file(true)?,
        };
        let size = match &self.log.open {
            Some((file, _)) => file.metadata()?.len(),
            None => 0,
        };
        if self.state.log != id || self.state.committed != size {
            self.adopt(id)?;
            self.save()?;
            failpoint::at(Point::LogAdopted);
        }
        Ok(())
    }

    /// Appends a block, rotating before where the limit asks for it. Its records lie in `rings`;
    /// lines of our own lie in none. Returns how many lines were written: all, or where the disk
    /// is full those that fit, together with the error. The rings are advanced by just these.
    pub(crate) fn append(
        &mut self,
        rings: Option<&RingFile>,
        block: &mut Block,
    ) -> (u64, Option<Error>) {
        let path = self.log.path.clone();
        match self.try_append(rings, block) {
            Ok(done) => done,
            Err(error) => {
                // Nothing of it counts: it is gathered again.
                block.begin(std::iter::empty());
                (0, Some(Error::io(&path, "appending to the log", error)))
            }
        }
    }

    /// Appends a line that was in no ring.
    pub(crate) fn append_line(&mut self, line: &[u8]) -> Result<()> {
        let mut block = Block::default();
        block.lines_mut().extend_from_slice(line);
        self.append(None, &mut block).1.map_or(Ok(()), Err)
    }

    fn try_append(
        &mut self,
        rings: Option<&RingFile>,
        block: &mut Block,
    ) -> io::Result<(u64, Option<Error>)> {
        self.try_ensure_log()?;
        if self.due(block.lines().len() as u64) {
            self.rotate()?;
        }
        self.note(rings, block)?;
        let (written, failure) = match &self.log.open {
            Some((file, _)) => write_out(file, block.lines()),
            None => (0, Some(io::Error::other("the log was closed"))),
        };
        if let Some(failure) = failure {
            let lines = self.keep_whole_lines(rings, block, written)?;
            let error = Error::io(&self.log.path, "appending to the log", failure);
            return Ok((lines, Some(error)));
        }
        self.commit(rings, block.lines().len() as u64)?;
        Ok((block.count(), None))
    }

    /// Step 3.
    fn note(&mut self, rings: Option<&RingFile>, block: &Block) -> io::Result<()> {
        self.state.number += 1;
        if let Some(rings) = rings {
            rings.prepare(self.state.number, block.end());
        }
        failpoint::at(Point::Prepared);
        let outlives_us = rings.filter(|rings| rings.file_id().is_some());
        self.state.note = Some(AppendNote {
            ring_id: outlives_us.map_or(0, RingFile::id),
            log: self.state.log,
            start: self.state.committed,
            len: block.lines().len() as u64,
        });
        failpoint::after(Point::NoteTorn, || self.save_half());
        self.save()?;
        self.log.noted = self.state.number;
        failpoint::at(Point::Noted);
        Ok(())
    }

    /// Step 5.
    fn commit(&mut self, rings: Option<&RingFile>, len: u64) -> io::Result<()> {
        self.state.committed += len;
        if len > 0 {
            // Before the rings move: who sees that they have then waits for these bytes, too.
            self.appended();
        }
        if let Some(rings) = rings {
            rings.finish(self.state.number);
        }
        failpoint::at(Point::Finished);
        self.state.note = None;
        failpoint::after(Point::CommitTorn, || self.save_half());
        self.save()?;
        failpoint::at(Point::Committed);
        Ok(())
    }

    /// The file has grown to its committed length.
    fn appended(&self) {
        if let (Some(unsynced), Some((file, id))) = (&self.log.unsynced, &self.log.open) {
            unsynced.appended(file, *id, &self.log.path, self.state.committed);
        }
    }

    /// A short write of our own: whole lines stay, the rest is cut away and stays in its rings.
    fn keep_whole_lines(
        &mut self,
        rings: Option<&RingFile>,
        block: &mut Block,
        written: usize,
    ) -> io::Result<u64> {
        block.keep(written);
        let len = block.lines().len() as u64;
        if let Some((file, _)) = &self.log.open {
            file.set_len(self.state.committed + len)?;
        }
        failpoint::at(Point::ShortCut);
        // The note with the old number still asks for the whole block: dying here cuts to its start.
        self.note(rings, block)?;
        self.commit(rings, len)?;
        Ok(block.count())
    }

    /// Finishes appends that could not reach this ring file when they were found, and forgets
    /// them. Called by who recovers the ring file, before reading positions.
    pub(crate) fn honour_unreached(&mut self, rings: &RingFile) {
        for &(number, id) in &self.state.unreached {
            if id == rings.id() {
                rings.finish(number);
            }
        }
    }

    /// The last line that is in the log for good, without its newline; `None` in a new file.
    pub(crate) fn last_line(&mut self) -> Result<Option<Vec<u8>>> {
        self.ensure_log()?;
        let Some((file, _)) = &self.log.open else {
            return Ok(None);
        };
        last_line(file, self.state.committed)
            .map_err(|error| Error::io(&self.log.path, "reading the log's last line", error))
    }

    /// Forgets finished appends of a ring file whose note is gone.
    pub(crate) fn forget_unreached(&mut self, ring_id: u64) -> Result<()> {
        let before = self.state.unreached.len();
        self.state.unreached.retain(|&(_, id)| id != ring_id);
        if self.state.unreached.len() == before {
            return Ok(());
        }
        self.save().map_err(|error| Error::io(&self.log.path, "writing the lock file", error))
    }
}

/// Writes until everything is written or nothing more can be; says how much it was.
fn write_out(mut file: &File, bytes: &[u8]) -> (usize, Option<io::Error>) {
    failpoint::after(Point::WrittenHalf, || drop(file.write(&bytes[..bytes.len() / 2])));
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    failpoint::at(Point::Written);
    (written, None)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
