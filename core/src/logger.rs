//! A logger: what a program opens, logs through, and closes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Converter};
use crate::config::{self, Config};
use crate::contexts::Contexts;
use crate::error::{Error, Result};
use crate::file::LogFile;
use crate::intake::Intake;
pub use crate::intake::{BatchResult, Record, TagList};
use crate::notice::say;
use crate::place::make_rings;
use crate::recover::recover;
use crate::ring::{Counter, Layout, Rings};
use crate::stats::{RingsIn, Stats};
use crate::sweep::sweep;
use crate::writer::{Signals, Writer};

/// How long a logger that is dropped without close waits for its file.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// An open logger. Everything may be called from any thread at once.
pub struct Logger {
    intake: Intake,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
    rings_in: RingsIn,
    config: Config,
}

impl Logger {
    /// Opens a logger with a configuration as JSON bytes (see [`config::load`]).
    ///
    /// # Errors
    /// [`Error::Config`] with all mistakes, or what [`Logger::with`] fails with.
    pub fn open(json: &[u8]) -> Result<Self> {
        Self::with(config::load(json)?)
    }

    /// Opens a logger: makes folders, file and rings, moves the records of dead processes into
    /// the file, and starts the writer.
    ///
    /// # Errors
    /// [`Error::Io`] where a folder or file cannot be used.
    pub fn with(config: Config) -> Result<Self> {
        let mut log = LogFile::new(&config.log_path, config.rotation);
        log.lock()?.ensure_log()?;
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
        let contexts = Contexts::default();
        contexts.add(&config.context, &made.file, config.max_record_bytes)?;
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
        let thread = writer.start()?;
        Ok(Self {
            intake: Intake::new(rings, signals, contexts, clock, &config),
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
            rings_in: made.rings_in,
            config,
        })
    }

    /// Logs one record. It is accepted when this returns `Ok`: from then on it is safe from a
    /// crash of the process (unless the rings are in plain memory).
    ///
    /// # Errors
    /// [`Error::Dropped`], [`Error::Rejected`] and [`Error::Nested`] are counted;
    /// [`Error::Closed`] and [`Error::Forked`] are not.
    #[inline]
    pub fn log<T: TagList + ?Sized>(&self, record: &Record<'_, T>) -> Result<()> {
        self.intake.log(record)
    }

    /// Logs the entries of a batch, in order (see `frame.rs` for its form). An entry that cannot
    /// be understood is rejected and counted; the others are not touched.
    ///
    /// # Errors
    /// The first of what [`Logger::log`] fails with; [`Error::Argument`] for a batch that cannot
    /// be read to its end.
    pub fn push_batch(&self, batch: &[u8]) -> (BatchResult, Result<()>) {
        self.intake.push_batch(batch)
    }

    /// Counts a record as rejected, and makes the error that says why.
    pub fn reject(&self, why: String) -> Error {
        self.intake.reject(why)
    }

    /// The configuration that was opened.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The id of a context given as JSON (see [`config::context`]); equal contexts have equal
    /// ids. One that breaks the schema is refused; its records can be offered with
    /// the id `u32::MAX`, which rejects and counts them.
    ///
    /// # Errors
    /// [`Error::Rejected`] with the reasons, [`Error::Limit`], [`Error::Forked`].
    pub fn context(&self, json: &[u8]) -> Result<u32> {
        self.intake.check_process()?;
        config::context(json, &self.config.context).and_then(|context| {
            self.intake.contexts.add(
                &context,
                self.intake.rings.file(),
                self.config.max_record_bytes,
            )
        })
    }

    /// Waits until everything that was accepted before the call is in the kernel.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why, [`Error::Forked`].
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.intake.check_process()?;
        let targets: Vec<u64> =
            self.intake.rings.file().used().map(|ring| ring.control.tail()).collect();
        let written = |ended: Option<bool>| {
            ended == Some(true)
                || self
                    .intake
                    .rings
                    .file()
                    .used()
                    .zip(&targets)
                    .all(|(ring, target)| ring.control.head() >= *target)
        };
        let deadline = Instant::now() + timeout;
        self.intake
            .signals
            .wait(deadline, written)
            .map_err(|trouble| self.unfinished("flush", timeout, trouble))
    }

    fn unfinished(&self, what: &str, timeout: Duration, trouble: Option<String>) -> Error {
        let queued = self.stats().queued;
        let path = self.config.log_path.display();
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
    #[must_use]
    pub fn stats(&self) -> Stats {
        let file = self.intake.rings.file();
        let (mut written, mut accepted) = (0, 0);
        for ring in file.used() {
            let (out, published) = ring.control.records();
            written += out;
            accepted += published;
        }
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
        }
    }

    /// Refuses further records and waits until all accepted ones are in the file, at most
    /// `timeout`. What is left then stays in the rings for the next one. A second call waits
    /// again for what the first could not finish.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why, [`Error::Forked`].
    pub fn close(&self, timeout: Duration) -> Result<()> {
        self.intake.check_process()?;
        let deadline = Instant::now() + timeout;
        self.closed.store(true, Ordering::Relaxed);
        let quiet = self.intake.rings.close(deadline);
        self.intake.signals.stop();
        let ended = |ended: Option<bool>| ended == Some(true);
        let outcome = self.intake.signals.wait(deadline, ended);
        if let Err(trouble) = outcome {
            self.intake.signals.abandon();
            return Err(self.unfinished("close", timeout, trouble));
        }
        // It has said its last word: joining takes no time.
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        if quiet {
            Ok(())
        } else {
            Err(self.unfinished("close", timeout, Some("a call is still under way".into())))
        }
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            let _ = self.close(DROP_TIMEOUT);
        }
    }
}

#[cfg(test)]
#[path = "logger_tests.rs"]
mod tests;
