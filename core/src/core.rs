//! A core: what a process has open for one log. A forked child has one of its own.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Converter};
use crate::config::Config;
use crate::contexts::Contexts;
use crate::error::{Error, Result};
use crate::file::LogFile;
use crate::intake::Intake;
use crate::loki::Shipper;
use crate::notice::say;
use crate::place::make_rings;
use crate::record::Context;
use crate::recover::recover;
use crate::ring::{Counter, Layout, Rings};
use crate::stats::{RingsIn, Stats};
use crate::sweep::sweep;
use crate::writer::{Signals, Writer};

/// Rings, a writer, and the log that it writes to.
pub(crate) struct Core {
    pub(crate) intake: Intake,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Where lines are pushed to Loki.
    shipper: Option<Shipper>,
    pub(crate) rings_in: RingsIn,
}

impl Core {
    /// Makes folders, file and rings, moves the records of dead processes into the file, and
    /// starts the writer. The contexts get ids in their order.
    pub(crate) fn open(config: &Config, path: &Path, contexts: &[Context]) -> Result<Self> {
        let mut log = LogFile::open(path, config.rotation)?;
        let signals = Arc::new(Signals::default());
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
        let made = make_rings(config.ring.dir, &log, layout, clock, config.max_record_bytes)?;
        made.file.publish_calibration(converter.calibration());
        let ids = Contexts::default();
        for context in contexts {
            ids.add(context, &made.file, config.max_record_bytes)?;
        }
        let rings = Rings::new(made.file);
        let writer = Writer {
            rings: rings.clone(),
            signals: signals.clone(),
            log,
            note: made.note,
            converter,
            max_record_bytes: config.max_record_bytes,
            context: config.context.clone(),
        };
        let first = writer.log.path().to_path_buf();
        let thread = writer.start()?;
        let shipper = match config.loki.as_ref().filter(|loki| loki.enabled) {
            Some(loki) => {
                let signals = signals.clone();
                let log = first.clone();
                let logs = move || [vec![first.clone()], signals.apart()].concat();
                Some(Shipper::start(&log, loki, logs)?)
            }
            None => None,
        };
        Ok(Self {
            intake: Intake::new(rings, signals, ids, clock, config),
            thread: Mutex::new(Some(thread)),
            shipper,
            rings_in: made.rings_in,
        })
    }

    /// The contexts that were made, in the order of their ids.
    pub(crate) fn contexts(&self) -> Vec<Context> {
        let all = self.intake.contexts.all(self.intake.rings.file());
        all.iter().map_while(|json| serde_json::from_slice(json).ok()).collect()
    }

    /// Waits until everything that was accepted before the call is in the kernel.
    pub(crate) fn flush(&self, path: &Path, timeout: Duration) -> Result<()> {
        let file = self.intake.rings.file();
        let targets: Vec<u64> = file.used().map(|ring| ring.control.tail()).collect();
        let written = |ended: Option<bool>| {
            let mut rings = file.used().zip(&targets);
            ended == Some(true) || rings.all(|(ring, target)| ring.control.head() >= *target)
        };
        let waited = self.intake.signals.wait(Instant::now() + timeout, written);
        waited.map_err(|trouble| self.unfinished(path, "flush", timeout, trouble))
    }

    /// Refuses further records and waits until all accepted ones are in the file, and in Loki
    /// where that is configured and answers.
    pub(crate) fn close(&self, path: &Path, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let written = self.close_file(path, timeout, deadline);
        let shipped = self.shipper.as_ref().map_or(Ok(()), |shipper| shipper.close(deadline));
        written.and(shipped)
    }

    fn close_file(&self, path: &Path, timeout: Duration, deadline: Instant) -> Result<()> {
        let quiet = self.intake.rings.close(deadline);
        self.intake.signals.stop();
        if let Err(trouble) = self.intake.signals.wait(deadline, |ended| ended == Some(true)) {
            self.intake.signals.abandon();
            return Err(self.unfinished(path, "close", timeout, trouble));
        }
        // It has said its last word: joining takes no time.
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        if quiet {
            return Ok(());
        }
        Err(self.unfinished(path, "close", timeout, Some("a call is still under way".into())))
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
        let [recovered, damaged, write_errors, rotations, file_bytes] =
            self.intake.signals.counts();
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
            loki: self.shipper.as_ref().map(Shipper::delivery),
        }
    }
}
