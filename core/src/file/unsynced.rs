//! What was appended to a log and is not known to be on the disk: between who appends, the thread
//! that forces it there ([`crate::syncer`]), and who waits for that.
//!
//! Appends are numbered. Each of them is *settled* once: it is on the disk, or lost to it. When
//! fdatasync fails the kernel has forgotten which pages were dirty, so that a second try would
//! report success for bytes that it never wrote: what such a call covered is never tried again.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ring::FileId;
use crate::worker::Rest;

/// Most files that wait for a slow disk: each is a descriptor of the host program. Beyond it all of
/// the file system is forced to the disk. Also most losses that wait to be told.
const MOST_WAITING: usize = 64;

/// A file with bytes that may not be on the disk.
#[derive(Debug)]
pub(crate) struct Dirty {
    pub(crate) file: Arc<File>,
    pub(crate) id: FileId,
    /// The log that it is or was.
    pub(crate) log: PathBuf,
    /// Its length behind the last append.
    pub(crate) bytes: u64,
}

impl Dirty {
    /// Nobody can open it any more: it need not be on the disk.
    pub(crate) fn is_deleted(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }
}

/// What is to be forced to the disk at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The current file last, before it those that were rotated away.
    pub(crate) files: Vec<Dirty>,
    /// There are more files than these.
    pub(crate) and_more: bool,
    /// All appends up to this number are in them, or settled.
    pub(crate) upto: u64,
}

/// Bytes that may never reach the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lost {
    pub(crate) log: PathBuf,
    pub(crate) id: FileId,
    /// Everything below it that was not on the disk already.
    pub(crate) bytes: u64,
    pub(crate) reason: String,
}

impl Lost {
    pub(crate) fn of(dirty: &Dirty, reason: String) -> Self {
        Self { log: dirty.log.clone(), id: dirty.id, bytes: dirty.bytes, reason }
    }
}

/// What the thread does next.
pub(crate) enum Next {
    /// It forces these to the disk.
    Batch(Batch),
    /// It rests.
    Rest,
    /// Nothing any more: there is nothing left, and it was asked to end.
    End,
}

/// Why a wait for the disk was in vain.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum NotOnDisk {
    /// The disk has not answered in time.
    Late,
    /// It never will be; why.
    Lost(String),
}

/// The appends of one process to one log.
#[derive(Default)]
pub(crate) struct Unsynced {
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// Of the thread.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Life {
    #[default]
    Running,
    Stopping,
    Ended,
}

#[derive(Default)]
struct Progress {
    /// The files with unsettled appends, and the number of the last append.
    waiting: Batch,
    /// Since when the oldest of them waits.
    since: Option<Instant>,
    /// The number of the last settled append.
    settled: u64,
    /// Somebody waits for the appends up to this number.
    wanted: u64,
    /// The newest appends that were lost to the disk: those behind the first number, up to the
    /// second.
    lost: (u64, u64),
    /// Why, and whether nobody who waited was told yet.
    reason: String,
    untold: bool,
    /// Not told in the log yet.
    to_tell: Vec<Lost>,
    life: Life,
    syncs: u64,
    errors: u64,
}

impl Progress {
    /// Some of the appends up to this number were lost to the disk.
    fn lose(&mut self, lost: Lost, upto: u64) {
        self.errors += 1;
        self.untold = true;
        self.reason.clone_from(&lost.reason);
        self.lost = (self.settled, upto);
        self.keep_to_tell(lost);
    }

    fn keep_to_tell(&mut self, lost: Lost) {
        if let Some(known) = self.to_tell.iter_mut().find(|known| known.id == lost.id) {
            known.bytes = known.bytes.max(lost.bytes);
        } else if self.to_tell.len() < MOST_WAITING {
            // What does not fit is in the count of errors.
            self.to_tell.push(lost);
        }
    }

    /// What a wait for the appends up to `goal` comes to, all of them settled. It hears of a loss
    /// that has hit the newest of them, and of an older one that nobody has heard of.
    fn outcome(&mut self, goal: u64) -> Result<(), NotOnDisk> {
        let newest = self.lost.0 < goal && goal <= self.lost.1;
        if std::mem::take(&mut self.untold) || newest {
            return Err(NotOnDisk::Lost(self.reason.clone()));
        }
        Ok(())
    }

    /// Whether the thread has something to do now: rotated files and those who wait do not wait
    /// for the interval.
    fn due(&self, interval: Duration) -> bool {
        let old = self.since.is_some_and(|since| since.elapsed() >= interval);
        let (stop, files) = (self.life == Life::Stopping, &self.waiting.files);
        let pressing = stop || self.wanted > self.settled || files.len() > 1;
        !files.is_empty() && (pressing || old)
    }
}

impl Unsynced {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An append has made `file` this long. Called under the log's lock: it waits for nothing.
    pub(crate) fn appended(&self, file: &Arc<File>, id: FileId, log: &Path, bytes: u64) {
        let mut progress = self.progress();
        let Batch { files, and_more, upto } = &mut progress.waiting;
        *upto += 1;
        if let Some(last) = files.last_mut().filter(|last| last.id == id) {
            last.bytes = bytes;
            return;
        }
        if files.len() >= MOST_WAITING {
            files.retain(|dirty| !dirty.is_deleted());
        }
        if files.len() >= MOST_WAITING {
            files.remove(0);
            *and_more = true;
        }
        files.push(Dirty { file: file.clone(), id, log: log.to_path_buf(), bytes });
        progress.since.get_or_insert_with(Instant::now);
        drop(progress);
        self.changed.notify_all();
    }

    /// For the thread: waits until it has something to do.
    pub(crate) fn next(&self, interval: Duration, rest: &Rest) -> Next {
        let mut progress = self.progress();
        loop {
            if rest.is_asked() {
                return Next::Rest;
            }
            if progress.due(interval) {
                progress.since = None;
                let upto = progress.waiting.upto;
                let rest = Batch { upto, ..Batch::default() };
                return Next::Batch(std::mem::replace(&mut progress.waiting, rest));
            }
            if progress.life == Life::Stopping {
                return Next::End;
            }
            progress = match progress.since {
                Some(since) => {
                    let left = interval.saturating_sub(since.elapsed());
                    self.changed
                        .wait_timeout(progress, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Makes the thread look whether it is to rest.
    pub(crate) fn rouse(&self) {
        drop(self.progress());
        self.changed.notify_all();
    }

    /// For the thread: the appends up to this number were forced to the disk, in so many calls
    /// that worked, but for what was lost.
    pub(crate) fn settle(&self, upto: u64, syncs: u64, lost: Vec<Lost>) {
        let mut progress = self.progress();
        progress.syncs += syncs;
        for lost in lost {
            progress.lose(lost, upto);
        }
        progress.settled = upto;
        drop(progress);
        self.changed.notify_all();
    }

    /// For the thread: the losses that the log does not tell of yet.
    pub(crate) fn take_untold(&self) -> Vec<Lost> {
        std::mem::take(&mut self.progress().to_tell)
    }

    /// For the thread: this loss could not be told now.
    pub(crate) fn give_back(&self, lost: Lost) {
        self.progress().keep_to_tell(lost);
    }

    /// For the thread: it does nothing more. What was appended since is as if lost.
    pub(crate) fn end(&self) {
        let mut progress = self.progress();
        progress.waiting.files.clear();
        let upto = progress.waiting.upto;
        if progress.settled < upto {
            progress.lost.1 = upto;
            progress.settled = upto;
        }
        progress.life = Life::Ended;
        drop(progress);
        self.changed.notify_all();
    }

    /// Asks the thread to force to the disk what is left, and to end.
    pub(crate) fn stop(&self) {
        let mut progress = self.progress();
        if progress.life == Life::Running {
            progress.life = Life::Stopping;
        }
        drop(progress);
        self.changed.notify_all();
    }

    /// Waits until the appends before this call are on the disk; all who wait at once are served
    /// by one fdatasync.
    pub(crate) fn wait(&self, deadline: Instant) -> Result<(), NotOnDisk> {
        let mut progress = self.progress();
        let goal = progress.waiting.upto;
        progress.wanted = progress.wanted.max(goal);
        drop(progress);
        self.changed.notify_all();
        self.wait_for(deadline, |progress| progress.settled >= goal)?.outcome(goal)
    }

    /// Waits for the thread's end: everything that was appended is settled then.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> Result<(), NotOnDisk> {
        let mut progress = self.wait_for(deadline, |progress| progress.life == Life::Ended)?;
        let goal = progress.waiting.upto;
        progress.outcome(goal)
    }

    fn wait_for(
        &self,
        deadline: Instant,
        done: impl Fn(&Progress) -> bool,
    ) -> Result<MutexGuard<'_, Progress>, NotOnDisk> {
        let mut progress = self.progress();
        while !done(&progress) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NotOnDisk::Late);
            }
            progress =
                self.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(progress)
    }

    /// How many calls have forced a file to the disk, and how many files were lost to it.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let progress = self.progress();
        (progress.syncs, progress.errors)
    }
}

#[cfg(test)]
#[path = "unsynced_tests.rs"]
mod tests;
