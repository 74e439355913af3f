//! A core: what a process has open for one log. A forked child has one of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{Clock, Converter};
use crate::config::{Config, RingDir};
use crate::contexts::Contexts;
use crate::error::{Error, Result};
use crate::file::{Apart, LogFile, NotOnDisk, Unsynced};
use crate::intake::Intake;
use crate::loki::{Shipper, Target, target};
use crate::notice::say;
use crate::place::make_rings;
use crate::record::Context;
use crate::recover::recover;
use crate::retention::Retention;
use crate::ring::{Counter, Layout, Rings};
use crate::stats::{RingsIn, Stats};
use crate::sweep::sweep;
use crate::syncer::{Syncer, Syncing};
use crate::sys::fill_standard_places;
use crate::worker::Worker;
use crate::writer::{Signals, Writer, Writing};

/// Rings, a writer, and the log that it writes to.
pub(crate) struct Core {
    pub(crate) intake: Intake,
    writing: Worker<Writing>,
    syncing: Worker<Syncing>,
    unsynced: Arc<Unsynced>,
    /// A flush waits for the disk.
    sync_always: bool,
    /// Where lines are pushed to Loki.
    shipper: OnceLock<Shipper>,
    /// Held by who starts that.
    starting: Mutex<()>,
    /// The Loki that must have rotated files before they go.
    delivered_to: Arc<OnceLock<Target>>,
    /// The log that it began with.
    first: PathBuf,
    pub(crate) rings_in: RingsIn,
    /// Nobody has it any more, and the next one has not come yet.
    pub(crate) lingers: Arc<AtomicBool>,
}

impl Core {
    /// Makes folders, file and rings, moves the records of dead processes into the file, and
    /// starts the writer. The contexts get ids in their order.
    pub(crate) fn open(config: &Config, path: &Path, contexts: &[Context]) -> Result<Self> {
        fill_standard_places();
        let unsynced = Arc::new(Unsynced::default());
        let mut log = LogFile::open(path, config.rotation)?.telling(unsynced.clone());
        let lingers = Arc::<AtomicBool>::default();
        log = log.lingering(lingers.clone());
        let signals = Arc::new(Signals::default());
        if log.why_apart().is_some() {
            signals.note_apart(log.path());
        }
        signals.note_recovery(&sweep());
        match recover(&mut log, None, Some(&config.context)) {
            Ok(found) => {
                signals.note_recovery(&found);
                found.gone.iter().for_each(|gone| say(&format!("{gone}: its records are lost")));
            }
            Err(error) => say(&format!("records of dead processes stay where they are: {error}")),
        }

        let clock = Clock::detect();
        let converter = Converter::new(clock);
        let layout = Layout::new(config.ring.bytes, config.ring.total_bytes);
        let ring_dir = match log.why_apart() {
            // A note there could not be locked for certain.
            Some(Apart::Distrusted(_)) => RingDir::Memory,
            _ => config.ring.dir,
        };
        let made = make_rings(ring_dir, &log, layout, clock, config.max_record_bytes)?;
        made.file.publish_calibration(converter.calibration());
        let ids = Contexts::default();
        for context in contexts {
            ids.add(context, &made.file, config.max_record_bytes)?;
        }
        let rings = Rings::new(made.file);
        let delivered_to = Arc::new(OnceLock::new());
        let writer = Writer {
            rings: rings.clone(),
            signals: signals.clone(),
            log,
            note: made.note,
            retention: Retention::new(config.retention, delivered_to.clone()),
            unsynced: unsynced.clone(),
            converter,
            max_record_bytes: config.max_record_bytes,
            context: config.context.clone(),
        };
        let syncer = Syncer {
            unsynced: unsynced.clone(),
            interval: config.sync.interval,
            context: config.context.clone(),
            rotation: config.rotation,
        };
        let first = writer.log.path().to_path_buf();
        let syncing = syncer.start(path)?;
        let writing = writer.start().inspect_err(|_| unsynced.stop())?;
        let core = Self {
            intake: Intake::new(rings, signals, ids, clock, config),
            writing,
            syncing,
            unsynced,
            sync_always: config.sync.always,
            shipper: OnceLock::new(),
            starting: Mutex::default(),
            delivered_to,
            first,
            rings_in: made.rings_in,
            lingers,
        };
        core.ship(config)?;
        Ok(core)
    }

    /// Pushes the lines of this log to Loki from now on, where the configuration enables that and
    /// nothing does it yet.
    pub(crate) fn ship(&self, config: &Config) -> Result<()> {
        let Some(loki) = config.loki.as_ref().filter(|loki| loki.enabled) else { return Ok(()) };
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shipper.get().is_some() {
            return Ok(());
        }
        if config.retention.needs_delivery {
            let _ = self.delivered_to.set(target(loki));
        }
        let (first, signals) = (self.first.clone(), self.intake.signals.clone());
        let logs = move || [vec![first.clone()], signals.logs_apart()].concat();
        let _ = self.shipper.set(Shipper::start(&self.first, loki, logs)?);
        Ok(())
    }

    /// The contexts that were made, in the order of their ids.
    pub(crate) fn contexts(&self) -> Vec<Context> {
        let all = self.intake.contexts.all(self.intake.rings.file());
        all.iter().map_while(|json| serde_json::from_slice(json).ok()).collect()
    }

    /// Ends the threads for a while, as before a fork: at most until `deadline`, and not one that is
    /// in a request or in the kernel. Records may be offered meanwhile.
    pub(crate) fn rest(&self, deadline: Instant) {
        self.writing.ask_to_rest();
        self.intake.signals.rouse();
        self.syncing.ask_to_rest();
        self.unsynced.rouse();
        if let Some(shipper) = self.shipper.get() {
            shipper.ask_to_rest();
            shipper.thread().is_gone_by(deadline);
        }
        self.writing.is_gone_by(deadline);
        self.syncing.is_gone_by(deadline);
    }

    /// Lets the threads go on.
    pub(crate) fn go_on(&self) -> io::Result<()> {
        let shipping = self.shipper.get().map_or(Ok(()), |shipper| shipper.thread().go_on());
        self.writing.go_on().and(self.syncing.go_on()).and(shipping)
    }

    /// Waits until everything that was accepted before the call is in the kernel; with
    /// `sync = "always"`, on the disk.
    pub(crate) fn flush(&self, path: &Path, timeout: Duration) -> Result<()> {
        let file = self.intake.rings.file();
        let targets: Vec<u64> = file.used().map(|ring| ring.control.tail()).collect();
        let written = |ended: Option<bool>| {
            let mut rings = file.used().zip(&targets);
            ended == Some(true) || rings.all(|(ring, target)| ring.control.head() >= *target)
        };
        let deadline = Instant::now() + timeout;
        let waited = self.intake.signals.wait(deadline, written);
        waited.map_err(|trouble| self.unfinished(path, "flush", timeout, trouble))?;
        if !self.sync_always {
            return Ok(());
        }
        self.unsynced.wait(deadline).map_err(|why| not_on_disk(path, "flush", timeout, why))
    }

    /// Refuses further records and waits until all accepted ones are in the file, the disk has
    /// answered, and Loki has the lines where it is configured and answers: for
    /// that, at most `for_loki`.
    pub(crate) fn close(&self, path: &Path, timeout: Duration, for_loki: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let written = self.close_file(path, timeout, deadline);
        let deadline = deadline.min(Instant::now() + for_loki);
        let shipped = self.shipper.get().map_or(Ok(()), |shipper| shipper.close(deadline));
        written.and(shipped)
    }

    fn close_file(&self, path: &Path, timeout: Duration, deadline: Instant) -> Result<()> {
        let quiet = self.intake.rings.close(deadline);
        self.intake.signals.stop();
        if let Err(trouble) = self.intake.signals.wait(deadline, |ended| ended == Some(true)) {
            self.intake.signals.abandon();
            return Err(self.unfinished(path, "close", timeout, trouble));
        }
        let synced = self.unsynced.wait_for_end(deadline);
        if synced != Err(NotOnDisk::Late) {
            // Both have said their last word: joining takes no time.
            self.writing.join();
            self.syncing.join();
        }
        if !quiet {
            let why = Some("a call is still under way".into());
            return Err(self.unfinished(path, "close", timeout, why));
        }
        synced.map_err(|why| not_on_disk(path, "close", timeout, why))
    }

    fn unfinished(
        &self,
        path: &Path,
        what: &str,
        timeout: Duration,
        trouble: Option<String>,
    ) -> Error {
        let (path, queued) = (path.display(), self.stats().queued);
        let why = trouble.unwrap_or_else(|| "the disk is slow".into());
        let stay = if self.rings_in == RingsIn::Memory {
            "their rings are in plain memory and end with the process"
        } else {
            "they stay in their rings, for the next program that opens this log or for lb drain"
        };
        Error::Timeout(format!(
            "{path}: {what} was not finished within {timeout:?}: {queued} records are not in the \
             file ({why}); {stay}"
        ))
    }

    /// One consistent snapshot.
    pub(crate) fn stats(&self) -> Stats {
        let file = self.intake.rings.file();
        let (written, accepted) = file.records();
        let signals = &self.intake.signals;
        let [recovered, damaged, write_errors, rotations, segments_deleted, file_bytes] =
            signals.counts();
        let (syncs, sync_errors) = self.unsynced.counts();
        let dropped = file.counted(Counter::Dropped);
        let rejected = file.counted(Counter::Rejected);
        Stats {
            offered: accepted + dropped + rejected,
            written,
            queued: accepted - written,
            dropped,
            rejected,
            truncated: file.counted(Counter::Truncated),
            nonfinite: file.counted(Counter::NonFinite),
            shared: file.counted(Counter::Shared),
            recovered,
            damaged,
            write_errors,
            rotations,
            file_bytes,
            rings_in: self.rings_in,
            apart: signals.is_apart(),
            syncs,
            sync_errors,
            segments_deleted,
            loki: self.shipper.get().map(Shipper::delivery),
        }
    }
}

fn not_on_disk(path: &Path, what: &str, timeout: Duration, why: NotOnDisk) -> Error {
    match why {
        NotOnDisk::Late => Error::Timeout(format!(
            "{}: {what} was not finished within {timeout:?}: all records are in the file, but the \
             disk has not confirmed them (a slow disk?)",
            path.display()
        )),
        NotOnDisk::Lost(reason) => Error::io(
            path,
            "the records are in the file, but the disk has refused some of them, and a crash of \
             the machine may lose those; look at the disk",
            std::io::Error::other(reason),
        ),
    }
}
