//! The cores that a process shares: whoever opens the log of one path gets the same core.
//!
//! A core ends with its last user. One that was released lingers for the next opener first, ended by
//! a thread that exists only as long as one does.
//!
//! A forked child begins with none of its own: what it inherited opens a core there at its first
//! call, as every [`Logger`] does. So no lock that the parent may have held is ever taken there.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::{self, Config, Key};
use crate::error::{Error, Result};
use crate::logger::{Logger, Record, TagList};
use crate::notice::say;
use crate::record::Context;
use crate::sys::era;
use crate::worker::{Rest, Work, Worker};

/// The most that a lingering core waits for file and Loki when it ends, and that is waited for the
/// files at the end of the process.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long the core of somebody who forgot to close it lingers.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// What one opener has of a core. Everything may be called from any thread at once.
pub struct Shared {
    core: Arc<Open>,
    /// What records of this opener have unless they bring their own.
    identity: Context,
    context: u32,
    given_up: AtomicBool,
}

/// A core, and who has it.
struct Open {
    logger: Logger,
    path: PathBuf,
    /// Changed only by who holds the list of cores.
    users: AtomicUsize,
    about: Mutex<About>,
}

#[derive(Default)]
struct About {
    /// (component, host, run) of all who have opened it.
    identities: BTreeSet<[String; 3]>,
    /// What was said of it.
    said: BTreeSet<String>,
    /// Without users, until when it waits for one.
    lingers_until: Option<Instant>,
}

/// The cores of one era.
struct Generation {
    era: u64,
    cores: Mutex<Cores>,
    changed: Condvar,
    next: OnceLock<Box<Self>>,
}

#[derive(Default)]
struct Cores {
    open: Vec<Arc<Open>>,
    /// Ends those that have lingered.
    attendant: Option<Arc<Worker<Attendant>>>,
    /// The attendant is at work, or rests.
    attended: bool,
}

impl Generation {
    fn new() -> Self {
        let (cores, changed) = (Mutex::default(), Condvar::new());
        Self { era: era(), cores, changed, next: OnceLock::new() }
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

    fn cores(&self) -> MutexGuard<'_, Cores> {
        self.cores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a core without users wait for one.
    fn linger(&'static self, mut cores: MutexGuard<'_, Cores>, core: &Arc<Open>, time: Duration) {
        core.about().lingers_until = Some(Instant::now() + time);
        core.logger.linger(true);
        if !cores.open.iter().any(|known| Arc::ptr_eq(known, core)) {
            // Inherited by a forked child.
            cores.open.push(core.clone());
        }
        if cores.attended {
            self.changed.notify_all();
            return;
        }
        let attendant = Worker::start(Attendant { generation: self });
        cores.attended = attendant.is_ok();
        cores.attendant = attendant.ok().map(Arc::new);
    }

    /// The list of cores, unless somebody keeps it for longer.
    fn cores_by(&self, deadline: Instant) -> Option<MutexGuard<'_, Cores>> {
        loop {
            match self.cores.try_lock() {
                Ok(cores) => return Some(cores),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return None,
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_micros(50)),
            }
        }
    }
}

/// The thread that ends what has lingered; over when nothing does any more.
struct Attendant {
    generation: &'static Generation,
}

impl Work for Attendant {
    const NAME: &'static str = "lb-log linger";

    fn work(self, rest: &Rest) -> Option<Self> {
        let Generation { changed, .. } = self.generation;
        let mut cores = self.generation.cores();
        loop {
            if rest.is_asked() {
                return Some(self);
            }
            let lingering = |core: &Arc<Open>| core.about().lingers_until;
            let Some(next) = cores.open.iter().filter_map(lingering).min() else {
                cores.attended = false;
                return None;
            };
            let left = next.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                let waited = changed.wait_timeout(cores, left);
                cores = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let over =
                cores.open.extract_if(.., |core| lingering(core).is_some_and(|at| at <= next));
            let over: Vec<_> = over.collect();
            drop(cores);
            for core in over {
                if let Err(error) = core.logger.close(LAST_WAIT) {
                    say(&error.to_string());
                }
            }
            cores = self.generation.cores();
        }
    }
}

impl Open {
    fn about(&self) -> MutexGuard<'_, About> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more opener, who may ask for something else than the first.
    fn join(&self, config: &Config) -> Result<()> {
        self.say_kept(&self.logger.config().keeps(config, concerns_the_log));
        let ships = config.loki.as_ref().is_some_and(|loki| loki.enabled);
        if ships { self.ship(config) } else { Ok(()) }
    }

    fn ship(&self, config: &Config) -> Result<()> {
        self.say_kept(&self.logger.ship(config)?);
        Ok(())
    }

    /// Says what stays as it was, each once.
    fn say_kept(&self, kept: &[String]) {
        for kept in kept {
            let text = format!("{}: is open already: {kept}", self.path.display());
            if self.about().said.insert(text.clone()) {
                say(&text);
            }
        }
    }
}

/// Whether a setting is the log's, and not one opener's own.
fn concerns_the_log(key: &Key) -> bool {
    const OWN: [&str; 7] =
        ["component", "host", "run_id", "workload", "repetition", "scenario", "phase"];
    let elsewhere = ["output_dir", "jsonl.log_path"].contains(&key.name);
    ["", "jsonl"].contains(&key.block()) && !OWN.contains(&key.name) && !elsewhere
}

impl Shared {
    /// Opens the log of a configuration, or joins those who have it open already. Then identity is
    /// this opener's own, and everything else is as the first one had it, which is said once; what
    /// is shipped to Loki is shipped from now on where this one is the first to enable it.
    ///
    /// # Errors
    /// What [`Logger::with`] and [`Logger::context`] fail with.
    pub fn open(config: Config) -> Result<Self> {
        let path = config.log_path_of(std::process::id());
        let identity = config.context.clone();
        let mut cores = Generation::here().cores();
        let known = cores.open.iter().find(|core| core.path == path).cloned();
        let core = if let Some(core) = known {
            core.join(&config)?;
            core
        } else {
            let (users, about) = (AtomicUsize::new(0), Mutex::default());
            Arc::new(Open { logger: Logger::with(config)?, path, users, about })
        };
        let context = core.logger.add_context(&identity)?;
        Ok(cores.admit(core, identity, context))
    }

    /// The open cores that were opened with these: `None` stands for any.
    #[must_use]
    pub fn opened(component: Option<&str>, host: Option<&str>, run_id: Option<&str>) -> Vec<Self> {
        let asked = [component, host, run_id];
        let fits = |identity: &[String; 3]| {
            identity.iter().zip(asked).all(|(has, asked)| asked.is_none_or(|asked| asked == has))
        };
        let mut cores = Generation::here().cores();
        let fitting = cores.open.iter().filter(|core| core.about().identities.iter().any(fits));
        let fitting: Vec<_> = fitting.cloned().collect();
        fitting
            .into_iter()
            .map(|core| {
                let identity = core.logger.config().context.clone();
                cores.admit(core, identity, 0)
            })
            .collect()
    }

    /// Ends all cores of the process at its end, all at the same time: their files get 5 seconds,
    /// and Loki `for_loki`.
    ///
    /// # Errors
    /// The first of what [`Logger::close`] fails with.
    pub fn end_all(for_loki: Duration) -> Result<()> {
        let open = std::mem::take(&mut Generation::here().cores().open);
        thread::scope(|scope| {
            let end = |core: &Arc<Open>| core.logger.end(LAST_WAIT, for_loki);
            let ends = open.iter().map(|core| scope.spawn(move || end(core)));
            let ends: Vec<_> = ends.collect();
            let ended = ends.into_iter().map(|end| end.join().unwrap_or(Ok(())));
            ended.fold(Ok(()), Result::and)
        })
    }

    /// As [`Logger::log`]; where [`Shared::end_all`] has ended the core, as [`Logger::log_late`].
    ///
    /// # Errors
    /// As these.
    pub fn log<T: TagList>(&self, record: Record<'_, T>) -> Result<()> {
        match self.core.logger.log(record) {
            Err(Error::Closed) if !self.is_closed() => self.core.logger.log_late(record),
            logged => logged,
        }
    }

    /// As [`Logger::ship`]; what stays otherwise than is asked for is said, once.
    ///
    /// # Errors
    /// As [`Logger::ship`].
    pub fn ship(&self, config: &Config) -> Result<()> {
        self.core.ship(config)
    }

    /// Ends all threads of ours for a while, before a fork: at most until `deadline`, and none that
    /// is in a request or in the kernel. Records may be offered meanwhile; [`Shared::go_on_all`]
    /// follows.
    pub fn rest_all(deadline: Instant) {
        let here = Generation::here();
        let Some(cores) = here.cores_by(deadline) else { return };
        let (open, attendant) = (cores.open.clone(), cores.attendant.clone());
        drop(cores);
        if let Some(attendant) = attendant {
            attendant.ask_to_rest();
            here.changed.notify_all();
            attendant.is_gone_by(deadline);
        }
        for core in open {
            core.logger.rest(deadline);
        }
    }

    /// Lets all threads go on, in the process that has forked.
    pub fn go_on_all() {
        let cores = Generation::here().cores();
        let attendant = cores.attendant.as_ref().map_or(Ok(()), |attendant| attendant.go_on());
        if let Err(error) = attendant {
            say(&format!("no thread ends the logs that nobody has open any more: {error}"));
        }
        for core in &cores.open {
            if let Err(error) = core.logger.go_on() {
                say(&error.to_string());
            }
        }
    }

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

    /// Whether this opener has closed or released its part.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Gives up this part. Waits as [`Logger::close`] does where nobody else has the core, else as
    /// [`Logger::flush`]. A second call does nothing.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub fn close(&self, timeout: Duration) -> Result<()> {
        if self.given_up.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let mut cores = Generation::here().cores();
        if self.core.users.fetch_sub(1, Ordering::Relaxed) > 1 {
            drop(cores);
            return self.core.logger.flush(timeout);
        }
        cores.open.retain(|core| !Arc::ptr_eq(core, &self.core));
        drop(cores);
        self.core.logger.close(timeout)
    }

    /// Gives up this part. Waits as [`Logger::flush`] does; where nobody else has the core, it
    /// lingers so long for the next one who opens the log, and then ends by itself. A second call
    /// does nothing.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub fn release(&self, linger: Duration, timeout: Duration) -> Result<()> {
        if self.given_up.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let flushed = self.core.logger.flush(timeout);
        self.leave(linger);
        flushed
    }

    fn leave(&self, linger: Duration) {
        let here = Generation::here();
        let cores = here.cores();
        if self.core.users.fetch_sub(1, Ordering::Relaxed) == 1 && !self.core.logger.is_closed() {
            here.linger(cores, &self.core, linger);
        }
    }
}

impl Cores {
    fn admit(&mut self, core: Arc<Open>, identity: Context, context: u32) -> Shared {
        if !self.open.iter().any(|known| Arc::ptr_eq(known, &core)) {
            self.open.push(core.clone());
        }
        core.users.fetch_add(1, Ordering::Relaxed);
        let mut about = core.about();
        about.lingers_until = None;
        core.logger.linger(false);
        let Context { component, host, run_id, .. } = identity.clone();
        about.identities.insert([component, host, run_id]);
        drop(about);
        Shared { core, identity, context, given_up: AtomicBool::new(false) }
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
        if !self.given_up.swap(true, Ordering::Relaxed) {
            self.leave(FORGOTTEN);
        }
    }
}

#[cfg(all(test, not(lb_loom), not(miri)))]
#[path = "shared_tests.rs"]
mod tests;
