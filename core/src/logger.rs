//! A logger: what a program opens, logs through, and closes.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Converter};
use crate::config::{self, Config, OnFull};
use crate::contexts::{Contexts, INVALID, Reference};
use crate::error::{Error, Result};
use crate::file::{LogFile, OwnNote, RingPlace};
use crate::frame::{
    FLAG_GIVEN_TIME, FLAG_TRUNCATED, FRAME_HEADER, Head, Next, Tags, check, cut, frame_size,
    next_entry, tag_size, write_header, write_tag,
};
use crate::notice::say;
use crate::place;
use crate::record::{Level, TagValue};
use crate::recover::recover;
use crate::ring::{Birth, Counter, Full, Layout, Refused, RingFile, Rings, Turn};
use crate::stats::{RingsIn, Stats};
use crate::sys::fork_marker;
use crate::writer::{Signals, Writer};

/// A record as a caller has it. Everything is borrowed for the call.
#[derive(Clone, Copy)]
pub struct Record<'a, T: ?Sized> {
    /// Id of the context, 0 for the logger's own.
    pub context: u32,
    /// Severity.
    pub level: Level,
    /// Nanoseconds since 1970; `None` for now.
    pub timestamp_ns: Option<i64>,
    /// Any bytes.
    pub message: &'a [u8],
    /// Tags; of equal keys the last wins.
    pub tags: &'a T,
}

/// Tags as a caller has them.
pub trait TagList {
    /// Calls `each` with every tag, in order, until it says false.
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool);
}

impl TagList for [(&[u8], TagValue<'_>)] {
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        for (key, value) in self {
            if !each(key, *value) {
                return;
            }
        }
    }
}

/// What became of the entries of a batch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BatchResult {
    /// Entries that will be in the file.
    pub accepted: u64,
    /// Entries that found their ring full.
    pub dropped: u64,
    /// Entries that were refused.
    pub rejected: u64,
}

/// An open logger. Everything may be called from any thread at once.
pub struct Logger {
    rings: Arc<Rings>,
    signals: Arc<Signals>,
    contexts: Contexts,
    clock: Clock,
    min_level: Level,
    on_full: OnFull,
    full_timeout: Duration,
    /// Most bytes of a frame: a quarter of a ring.
    max_frame: usize,
    checked: bool,
    marker: &'static AtomicU8,
    /// 1 + the writer's append count when a caller last waited in vain.
    stalled_at: AtomicU64,
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
        let mut locked = log.lock()?;
        locked.ensure_log()?;
        drop(locked);

        let signals = Arc::new(Signals::default());
        match recover(&mut log, None, config.max_record_bytes) {
            Ok(found) => {
                signals.note_recovery(&found);
                found.gone.iter().for_each(|gone| say(&format!("{gone}: its records are lost")));
            }
            Err(error) => say(&format!("records of dead processes stay where they are: {error}")),
        }

        let clock = Clock::detect();
        let converter = Converter::new(clock);
        let layout = Layout::new(config.ring.bytes, config.ring.total_bytes);
        let (file, note, rings_in) = make_rings(&config, &log, layout, clock)?;
        file.publish_calibration(converter.calibration());
        let contexts = Contexts::default();
        contexts.add(&config.context, &file, config.max_record_bytes)?;
        let max_frame = usize::try_from(layout.ring_bytes() / 4).unwrap_or(usize::MAX) & !7;
        let checked = file.checked();
        let rings = Rings::new(file);
        let writer = Writer {
            rings: rings.clone(),
            signals: signals.clone(),
            log,
            note,
            converter,
            max_record_bytes: config.max_record_bytes,
        };
        let thread = writer.start()?;
        Ok(Self {
            rings,
            signals,
            contexts,
            clock,
            min_level: config.min_level,
            on_full: config.ring.on_full,
            full_timeout: config.ring.full_timeout,
            max_frame,
            checked,
            marker: fork_marker(),
            stalled_at: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            thread: Mutex::new(Some(thread)),
            rings_in,
            config,
        })
    }

    /// The configuration that was opened.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The id of a context given as JSON (see [`config::context`]); equal contexts have equal
    /// ids. One that breaks the schema is refused; its records can be offered with
    /// [`INVALID`], which rejects and counts them.
    ///
    /// # Errors
    /// [`Error::Rejected`] with the reasons, [`Error::Limit`], [`Error::Forked`].
    pub fn context(&self, json: &[u8]) -> Result<u32> {
        self.check_process()?;
        config::context(json, &self.config.context).and_then(|context| {
            self.contexts.add(&context, self.rings.file(), self.config.max_record_bytes)
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
        if record.level < self.min_level {
            return Ok(());
        }
        let Some(reference) = self.contexts.reference(record.context) else {
            return Err(self.reject(unknown_context(record.context)));
        };
        let mut tags_len = 0;
        record.tags.visit(&mut |key, value| {
            tags_len += tag_size(key, value);
            true
        });
        let frame = Draft {
            head: self.head(record.context, record.level, record.timestamp_ns),
            message: record.message,
            tags_len,
            reference: &reference,
        };
        if frame.size() > self.max_frame || record.message.len() > self.config.max_record_bytes {
            return self.log_cut(record, &reference);
        }
        self.offer(&frame, |mut out| {
            record.tags.visit(&mut |key, value| {
                match write_tag(std::mem::take(&mut out), key, value) {
                    Some(rest) => out = rest,
                    None => return false,
                }
                true
            });
        })
    }

    /// A record that is too large for a frame, made smaller. Allocates; such records are rare.
    #[cold]
    fn log_cut<T: TagList + ?Sized>(
        &self,
        record: &Record<'_, T>,
        reference: &Reference,
    ) -> Result<()> {
        let mut tags = Vec::new();
        record.tags.visit(&mut |key, value| {
            crate::frame::append_tag(&mut tags, key, value);
            true
        });
        let mut head = self.head(record.context, record.level, record.timestamp_ns);
        self.offer_cut(&mut head, record.message, &tags, reference)
    }

    #[cold]
    fn offer_cut(
        &self,
        head: &mut Head,
        message: &[u8],
        tags: &[u8],
        reference: &Reference,
    ) -> Result<()> {
        head.flags |= FLAG_TRUNCATED;
        let fixed = frame_size(0, 0, inlined(reference).len()) + 8;
        let limit = self.max_frame.saturating_sub(fixed).min(self.config.max_record_bytes);
        let small = cut(message, Tags::new(tags), limit);
        let frame =
            Draft { head: *head, message: small.message, tags_len: small.tags.len(), reference };
        self.offer(&frame, |out| out[..small.tags.len()].copy_from_slice(&small.tags))
    }

    #[inline]
    fn head(&self, context: u32, level: Level, timestamp_ns: Option<i64>) -> Head {
        match timestamp_ns {
            None => Head { stamp: self.clock.stamp(), context, level, flags: 0 },
            Some(ns) => Head { stamp: ns.cast_unsigned(), context, level, flags: FLAG_GIVEN_TIME },
        }
    }

    /// Pushes a frame, waiting for room where the configuration says so.
    #[inline]
    fn offer(&self, frame: &Draft<'_>, tags: impl Fn(&mut [u8])) -> Result<()> {
        let mut turn = self.enter()?;
        if self.push(&mut turn, frame, &tags).is_ok() {
            return Ok(());
        }
        drop(turn);
        self.push_when_there_is_room(frame, &tags)
    }

    #[inline]
    fn enter(&self) -> Result<Turn<'_>> {
        if self.marker.load(Ordering::Relaxed) == 0 {
            return Err(Error::Forked);
        }
        self.rings.enter().map_err(|refused| match refused {
            Refused::Closed => Error::Closed,
            Refused::Nested => {
                self.count(Counter::Rejected, 1);
                Error::Nested
            }
        })
    }

    #[inline]
    fn push(
        &self,
        turn: &mut Turn<'_>,
        frame: &Draft<'_>,
        tags: impl Fn(&mut [u8]),
    ) -> std::result::Result<(), Full> {
        let size = frame.size();
        let more_than_half = turn.push(size, |out| frame.write(out, self.checked, tags))?;
        if more_than_half {
            self.signals.wake();
        }
        Ok(())
    }

    #[cold]
    fn push_when_there_is_room(&self, frame: &Draft<'_>, tags: impl Fn(&mut [u8])) -> Result<()> {
        let appends = self.signals.appends();
        let stalled = self.stalled_at.load(Ordering::Relaxed) == appends + 1;
        if self.on_full == OnFull::Wait && !stalled {
            let deadline = Instant::now() + self.full_timeout;
            let mut pause = Duration::from_micros(20);
            while Instant::now() < deadline {
                self.signals.wake();
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(1));
                if self.push(&mut self.enter()?, frame, &tags).is_ok() {
                    return Ok(());
                }
            }
            self.stalled_at.store(self.signals.appends() + 1, Ordering::Relaxed);
        }
        self.signals.wake();
        self.count(Counter::Dropped, 1);
        Err(Error::Dropped)
    }

    /// Logs the entries of a batch, in order (see `frame.rs` for its form). An entry that cannot
    /// be understood is rejected and counted; the others are not touched.
    pub fn push_batch(&self, batch: &[u8]) -> (BatchResult, Result<()>) {
        let mut result = BatchResult::default();
        let mut outcome = Ok(());
        let mut rest = batch;
        loop {
            let (done, next) = match next_entry(rest) {
                Next::End => return (result, outcome),
                Next::Lost => {
                    result.rejected += 1;
                    let text = "an entry of the batch has an impossible size: the rest of the \
                                batch cannot be read";
                    let rejected = self.reject(text.into());
                    return (result, Err(Error::Argument(rejected.to_string())));
                }
                Next::Malformed(why, next) => {
                    (Err(self.reject(format!("an entry of the batch: {why}"))), next)
                }
                Next::Entry(entry, next) => (self.push_entry(&entry), next),
            };
            rest = next;
            match done {
                Ok(()) => result.accepted += 1,
                Err(error @ (Error::Closed | Error::Forked)) => return (result, Err(error)),
                Err(Error::Dropped) => {
                    result.dropped += 1;
                    outcome = outcome.and(Err(Error::Dropped));
                }
                Err(error) => {
                    result.rejected += 1;
                    outcome = outcome.and(Err(error));
                }
            }
        }
    }

    fn push_entry(&self, entry: &crate::frame::Entry<'_>) -> Result<()> {
        if entry.level < self.min_level {
            return Ok(());
        }
        let Some(reference) = self.contexts.reference(entry.context) else {
            return Err(self.reject(unknown_context(entry.context)));
        };
        let mut head = self.head(entry.context, entry.level, entry.timestamp_ns);
        let frame = Draft {
            head,
            message: entry.message,
            tags_len: entry.tags.len(),
            reference: &reference,
        };
        if frame.size() > self.max_frame || entry.message.len() > self.config.max_record_bytes {
            return self.offer_cut(&mut head, entry.message, entry.tags, &reference);
        }
        self.offer(&frame, |out| out[..entry.tags.len()].copy_from_slice(entry.tags))
    }

    /// Counts a record as rejected, and says why.
    #[cold]
    pub fn reject(&self, why: String) -> Error {
        self.count(Counter::Rejected, 1);
        Error::Rejected(why)
    }

    fn count(&self, counter: Counter, by: u64) {
        self.rings.file().count(counter, by);
    }

    /// Waits until everything that was accepted before the call is in the kernel.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why, [`Error::Forked`].
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        self.check_process()?;
        let targets: Vec<u64> = self.rings.file().used().map(|ring| ring.control.tail()).collect();
        let written = |ended: Option<bool>| {
            ended == Some(true)
                || self
                    .rings
                    .file()
                    .used()
                    .zip(&targets)
                    .all(|(ring, target)| ring.control.head() >= *target)
        };
        let deadline = Instant::now() + timeout;
        self.signals
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
        let file = self.rings.file();
        let (mut written, mut accepted) = (0, 0);
        for ring in file.used() {
            let (out, published) = ring.control.records();
            written += out;
            accepted += published;
        }
        let [recovered, damaged, write_errors, rotations, file_bytes] = self.signals.counts();
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
        self.check_process()?;
        let deadline = Instant::now() + timeout;
        self.closed.store(true, Ordering::Relaxed);
        let quiet = self.rings.close(deadline);
        self.signals.stop();
        let ended = |ended: Option<bool>| ended == Some(true);
        let outcome = self.signals.wait(deadline, ended);
        if let Err(trouble) = outcome {
            self.signals.abandon();
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

    fn check_process(&self) -> Result<()> {
        if self.marker.load(Ordering::Relaxed) == 0 { Err(Error::Forked) } else { Ok(()) }
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Relaxed) {
            let _ = self.close(DROP_TIMEOUT);
        }
    }
}

/// How long a logger that is dropped without close waits for its file.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// A frame before it is in a ring.
struct Draft<'a> {
    head: Head,
    message: &'a [u8],
    tags_len: usize,
    reference: &'a Reference,
}

fn inlined(reference: &Reference) -> &[u8] {
    match reference {
        Reference::Stored => &[],
        Reference::Inlined(json) => json,
    }
}

impl Draft<'_> {
    #[inline]
    fn size(&self) -> usize {
        frame_size(self.message.len(), self.tags_len, inlined(self.reference).len())
    }

    /// Writes the frame over all of `out`, which is as long as [`Draft::size`] says.
    #[inline]
    fn write(&self, out: &mut [u8], checked: bool, tags: impl Fn(&mut [u8])) {
        let context = inlined(self.reference);
        let narrow = |len: usize| u32::try_from(len).unwrap_or(0);
        let size = narrow(out.len());
        if let Some((header, body)) = out.split_first_chunk_mut::<FRAME_HEADER>() {
            let inline_len = u16::try_from(context.len()).unwrap_or(0);
            let message_len = narrow(self.message.len());
            write_header(header, size, self.head, message_len, narrow(self.tags_len), inline_len);
            let (message, rest) = body.split_at_mut(self.message.len());
            message.copy_from_slice(self.message);
            let (tags_place, rest) = rest.split_at_mut(self.tags_len);
            if self.tags_len > 0 {
                tags(tags_place);
            }
            rest[..context.len()].copy_from_slice(context);
        }
        if checked {
            let sum = check(out);
            out[4..8].copy_from_slice(&sum.to_le_bytes());
        }
    }
}

fn unknown_context(id: u32) -> String {
    if id == INVALID {
        "the record's own identity is impossible".into()
    } else {
        format!("no context has the id {id}")
    }
}

/// The rings, where they can be had.
fn make_rings(
    config: &Config,
    log: &LogFile,
    layout: Layout,
    clock: Clock,
) -> Result<(RingFile, Option<OwnNote>, RingsIn)> {
    let path = log.path();
    let birth = Birth { id: random_id(), boot_id: log.boot_id(), log_path: path, clock };
    let mut reasons = Vec::new();
    for &place in place::candidates(config.ring.dir) {
        let on_disk = place == RingPlace::Log;
        let made = RingFile::create(&place.path(path, birth.id), layout, &birth, on_disk).and_then(
            |file| match OwnNote::make(path, &file, place) {
                Ok(note) => Ok((file, note)),
                Err(error) => {
                    file.remove();
                    Err(error)
                }
            },
        );
        match made {
            Ok((file, note)) => {
                let rings_in = if on_disk { RingsIn::Log } else { RingsIn::Shm };
                return Ok((file, Some(note), rings_in));
            }
            Err(error) => {
                reasons.push(format!("{}: {error}", place.path(path, birth.id).display()));
            }
        }
    }
    if !reasons.is_empty() {
        say(&format!(
            "rings are in plain memory, so a crash may lose the last milliseconds: {}",
            reasons.join("; ")
        ));
    }
    let file = RingFile::in_memory(layout, &birth)
        .map_err(|error| Error::io(path, "taking memory for the rings", error))?;
    Ok((file, None, RingsIn::Memory))
}

/// Never 0, which is no ring file.
fn random_id() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    loop {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(u64::from(std::process::id()));
        hasher.write_i64(crate::clock::realtime_ns());
        let id = hasher.finish();
        if id != 0 {
            return id;
        }
    }
}

#[cfg(test)]
#[path = "logger_tests.rs"]
mod tests;
