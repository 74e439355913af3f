//! The thread that forces what was appended to the disk. It never holds the file's lock
//! meanwhile, and nobody joins it before it has said that it ends: it may hang in the kernel for
//! as long as the disk likes.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Rotation;
use crate::error::{Error, Result};
use crate::file::{Batch, Dirty, LogFile, Lost, Next, Unsynced, force_names};
use crate::frame::append_tag;
use crate::notice::Trouble;
use crate::own_record::{OwnRecord, tell};
use crate::record::{Context, Level, TagValue};
use crate::ring::FileId;
use crate::worker::{Rest, Work, Worker};

/// The thread's own things.
pub(crate) struct Syncer {
    pub(crate) unsynced: Arc<Unsynced>,
    /// How long appends that nobody waits for may wait for the disk.
    pub(crate) interval: Duration,
    /// Whose losses are told, and how the log is rotated for that.
    pub(crate) context: Context,
    pub(crate) rotation: Rotation,
}

impl Syncer {
    /// Starts the thread.
    pub(crate) fn start(self, log: &Path) -> Result<Worker<Syncing>> {
        Syncing::new(self, RealDisk::default()).start(log)
    }
}

/// What the thread asks of the disk; another one answers in tests.
pub(crate) trait Disk: Send + 'static {
    /// Forces a file to it.
    fn force(&mut self, dirty: &Dirty) -> io::Result<()>;

    /// Forces everything on the file's file system to it.
    fn force_everything(&mut self, dirty: &Dirty) -> io::Result<()>;
}

/// Forces files to the disk, and the names of those that it has not met before: a file whose name
/// is not on the disk is lost with it.
#[derive(Default)]
pub(crate) struct RealDisk {
    named: Option<FileId>,
}

impl Disk for RealDisk {
    fn force(&mut self, dirty: &Dirty) -> io::Result<()> {
        dirty.file.sync_data()?;
        if self.named != Some(dirty.id) {
            force_names(&dirty.log)?;
            self.named = Some(dirty.id);
        }
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn force_everything(&mut self, dirty: &Dirty) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&dirty.file)?)
    }

    #[cfg(not(target_os = "linux"))]
    fn force_everything(&mut self, dirty: &Dirty) -> io::Result<()> {
        rustix::fs::sync();
        self.force(dirty)
    }
}

/// The thread at work.
pub(crate) struct Syncing<D = RealDisk> {
    syncer: Syncer,
    disk: D,
    /// The last call has failed.
    failing: bool,
    trouble: Trouble,
}

impl<D: Disk> Syncing<D> {
    fn new(syncer: Syncer, disk: D) -> Self {
        Self { syncer, disk, failing: false, trouble: Trouble::default() }
    }

    fn start(self, log: &Path) -> Result<Worker<Self>> {
        Worker::start(self)
            .map_err(|error| Error::io(log, "starting the thread that syncs it", error))
    }

    /// Forces each file to the disk; what fails is lost, and never tried again. In how many calls
    /// it worked.
    fn force_all(&mut self, batch: &Batch) -> (u64, Vec<Lost>) {
        let mut syncs = 0;
        let mut lost = Vec::new();
        if let (true, Some(last)) = (batch.and_more, batch.files.last()) {
            let done = self.disk.force_everything(last);
            syncs += u64::from(self.judge(done, last, &mut lost));
            return (syncs, lost);
        }
        for dirty in batch.files.iter().filter(|dirty| !dirty.is_deleted()) {
            let done = self.disk.force(dirty);
            syncs += u64::from(self.judge(done, dirty, &mut lost));
        }
        (syncs, lost)
    }

    /// Whether it worked.
    fn judge(&mut self, done: io::Result<()>, dirty: &Dirty, lost: &mut Vec<Lost>) -> bool {
        let shown = dirty.log.display();
        self.failing = done.is_err();
        let Err(error) = done else {
            self.trouble.ends(|| format!("{shown}: lines reach the disk again"));
            return true;
        };
        self.trouble.begins(|| {
            format!(
                "{shown}: the disk refused lines: {error}: those up to byte {} may be lost if the \
                 machine crashes; later ones are tried on their own; look at the disk",
                dirty.bytes
            )
        });
        lost.push(Lost::of(dirty, error.to_string()));
        false
    }

    /// Tells in the log what may not be on the disk; what cannot be told now waits for the next
    /// time. True where something was told.
    fn tell(&mut self) -> bool {
        let Syncer { unsynced, context, rotation, .. } = &self.syncer;
        let mut told = false;
        for lost in unsynced.take_untold() {
            let mut log = LogFile::new(&lost.log, *rotation).telling(unsynced.clone());
            match tell(&mut log, &lost, Some(context)) {
                Ok(()) => told = true,
                Err(_) => unsynced.give_back(lost),
            }
        }
        told
    }
}

impl<D: Disk> Work for Syncing<D> {
    const NAME: &'static str = "lb-log sync";

    fn work(mut self, rest: &Rest) -> Option<Self> {
        let unsynced = self.syncer.unsynced.clone();
        loop {
            let batch = match unsynced.next(self.syncer.interval, rest) {
                Next::Batch(batch) => batch,
                Next::Rest => return Some(self),
                // What is told now is forced to the disk, too, unless that fails anyway.
                Next::End if self.tell() && !self.failing => continue,
                Next::End => {
                    unsynced.end();
                    return None;
                }
            };
            let was_failing = self.failing;
            let (syncs, lost) = self.force_all(&batch);
            unsynced.settle(batch.upto, syncs, lost);
            // Of a row of failures the first is told at once, the others when it is over: to
            // tell means one append more, which has to be forced to the same disk.
            if !(was_failing && self.failing) {
                self.tell();
            }
        }
    }
}

impl From<&Lost> for OwnRecord {
    fn from(lost: &Lost) -> Self {
        let name = lost.log.file_name().unwrap_or_default().to_string_lossy();
        let message = format!(
            "{name}: what was written up to byte {} may not be on the disk: {}",
            lost.bytes, lost.reason
        );
        let mut tags = Vec::new();
        append_tag(&mut tags, b"file", TagValue::String(name.as_bytes()));
        // The file may have been rotated since; its inode stays.
        append_tag(&mut tags, b"inode", TagValue::Unsigned(lost.id.1));
        append_tag(&mut tags, b"bytes", TagValue::Unsigned(lost.bytes));
        append_tag(&mut tags, b"reason", TagValue::String(lost.reason.as_bytes()));
        Self { event_type: "log_unsynced", level: Level::Error, message, tags }
    }
}

#[cfg(test)]
#[path = "syncer_tests.rs"]
mod tests;
