//! The cores that a process shares: whoever opens the log of one path gets the same core.
//!
//! A forked child begins with none of its own: what it inherited opens a core there at its first
//! call, as every [`Logger`] does. So no lock that the parent may have held is ever taken there.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::config::{self, Config};
use crate::error::Result;
use crate::logger::Logger;
use crate::record::Context;
use crate::sys::era;

/// The most that is waited for a file at the end of the process.
const FILE_AT_END: Duration = Duration::from_secs(5);

/// What one opener has of a core. Everything may be called from any thread at once.
pub struct Shared {
    core: Arc<Open>,
    /// The records of this opener, unless they bring their own.
    identity: Context,
    context: u32,
    given_up: AtomicBool,
}

/// A core and how many have it.
struct Open {
    logger: Logger,
    path: PathBuf,
    users: AtomicUsize,
}

/// The cores of one era.
struct Generation {
    era: u64,
    open: Mutex<Vec<Arc<Open>>>,
    next: OnceLock<Box<Self>>,
}

impl Generation {
    fn new() -> Self {
        Self { era: era(), open: Mutex::default(), next: OnceLock::new() }
    }

    /// That of this process.
    fn here() -> &'static Self {
        static FIRST: OnceLock<Generation> = OnceLock::new();
        let mut generation = FIRST.get_or_init(Self::new);
        while generation.era != era() {
            generation = generation.next.get_or_init(|| Box::new(Self::new()));
        }
        generation
    }

    fn open(&self) -> MutexGuard<'_, Vec<Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Opens the log of a configuration, or joins those who have it open already: then identity and
    /// level are this opener's own, and everything else is as the first one had it.
    ///
    /// # Errors
    /// What [`Logger::with`] and [`Logger::context`] fail with.
    pub fn open(config: Config) -> Result<Self> {
        let path = config.log_path_of(std::process::id());
        let identity = config.context.clone();
        let mut open = Generation::here().open();
        let known = open.iter().find(|core| core.path == path).cloned();
        let core = if let Some(core) = known {
            core
        } else {
            let (logger, users) = (Logger::with(config)?, AtomicUsize::new(0));
            Arc::new(Open { logger, path, users })
        };
        let context = core.logger.add_context(&identity)?;
        if core.users.fetch_add(1, Ordering::Relaxed) == 0 {
            open.push(core.clone());
        }
        Ok(Self { core, identity, context, given_up: AtomicBool::new(false) })
    }
}

impl Shared {
    /// The id of the context of this opener's own configuration.
    #[must_use]
    pub fn own_context(&self) -> u32 {
        self.context
    }

    /// The id of the context that a JSON object describes (see [`crate::config::context`]); what it
    /// leaves out is as in this opener's own configuration.
    ///
    /// # Errors
    /// As [`Logger::context`].
    pub fn own_context_with(&self, json: &[u8]) -> Result<u32> {
        self.core.logger.add_context(&config::context(json, &self.identity)?)
    }

    /// What records of this opener have unless they bring their own.
    #[must_use]
    pub fn identity(&self) -> &Context {
        &self.identity
    }

    /// The log that was asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.core.path
    }

    /// Waits as [`Logger::close`] does where nobody else has the core, else as [`Logger::flush`].
    /// A second call does nothing.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        if self.given_up.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        if self.core.give_up() {
            self.core.logger.close(timeout)
        } else {
            self.core.logger.flush(timeout)
        }
    }

    /// Whether this opener has closed its part.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

impl Open {
    /// One user less; true where that was the last, and nobody can come to the core any more.
    fn give_up(&self) -> bool {
        let mut open = Generation::here().open();
        let last = self.users.fetch_sub(1, Ordering::Relaxed) == 1;
        if last {
            open.retain(|core| !std::ptr::eq(&raw const **core, self));
        }
        last
    }
}

impl Deref for Shared {
    type Target = Logger;

    fn deref(&self) -> &Logger {
        &self.core.logger
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.close(FILE_AT_END);
    }
}
