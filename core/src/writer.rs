//! The writer: one thread that moves records from the rings into the file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::clock::{Converter, realtime_ns};
use crate::error::{Error, Result};
use crate::file::{Apart, LogFile, OwnNote, Unsynced};
use crate::gap::Gap;
use crate::gather::{BLOCK_BYTES, Gatherer};
use crate::notice::{Trouble, say};
use crate::own_record::tell;
use crate::record::Context;
use crate::recover::{Recovery, recover};
use crate::retention::Retention;
use crate::ring::{Counter, Rings};
use crate::worker::{Rest, Work, Worker};

/// Looks at the rings without sleeping before the writer begins to sleep, and as many yields.
const SPINS: u32 = 64;
/// The first sleep of an idle writer and the last: at 5 ms it takes half a percent of a core.
const FIRST_SLEEP: Duration = Duration::from_micros(50);
const LONGEST_SLEEP: Duration = Duration::from_millis(5);
/// How often the clock is calibrated, the note looked after, and dead siblings looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How long the writer waits behind a failed append, at first and at most.
const FIRST_RETRY: Duration = Duration::from_millis(5);
const LONGEST_RETRY: Duration = Duration::from_millis(500);

/// What callers and the writer tell each other.
#[derive(Default)]
pub(crate) struct Signals {
    bell: Bell,
    sleeping: AtomicBool,
    stop: AtomicBool,
    abandon: AtomicBool,
    appends: AtomicU64,
    recovered: AtomicU64,
    damaged: AtomicU64,
    /// The part of `damaged` that was in rings of this process.
    damaged_here: AtomicU64,
    write_errors: AtomicU64,
    rotations: AtomicU64,
    deleted: AtomicU64,
    file_bytes: AtomicU64,
    waiters: AtomicU64,
    /// Files of this process's own that it writes to instead of the one that was asked for.
    apart: Mutex<Vec<PathBuf>>,
    progress: Mutex<Progress>,
    moved: Condvar,
}

/// What the writer last said of itself.
#[derive(Default)]
pub(crate) struct Progress {
    /// The writer has ended; true when nothing was left in the rings.
    ended: Option<bool>,
    /// Why the last append failed, until one succeeds.
    trouble: Option<String>,
}

impl Signals {
    /// Wakes the writer where it sleeps. Costs a system call only then.
    pub(crate) fn wake(&self) {
        if self.sleeping.load(Ordering::Relaxed) {
            self.bell.ring();
        }
    }

    /// Wakes the writer, also where it waits behind a failure, which `wake` does not cut short.
    pub(crate) fn rouse(&self) {
        self.bell.ring();
    }

    /// Number of appends that took something from the rings: it moves while the writer moves.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::Relaxed)
    }

    /// (recovered, damaged, write errors, rotations, deleted segments, committed bytes)
    pub(crate) fn counts(&self) -> [u64; 6] {
        let Self { recovered, damaged, write_errors, rotations, deleted, file_bytes, .. } = self;
        [recovered, damaged, write_errors, rotations, deleted, file_bytes]
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// The log is one of this process's own.
    pub(crate) fn note_apart(&self, log: &Path) {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner).push(log.to_path_buf());
    }

    pub(crate) fn is_apart(&self) -> bool {
        !self.logs_apart().is_empty()
    }

    pub(crate) fn note_recovery(&self, recovery: &Recovery) {
        self.recovered.fetch_add(recovery.records, Ordering::Relaxed);
        self.damaged.fetch_add(recovery.damaged, Ordering::Relaxed);
    }

    /// The files of this process's own that it writes to, or has written to.
    pub(crate) fn logs_apart(&self) -> Vec<PathBuf> {
        self.apart.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the writer to end once the rings are empty.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.rouse();
    }

    /// Asks the writer to end at its next failure, with what it could not write left in the rings.
    pub(crate) fn abandon(&self) {
        self.abandon.store(true, Ordering::Release);
        self.stop();
    }

    /// Waits until `done`, the writer's end, or the deadline. Returns whether it is done; where
    /// the writer has ended before, with what it left; else with its trouble.
    pub(crate) fn wait(
        &self,
        deadline: Instant,
        done: impl Fn(Option<bool>) -> bool,
    ) -> std::result::Result<(), Option<String>> {
        self.waiters.fetch_add(1, Ordering::SeqCst);
        self.rouse();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = loop {
            if done(progress.ended) {
                break Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || progress.ended.is_some() {
                break Err(progress.trouble.clone());
            }
            self.wake();
            // The writer looks at `waiters` after each append; the short sleep covers the one
            // that looked just before.
            let nap = left.min(Duration::from_millis(5));
            progress =
                self.moved.wait_timeout(progress, nap).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(progress);
        self.waiters.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
    }
}

/// The writer's own things.
pub(crate) struct Writer {
    pub(crate) rings: Arc<Rings>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) log: LogFile,
    pub(crate) note: Option<OwnNote>,
    pub(crate) retention: Retention,
    pub(crate) unsynced: Arc<Unsynced>,
    pub(crate) converter: Converter,
    pub(crate) max_record_bytes: usize,
    /// Whose gaps are told.
    pub(crate) context: Context,
}

impl Writer {
    /// Starts the writer's thread.
    pub(crate) fn start(self) -> Result<Worker<Writing>> {
        let path = self.log.path().to_path_buf();
        Worker::start(Writing::new(self))
            .map_err(|error| Error::io(&path, "starting the writer", error))
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}

/// The thread at work.
pub(crate) struct Writing {
    writer: Writer,
    gatherer: Gatherer,
    trouble: Trouble,
    /// Records were dropped although nothing failed: said once, for it may come and go all day.
    behind: Trouble,
    idle: u32,
    sleep: Duration,
    retry: Duration,
    housekept: Instant,
    told: Told,
}

/// What was told of losses so far.
struct Told {
    damaged: u64,
    replaced: u64,
    /// When that was, nanoseconds since 1970.
    at_ns: i64,
    /// Why the last append failed, until its drops are told.
    trouble: Option<String>,
}

impl Work for Writing {
    const NAME: &'static str = "lb-log writer";

    fn work(mut self, rest: &Rest) -> Option<Self> {
        loop {
            if rest.is_asked() {
                return Some(self);
            }
            // Read before the rings: what was pushed before `stop` is then still found.
            let stopping = self.writer.signals.stop.load(Ordering::Acquire);
            match self.write_block() {
                Ok(true) => {
                    self.idle = 0;
                    self.sleep = FIRST_SLEEP;
                }
                Ok(false) if stopping => {
                    self.tell_gaps();
                    self.retain();
                    self.end(true);
                    return None;
                }
                Ok(false) => self.rest(),
                Err(error) => {
                    self.fail(&error);
                    if self.writer.signals.abandon.load(Ordering::Acquire) {
                        self.end(false);
                        return None;
                    }
                }
            }
            if self.housekept.elapsed() >= HOUSEKEEPING {
                self.keep_house();
            }
            self.retain();
        }
    }
}

impl Writing {
    fn new(writer: Writer) -> Self {
        Self {
            gatherer: Gatherer::new(writer.max_record_bytes),
            writer,
            trouble: Trouble::default(),
            behind: Trouble::default(),
            idle: 0,
            sleep: FIRST_SLEEP,
            retry: FIRST_RETRY,
            housekept: Instant::now(),
            told: Told { damaged: 0, replaced: 0, at_ns: realtime_ns(), trouble: None },
        }
    }

    /// Moves one block; false when there was nothing to move.
    fn write_block(&mut self) -> Result<bool> {
        let Writer { rings, signals, log, converter, .. } = &mut self.writer;
        let limit = log.block_limit(BLOCK_BYTES);
        self.gatherer.gather(rings.file(), limit, |stamp| converter.to_ns(stamp), false);
        let block = self.gatherer.block();
        if block.is_empty() {
            return Ok(false);
        }
        let mut locked = log.lock()?;
        let (lines, error) = locked.append(Some(rings.file()), block);
        signals.file_bytes.store(locked.committed(), Ordering::Relaxed);
        drop(locked);
        signals.damaged.fetch_add(block.lost(), Ordering::Relaxed);
        signals.damaged_here.fetch_add(block.lost(), Ordering::Relaxed);
        signals.rotations.store(log.rotations(), Ordering::Relaxed);
        if lines > 0 || error.is_none() {
            signals.appends.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(error) = error {
            return Err(error);
        }
        self.retry = FIRST_RETRY;
        let (path, untold) = (log.path(), rings.file().untold());
        self.trouble.ends(|| {
            format!("{}: writing again; {untold} records were dropped meanwhile", path.display())
        });
        if signals.waiters.load(Ordering::SeqCst) > 0 {
            signals.tell(|progress| progress.trouble = None);
        }
        Ok(true)
    }

    fn fail(&mut self, error: &Error) {
        let signals = &self.writer.signals;
        signals.write_errors.fetch_add(1, Ordering::Relaxed);
        // A folder that goes while the lock is taken is made anew by the next try: no trouble yet.
        if !(self.retry == FIRST_RETRY && is_missing(error)) {
            self.trouble.begins(|| {
                format!(
                    "{error}; until that is mended records wait in their rings, and what does not \
                     fit is dropped and counted"
                )
            });
            signals.tell(|progress| progress.trouble = Some(error.to_string()));
            self.told.trouble = Some(error.to_string());
        }
        if self.writer.log.is_stuck() {
            self.go_apart();
        }
        // Not woken by each call: a full disk would be asked again for every record.
        self.writer.signals.bell.sleep(self.retry);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
    }

    /// Goes on in a file of our own, so that one stopped process does not stop all others.
    fn go_apart(&mut self) {
        let Writer { rings, log, note, signals, .. } = &mut self.writer;
        // What fails here is tried again at the next failure to have the lock.
        let Ok(apart) = log.apart(Apart::Stuck) else { return };
        let moved = note
            .as_mut()
            .is_none_or(|note| note.move_to(log.path(), apart.path(), rings.file()).is_ok());
        if moved {
            log.say_apart(&apart);
            signals.note_apart(apart.path());
            *log = apart;
            // It was said where we go on.
            self.trouble = Trouble::default();
        }
    }

    /// Nothing to do: look again soon, then less and less often.
    fn rest(&mut self) {
        self.idle = self.idle.saturating_add(1);
        if self.writer.signals.waiters.load(Ordering::SeqCst) > 0 {
            self.writer.signals.tell(|_| {});
        }
        if self.idle <= SPINS {
            std::hint::spin_loop();
        } else if self.idle <= 2 * SPINS {
            thread::yield_now();
        } else {
            self.pause(self.sleep);
            self.sleep = (self.sleep * 2).min(LONGEST_SLEEP);
        }
    }

    fn pause(&self, time: Duration) {
        let signals = &self.writer.signals;
        signals.sleeping.store(true, Ordering::SeqCst);
        signals.bell.sleep(time);
        signals.sleeping.store(false, Ordering::Relaxed);
    }

    /// Deletes what is too old, behind a rotation.
    fn retain(&mut self) {
        let Writer { retention, log, context, signals, .. } = &mut self.writer;
        if retention.is_due(log) {
            let deleted = retention.run(log, context);
            signals.deleted.fetch_add(deleted, Ordering::Relaxed);
        }
    }

    fn keep_house(&mut self) {
        self.housekept = Instant::now();
        self.writer.retention.try_again();
        let Writer { rings, signals, log, note, converter, context, .. } = &mut self.writer;
        converter.recalibrate();
        rings.file().publish_calibration(converter.calibration());
        if let Some(note) = note {
            // A folder that was deleted has no place for it; the next append makes the folder.
            let _ = note.renew(log.path(), rings.file().id());
        }
        if let Ok(recovery) = recover(log, Some(rings.file().id()), Some(context)) {
            signals.note_recovery(&recovery);
            recovery.gone.iter().for_each(|gone| say(&format!("{gone}: its records are lost")));
        }
        self.tell_gaps();
    }

    /// Leaves a record of what is missing since the last time. What cannot be told now is told
    /// the next time, in one sum.
    fn tell_gaps(&mut self) {
        let Writer { rings, signals, log, context, .. } = &mut self.writer;
        let untold = rings.file().untold();
        let damaged = signals.damaged_here.load(Ordering::Relaxed);
        let replaced = log.replaced();
        let told = &mut self.told;
        if (untold, damaged, replaced) == (0, told.damaged, told.replaced) {
            told.at_ns = realtime_ns();
            if !self.trouble.lasts() {
                told.trouble = None;
            }
            return;
        }
        let since_ns = Some(told.at_ns);
        let gap = |lost: Option<u64>, reason: String| Gap { lost, reason, since_ns };
        if untold > 0 {
            let why = told.trouble.clone().unwrap_or_else(|| "the writer fell behind".into());
            let full = gap(Some(untold), format!("a ring was full: {why}"));
            if tell(log, &full, Some(context)).is_err() {
                return;
            }
            // Of a failure it was said when it began.
            if told.trouble.take().is_none() {
                self.behind.begins(|| {
                    format!(
                        "{}: records were dropped, because calls were faster than the disk and a \
                         ring was full; a larger ring_bytes holds more, log_gap records and the \
                         statistics tell how many",
                        log.path().display()
                    )
                });
            }
            rings.file().count(Counter::Told, untold);
        }
        if damaged > told.damaged {
            let lost = gap(Some(damaged - told.damaged), "a ring was damaged".into());
            if tell(log, &lost, Some(context)).is_err() {
                return;
            }
            told.damaged = damaged;
        }
        if replaced > told.replaced {
            let reason = "the log file was deleted or replaced while it was written to";
            if tell(log, &gap(None, reason.into()), Some(context)).is_err() {
                return;
            }
            say(&format!("{}: {reason}; a new one is there now", log.path().display()));
            // What this very append found is told the next time.
            told.replaced = replaced;
        }
        told.at_ns = realtime_ns();
    }

    fn end(self, empty: bool) {
        if empty {
            let Writer { rings, log, note, .. } = &self.writer;
            if let Some(note) = note {
                note.remove_with_rings(log.path(), rings.file());
            }
        }
        self.writer.unsynced.stop();
        self.writer.signals.tell(|progress| progress.ended = Some(empty));
    }
}
