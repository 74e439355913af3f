//! The way in: from a call to a frame in the calling thread's ring.
//!
//! In the steady state nothing here allocates, takes a lock or makes a system call, and all of it
//! is one straight line of code: what it calls must not become calls, and what the slow ways need is
//! handed on to them by value, so that on the straight way it stays in registers.
#![allow(clippy::inline_always, clippy::needless_pass_by_value)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::config::{Config, OnFull};
use crate::contexts::{Contexts, INVALID};
use crate::error::{Error, Result};
use crate::frame::{
    Entry, FLAG_GIVEN_TIME, FLAG_TRUNCATED, FRAME_HEADER, Head, Next, Tags, check, cut, frame_size,
    next_entry, tag_size, write_header, write_tag,
};
use crate::record::{Level, TagValue};
use crate::ring::{Counter, Fill, Refused, Rings};
use crate::writer::Signals;

/// A record as a caller has it. Everything is borrowed for the call.
#[derive(Clone, Copy)]
pub struct Record<'a, T> {
    /// Id of the context, 0 for the logger's own.
    pub context: u32,
    /// Severity.
    pub level: Level,
    /// Nanoseconds since 1970; `None` for now.
    pub timestamp_ns: Option<i64>,
    /// Any bytes.
    pub message: &'a [u8],
    /// Tags; of equal keys the last wins.
    pub tags: T,
}

/// Tags as a caller has them: a reference to them, cheap to copy.
pub trait TagList: Copy {
    /// Calls `each` with every tag, in order, until it says false.
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool);
}

impl TagList for &[(&[u8], TagValue<'_>)] {
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        for (key, value) in *self {
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

/// What a caller does at a full ring, where the configuration lets it wait.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Full {
    /// It waits.
    Waits,
    /// It wants to be told before anything happens.
    Asks,
}

/// What callers need of an open logger. Everything may be called from any thread at once.
pub(crate) struct Intake {
    pub(crate) rings: Arc<Rings>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) contexts: Contexts,
    clock: Clock,
    min_level: Level,
    on_full: OnFull,
    full_timeout: Duration,
    max_record_bytes: usize,
    /// Most bytes of a frame: a quarter of a ring.
    max_frame: usize,
    checked: bool,
    /// 1 + the writer's append count when a caller last waited in vain.
    stalled_at: AtomicU64,
}

impl Intake {
    pub(crate) fn new(
        rings: Arc<Rings>,
        signals: Arc<Signals>,
        contexts: Contexts,
        clock: Clock,
        config: &Config,
    ) -> Self {
        let quarter = rings.file().layout().ring_bytes() / 4;
        Self {
            clock,
            min_level: config.min_level,
            on_full: config.ring.on_full,
            full_timeout: config.ring.full_timeout,
            max_record_bytes: config.max_record_bytes,
            max_frame: usize::try_from(quarter).unwrap_or(usize::MAX) & !7,
            checked: rings.file().checked(),
            stalled_at: AtomicU64::new(0),
            rings,
            signals,
            contexts,
        }
    }

    /// Logs one record. It is accepted when this returns `Ok`: from then on it is safe from a
    /// crash of the process (unless the rings are in plain memory).
    ///
    /// # Errors
    /// [`Error::Dropped`], [`Error::Rejected`] and [`Error::Nested`] are counted;
    /// [`Error::Closed`] is not. [`Error::WouldWait`], only with [`Full::Asks`]: nothing has happened.
    #[inline(always)]
    pub(crate) fn log<T: TagList>(&self, record: Record<'_, T>, full: Full) -> Result<()> {
        if record.level < self.min_level {
            return Ok(());
        }
        if self.contexts.is_stored(record.context) {
            return self.log_with(record, &[], full);
        }
        self.log_inlined(record, full)
    }

    #[cold]
    #[inline(never)]
    fn log_inlined<T: TagList>(&self, record: Record<'_, T>, full: Full) -> Result<()> {
        match self.contexts.inlined(record.context) {
            Some(context) => self.log_with(record, context, full),
            None => Err(self.reject(unknown_context(record.context))),
        }
    }

    #[inline(always)]
    fn log_with<T: TagList>(
        &self,
        record: Record<'_, T>,
        inlined: &[u8],
        full: Full,
    ) -> Result<()> {
        let mut tags_len = 0;
        record.tags.visit(&mut |key, value| {
            tags_len += tag_size(key, value);
            true
        });
        self.offer(Draft {
            head: self.head(record.context, record.level, record.timestamp_ns),
            message: record.message,
            tags_len,
            tags: Given(record.tags),
            inlined,
            checked: self.checked,
            full,
        })
    }

    /// A record that is too large for a frame, made smaller. Allocates; such records are rare.
    #[cold]
    #[inline(never)]
    fn offer_cut<T: TagBytes>(&self, frame: Draft<'_, T>) -> Result<()> {
        let mut tags = vec![0; frame.tags_len];
        frame.tags.write(&mut tags);
        let fixed = frame_size(0, 0, frame.inlined.len()) + 8;
        let limit = self.max_frame.saturating_sub(fixed).min(self.max_record_bytes);
        let small = cut(frame.message, Tags::new(&tags), limit);
        let head = Head { flags: frame.head.flags | FLAG_TRUNCATED, ..frame.head };
        self.push(Draft {
            head,
            message: small.message,
            tags_len: small.tags.len(),
            tags: Encoded(&small.tags),
            inlined: frame.inlined,
            checked: self.checked,
            full: frame.full,
        })
    }

    #[inline]
    fn head(&self, context: u32, level: Level, timestamp_ns: Option<i64>) -> Head {
        match timestamp_ns {
            None => Head { stamp: self.clock.stamp(), context, level, flags: 0 },
            Some(ns) => Head { stamp: ns.cast_unsigned(), context, level, flags: FLAG_GIVEN_TIME },
        }
    }

    /// Pushes a frame, cut where it is too large.
    #[inline(always)]
    fn offer<T: TagBytes>(&self, frame: Draft<'_, T>) -> Result<()> {
        if frame.size() > self.max_frame || frame.message.len() > self.max_record_bytes {
            return self.offer_cut(frame);
        }
        self.push(frame)
    }

    /// Pushes a frame, waiting for room where the configuration says so.
    #[inline(always)]
    fn push<T: TagBytes>(&self, frame: Draft<'_, T>) -> Result<()> {
        match self.rings.push_again(&frame) {
            Some(half_full) => {
                self.pushed(half_full);
                Ok(())
            }
            None => self.push_slowly(frame),
        }
    }

    #[inline]
    fn pushed(&self, half_full: bool) {
        if half_full {
            self.signals.wake();
        }
    }

    #[cold]
    #[inline(never)]
    fn push_slowly<T: TagBytes>(&self, frame: Draft<'_, T>) -> Result<()> {
        let mut pushed = self.rings.push(&frame);
        if pushed == Err(Refused::Full) && self.may_wait() {
            if frame.full == Full::Asks {
                return Err(Error::WouldWait);
            }
            pushed = self.push_when_there_is_room(&frame);
        }
        match pushed {
            Ok(half_full) => {
                self.pushed(half_full);
                Ok(())
            }
            Err(Refused::Closed) => Err(Error::Closed),
            Err(Refused::Nested) => {
                self.count(Counter::Rejected, 1);
                Err(Error::Nested)
            }
            Err(Refused::Full) => {
                self.signals.wake();
                self.count(Counter::Dropped, 1);
                Err(Error::Dropped)
            }
        }
    }

    /// Whether a caller may wait for room: not where others have waited in vain since the writer
    /// last moved.
    fn may_wait(&self) -> bool {
        let stalled = self.stalled_at.load(Ordering::Relaxed) == self.signals.appends() + 1;
        self.on_full == OnFull::Wait && !stalled
    }

    fn push_when_there_is_room(&self, frame: &impl Fill) -> std::result::Result<bool, Refused> {
        let deadline = Instant::now() + self.full_timeout;
        let mut pause = Duration::from_micros(20);
        while Instant::now() < deadline {
            self.signals.wake();
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
            let pushed = self.rings.push(frame);
            if pushed != Err(Refused::Full) {
                return pushed;
            }
        }
        self.stalled_at.store(self.signals.appends() + 1, Ordering::Relaxed);
        Err(Refused::Full)
    }

    /// Logs the entries of a batch, in order (see `frame.rs` for its form). An entry that cannot
    /// be understood is rejected and counted; the others are not touched.
    pub(crate) fn push_batch(&self, batch: &[u8]) -> (BatchResult, Result<()>) {
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
                Err(Error::Closed) => return (result, Err(Error::Closed)),
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

    fn push_entry(&self, entry: &Entry<'_>) -> Result<()> {
        if entry.level < self.min_level {
            return Ok(());
        }
        if self.contexts.is_stored(entry.context) {
            return self.push_entry_with(entry, &[]);
        }
        match self.contexts.inlined(entry.context) {
            Some(context) => self.push_entry_with(entry, context),
            None => Err(self.reject(unknown_context(entry.context))),
        }
    }

    #[inline]
    fn push_entry_with(&self, entry: &Entry<'_>, inlined: &[u8]) -> Result<()> {
        let head = self.head(entry.context, entry.level, entry.timestamp_ns);
        self.offer(Draft {
            head,
            message: entry.message,
            tags_len: entry.tags.len(),
            tags: Encoded(entry.tags),
            inlined,
            checked: self.checked,
            full: Full::Waits,
        })
    }

    /// Counts a record as rejected, and says why.
    #[cold]
    pub(crate) fn reject(&self, why: String) -> Error {
        self.count(Counter::Rejected, 1);
        Error::Rejected(why)
    }

    fn count(&self, counter: Counter, by: u64) {
        self.rings.file().count(counter, by);
    }
}

/// Tags on their way into a frame.
trait TagBytes {
    /// Writes them over all of `out`.
    fn write(&self, out: &mut [u8]);
}

/// Tags that a caller gave.
struct Given<T>(T);

impl<T: TagList> TagBytes for Given<T> {
    #[inline]
    fn write(&self, mut out: &mut [u8]) {
        self.0.visit(&mut |key, value| {
            match write_tag(std::mem::take(&mut out), key, value) {
                Some(rest) => out = rest,
                None => return false,
            }
            true
        });
    }
}

/// Tags that are encoded already.
struct Encoded<'a>(&'a [u8]);

impl TagBytes for Encoded<'_> {
    #[inline]
    fn write(&self, out: &mut [u8]) {
        out.copy_from_slice(self.0);
    }
}

/// A frame before it is in a ring.
struct Draft<'a, T> {
    head: Head,
    message: &'a [u8],
    tags_len: usize,
    tags: T,
    /// The context's JSON where the ring file does not hold it, else nothing.
    inlined: &'a [u8],
    checked: bool,
    full: Full,
}

impl<T: TagBytes> Fill for Draft<'_, T> {
    #[inline(always)]
    fn size(&self) -> usize {
        frame_size(self.message.len(), self.tags_len, self.inlined.len())
    }

    #[inline(always)]
    // A frame is at most a quarter of a ring, and a ring at most 1 GiB; a context at most 16 KiB.
    #[allow(clippy::cast_possible_truncation)]
    fn fill(&self, out: &mut [u8]) {
        let size = out.len() as u32;
        if let Some((header, body)) = out.split_first_chunk_mut::<FRAME_HEADER>() {
            let (message_len, tags_len) = (self.message.len() as u32, self.tags_len as u32);
            let inline_len = self.inlined.len() as u16;
            write_header(header, size, self.head, message_len, tags_len, inline_len);
            let (message, rest) = body.split_at_mut(self.message.len());
            message.copy_from_slice(self.message);
            if self.tags_len + self.inlined.len() > 0 {
                let (tags, rest) = rest.split_at_mut(self.tags_len);
                self.tags.write(tags);
                rest[..self.inlined.len()].copy_from_slice(self.inlined);
            }
        }
        if self.checked {
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
