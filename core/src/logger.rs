//! A logger: what a program opens, logs through, and closes.
//!
//! Its core belongs to a process. A forked child opens one of its own at its first call, and
//! leaks its copy of the parent's: it never drains, unlocks, closes or removes what is the
//! parent's. The cores form a chain, one link for each fork on the way to this process.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::{self, Config};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::intake::Full;
pub use crate::intake::{BatchResult, Record, TagList};
use crate::record::Context;
use crate::stats::Stats;
use crate::sys::{era, era_mark};

/// How long a logger that is dropped without close waits for its file.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// An open logger. Everything may be called from any thread at once.
pub struct Logger {
    /// Where the current era stands, read at each call.
    mark: &'static AtomicU64,
    first: Link,
    closed: AtomicBool,
    config: Config,
    /// By which it ships, where that was asked for later.
    shipping: OnceLock<Box<Config>>,
}

/// The core of one process on the way from the one that opened the logger to this one.
struct Link {
    era: u64,
    /// Taken out only when dropped.
    core: Option<Core>,
    path: PathBuf,
    /// The core of a child.
    next: OnceLock<Box<Self>>,
    /// The era whose thread makes `next` now, else 0.
    maker: AtomicU64,
}

impl Link {
    fn new(config: &Config, contexts: &[Context]) -> Result<Self> {
        let era = era();
        let path = config.log_path_of(std::process::id());
        let core = Some(Core::open(config, &path, contexts)?);
        let (next, maker) = (OnceLock::new(), AtomicU64::new(0));
        Ok(Self { era, core, path, next, maker })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.era != era() {
            std::mem::forget(self.core.take());
        }
    }
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
        let first = Link::new(&config, std::slice::from_ref(&config.context))?;
        Ok(Self {
            mark: era_mark(),
            first,
            closed: AtomicBool::new(false),
            config,
            shipping: OnceLock::new(),
        })
    }

    /// The core of this process, where it has one.
    #[inline]
    fn existing(&self) -> Option<&Link> {
        let era = self.mark.load(Ordering::Acquire);
        let mut link = &self.first;
        while link.era != era {
            link = link.next.get()?;
        }
        Some(link)
    }

    /// While it lingers, a folder that somebody has deleted stays away.
    pub(crate) fn linger(&self, lingers: bool) {
        if let Some(Link { core: Some(core), .. }) = self.existing() {
            core.lingers.store(lingers, Ordering::Relaxed);
        }
    }

    /// The core of this process, which is opened now in a child that has none.
    #[inline(always)]
    #[allow(clippy::inline_always)] // On the way of each record.
    fn core(&self) -> Result<&Core> {
        let link = if self.first.era == self.mark.load(Ordering::Relaxed) {
            &self.first
        } else {
            self.link_of_child()?
        };
        match &link.core {
            Some(core) => Ok(core),
            None => Err(Error::Closed),
        }
    }

    #[cold]
    fn link_of_child(&self) -> Result<&Link> {
        let era = era();
        loop {
            if let Some(link) = self.existing() {
                return Ok(link);
            }
            if self.closed.load(Ordering::Relaxed) {
                return Err(Error::Closed);
            }
            let mut last = &self.first;
            while let Some(next) = last.next.get() {
                last = next;
            }
            // Not a lock: one that the parent held at the fork would never be released here.
            let before = last.maker.load(Ordering::Acquire);
            let claim =
                last.maker.compare_exchange(before, era, Ordering::AcqRel, Ordering::Relaxed);
            if before == era || claim.is_err() {
                std::thread::yield_now();
                continue;
            }
            let contexts = last.core.as_ref().map(Core::contexts).unwrap_or_default();
            let made = self.link(&contexts).map(|link| last.next.set(Box::new(link)));
            last.maker.store(0, Ordering::Release);
            made?.map_err(|_| Error::Closed)?;
        }
    }

    fn link(&self, contexts: &[Context]) -> Result<Link> {
        let link = Link::new(&self.config, contexts)?;
        if let (Some(core), Some(shipping)) = (&link.core, self.shipping.get()) {
            core.ship(shipping)?;
        }
        Ok(link)
    }

    /// Pushes the lines of this log to Loki from now on, as another configuration says; those that
    /// are in the file already, too. It holds in forked children. Where the log is shipped already,
    /// that goes on as it is; what differs from what is asked for comes back, a sentence each.
    ///
    /// # Errors
    /// [`Error::Config`] where it does not enable Loki, [`Error::Closed`] behind a close, and what
    /// [`Logger::with`] fails with.
    pub fn ship(&self, config: &Config) -> Result<Vec<String>> {
        if !config.loki.as_ref().is_some_and(|loki| loki.enabled) {
            return Err(Error::Config(
                "loki.enabled: false, so that nothing can be shipped".into(),
            ));
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(Error::Closed);
        }
        let already = self.config.loki.as_ref().is_some_and(|loki| loki.enabled);
        let first = if already {
            &self.config
        } else {
            self.shipping.get_or_init(|| Box::new(config.clone()))
        };
        self.core()?.ship(first)?;
        Ok(first.keeps(config, |key| key.block() == "loki"))
    }

    /// Logs one record. It is accepted when this returns `Ok`: from then on it is safe from a
    /// crash of the process (unless the rings are in plain memory).
    ///
    /// # Errors
    /// [`Error::Dropped`], [`Error::Rejected`] and [`Error::Nested`] are counted;
    /// [`Error::Closed`] is not, nor is what [`Logger::with`] fails with in a forked child.
    #[inline(always)]
    #[allow(clippy::inline_always)] // The way of each record.
    pub fn log<T: TagList>(&self, record: Record<'_, T>) -> Result<()> {
        self.core()?.intake.log(record, Full::Waits)
    }

    /// As [`Logger::log`], for callers who hold something that others need.
    ///
    /// # Errors
    /// [`Error::WouldWait`] where [`Logger::log`] may wait: for room in the ring, or for the core
    /// of a forked child. Then nothing has happened, and nothing was counted.
    #[inline(always)]
    #[allow(clippy::inline_always)] // The way of each record.
    pub fn try_log<T: TagList>(&self, record: Record<'_, T>) -> Result<()> {
        if self.first.era != self.mark.load(Ordering::Relaxed) && self.existing().is_none() {
            return Err(Error::WouldWait);
        }
        self.core()?.intake.log(record, Full::Asks)
    }

    /// Logs one record behind the end of the core, as at the exit of a program: the log is opened
    /// for it alone, and closed. Loki gets it from whoever opens the log next.
    ///
    /// # Errors
    /// As [`Logger::log`] and [`Logger::with`].
    pub fn log_late<T: TagList>(&self, record: Record<'_, T>) -> Result<()> {
        let contexts = self.existing().and_then(|link| link.core.as_ref()).map(Core::contexts);
        let mut config = self.config.clone();
        config.loki = None;
        // What Loki has is not known here.
        config.retention.backups = None;
        let link = Link::new(&config, &contexts.unwrap_or_default())?;
        let Some(core) = &link.core else { return Err(Error::Closed) };
        core.intake.log(record, Full::Waits)?;
        core.close(&link.path, DROP_TIMEOUT, Duration::ZERO)
    }

    /// Logs the entries of a batch, in order (see `frame.rs` for its form). An entry that cannot
    /// be understood is rejected and counted; the others are not touched.
    ///
    /// # Errors
    /// The first of what [`Logger::log`] fails with; [`Error::Argument`] for a batch that cannot
    /// be read to its end.
    pub fn push_batch(&self, batch: &[u8]) -> (BatchResult, Result<()>) {
        match self.core() {
            Ok(core) => core.intake.push_batch(batch),
            Err(error) => (BatchResult::default(), Err(error)),
        }
    }

    /// Counts a record as rejected, and makes the error that says why.
    pub fn reject(&self, why: String) -> Error {
        match self.core() {
            Ok(core) => core.intake.reject(why),
            Err(_) => Error::Rejected(why),
        }
    }

    /// Whether it was closed, by whoever.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// The configuration that was opened.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The id of a context given as JSON (see [`config::context`]); equal contexts have equal
    /// ids, also in forked children. One that breaks the schema is refused; its records can be
    /// offered with the id `u32::MAX`, which rejects and counts them.
    ///
    /// # Errors
    /// [`Error::Rejected`] with the reasons, [`Error::Limit`], [`Error::Closed`] in a child of a
    /// process that had closed the logger.
    pub fn context(&self, json: &[u8]) -> Result<u32> {
        self.add_context(&config::context(json, &self.config.context)?)
    }

    /// The id of a context that was checked.
    pub(crate) fn add_context(&self, context: &Context) -> Result<u32> {
        let Core { intake, .. } = self.core()?;
        intake.contexts.add(context, intake.rings.file(), self.config.max_record_bytes)
    }

    /// The context that has an id, if one has. In a child that has no core yet: as its parent had it.
    #[must_use]
    pub fn context_of(&self, id: u32) -> Option<Context> {
        let mut link = self.existing();
        if link.is_none() {
            link = std::iter::successors(Some(&self.first), |link| {
                link.next.get().map(|next| &**next)
            })
            .last();
        }
        let contexts = link?.core.as_ref()?.contexts();
        contexts.into_iter().nth(id as usize)
    }

    /// Ends the threads of this process's core for a while, as before a fork, at most until
    /// `deadline`; a thread that is in a request or in the kernel goes on. Records may be offered
    /// meanwhile.
    pub fn rest(&self, deadline: Instant) {
        if let Some(Link { core: Some(core), .. }) = self.existing() {
            core.rest(deadline);
        }
    }

    /// Lets the threads go on.
    ///
    /// # Errors
    /// [`Error::Io`] where none can be started.
    pub fn go_on(&self) -> Result<()> {
        match self.existing() {
            Some(Link { core: Some(core), path, .. }) => {
                core.go_on().map_err(|error| Error::io(path, "starting the threads again", error))
            }
            _ => Ok(()),
        }
    }

    /// Waits until everything that was accepted before the call is in the kernel.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        match self.existing() {
            Some(Link { core: Some(core), path, .. }) => core.flush(path, timeout),
            _ => Ok(()),
        }
    }

    /// One consistent snapshot.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match self.existing() {
            Some(Link { core: Some(core), .. }) => core.stats(),
            _ => Stats::default(),
        }
    }

    /// Refuses further records and waits until all accepted ones are in the file, at most
    /// `timeout`. What is left then stays in the rings for the next one. A second call waits
    /// again for what the first could not finish.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        self.end(timeout, timeout)
    }

    /// As [`Logger::close`], but waits for Loki at most `for_loki` of that time.
    ///
    /// # Errors
    /// As [`Logger::close`].
    pub fn end(&self, timeout: Duration, for_loki: Duration) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        match self.existing() {
            Some(Link { core: Some(core), path, .. }) => core.close(path, timeout, for_loki),
            _ => Ok(()),
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
