//! One log of a process: waits until it is elected, then ships.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::election::{Candidate, elected, is_leaving};
use super::engine::{Engine, Rules, Step};
use super::mend::Lost;
use super::offset::Target;
use super::pace::{Clock, SystemClock};
use super::plan::{Backoff, LONGEST_PAUSE};
use crate::config::LokiConfig;
use crate::error::Error;
use crate::loki::wire::sink::Sink;
use crate::names;
use crate::notice::{Trouble, say};
use crate::stats::Delivery;

/// How often one who is not elected tries again.
const STAND_INTERVAL: Duration = Duration::from_millis(500);

/// The same for one who ends while the elected one is about to, and for how long.
const FAREWELL_INTERVAL: Duration = Duration::from_millis(10);
const FAREWELL: Duration = Duration::from_secs(1);

/// What is kept of a configuration with a log's offset.
pub(crate) fn target(config: &LokiConfig) -> Target {
    Target {
        endpoint: config.endpoint.shown(),
        tenant: config.access.tenant.clone(),
        min_level: config.min_level.name().to_owned(),
    }
}

fn rules(config: &LokiConfig) -> Rules {
    Rules {
        min_level: config.min_level,
        batch_lines: config.batch_lines.unwrap_or(usize::MAX),
        flush_interval: config.flush_interval,
        backoff: Backoff {
            base: config.backoff_base,
            factor: config.backoff_factor,
            max_retries: config.max_retries,
        },
        seed: RandomState::new().build_hasher().finish(),
    }
}

/// One log, shipped by this process or by another.
pub(crate) struct Runner<S> {
    log: PathBuf,
    config: LokiConfig,
    clock: SystemClock,
    candidate: Candidate,
    engine: Option<Engine<S>>,
    next_stand: Duration,
    trouble: Trouble,
    /// Why it cannot be shipped at all.
    failure: Option<String>,
    /// That another ships it otherwise was said.
    compared: bool,
    from_start: bool,
    lost: Vec<Lost>,
    /// Since when nothing waits for more lines.
    finishing: Option<Duration>,
    /// Others know that this one is about to end.
    leaving: bool,
}

impl<S: Sink> Runner<S> {
    pub(crate) fn new(log: &Path, config: &LokiConfig, clock: SystemClock) -> Self {
        Self {
            log: log.to_path_buf(),
            candidate: Candidate::new(log, &target(config)),
            config: config.clone(),
            clock,
            engine: None,
            next_stand: Duration::ZERO,
            trouble: Trouble::default(),
            failure: None,
            compared: false,
            from_start: false,
            lost: Vec::new(),
            finishing: None,
            leaving: false,
        }
    }

    /// Everything is looked up, and sent where it is missing.
    pub(crate) fn begin_anew(&mut self) {
        self.from_start = true;
    }

    /// These lines are sent again, though they were acknowledged.
    pub(crate) fn reopen(&mut self, lost: Vec<Lost>) {
        self.lost = lost;
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Does the next thing. `connect` makes a sink for the one that is elected.
    pub(crate) fn step(&mut self, connect: &mut impl FnMut() -> Result<S, String>) -> Step {
        let now = self.clock.now().at;
        // Before each push, too: two must never send the same lines.
        let ousted = self.engine.is_some() && !self.candidate.is_elected();
        if ousted || now >= self.next_stand {
            self.next_stand = now + STAND_INTERVAL;
            match self.stand(connect) {
                Ok(()) => {
                    let log = self.log.display();
                    self.trouble.ends(|| format!("{log}: can be shipped to Loki now"));
                    self.failure = None;
                }
                Err((why, pause)) => {
                    self.next_stand = now + pause;
                    let log = self.log.display();
                    self.trouble.begins(|| format!("{log}: cannot be shipped to Loki: {why}"));
                    self.failure = Some(why);
                }
            }
        }
        let Some(engine) = &mut self.engine else { return Step::Idle(self.next_stand) };
        let step = engine.step();
        self.candidate.tell(engine.last_failure());
        if engine.is_done() && self.finishing.is_some() && !self.leaving {
            self.take_leave();
            return Step::Worked;
        }
        match step {
            Step::Idle(until) => Step::Idle(until.min(self.next_stand)),
            Step::Worked => Step::Worked,
        }
    }

    /// Everything is dealt with: the last look is behind the moment when others know of the end.
    fn take_leave(&mut self) {
        self.leaving = true;
        if let Err(error) = self.candidate.take_leave() {
            say(&format!("{}: the lock of who ships it: {error}", self.log.display()));
        }
        self.engine.iter_mut().for_each(Engine::finish);
    }

    fn stand(
        &mut self,
        connect: &mut impl FnMut() -> Result<S, String>,
    ) -> Result<(), (String, Duration)> {
        let lock = |error: io::Error| {
            let path = names::shipper_lock(&self.log);
            (Error::io(&path, "locking it", error).to_string(), LONGEST_PAUSE)
        };
        if !self.candidate.stand().map_err(lock)? {
            self.engine = None;
            self.compare();
            if self.finishing.is_some() {
                self.next_stand = self.clock.now().at + FAREWELL_INTERVAL;
            }
        } else if self.engine.is_none() {
            let sink = connect().map_err(|why| (why, LONGEST_PAUSE))?;
            let labels = (!self.config.labels.is_empty()).then_some(&self.config.labels);
            let mut engine = Engine::open(
                &self.log,
                &target(&self.config),
                labels,
                std::mem::take(&mut self.from_start),
                rules(&self.config),
                sink,
                Box::new(self.clock),
            );
            if !self.lost.is_empty() {
                engine.reopen(std::mem::take(&mut self.lost));
            }
            if self.finishing.is_some() {
                engine.finish();
            }
            self.engine = Some(engine);
        }
        Ok(())
    }

    /// Says once where another's configuration holds and is not ours.
    fn compare(&mut self) {
        let Some(card) = elected(&self.log).filter(|_| !self.compared) else { return };
        self.compared = true;
        let ours = target(&self.config);
        if card.target != ours {
            let shown = |target: &Target| {
                let tenant = target.tenant.as_deref().unwrap_or("none");
                format!("{}, tenant {tenant}, from {} up", target.endpoint, target.min_level)
            };
            say(&format!(
                "{}: process {} ships it ({}); the Loki of this process ({}) has no effect",
                self.log.display(),
                card.pid,
                shown(&card.target),
                shown(&ours)
            ));
        }
    }

    pub(crate) fn is_finishing(&self) -> bool {
        self.finishing.is_some()
    }

    /// From now on nothing waits for more lines.
    pub(crate) fn finish(&mut self) {
        let now = self.clock.now().at;
        self.finishing.get_or_insert(now);
        if self.is_idle() {
            // Whoever shipped until now may have ended.
            self.next_stand = now;
        }
        self.engine.iter_mut().for_each(Engine::finish);
    }

    pub(crate) fn delivery(&self) -> Option<Delivery> {
        self.engine.as_ref().map(Engine::delivery)
    }

    /// Whether another is elected.
    pub(crate) fn is_idle(&self) -> bool {
        self.engine.is_none() && self.failure.is_none()
    }

    /// The process that is elected, where it can be told.
    pub(crate) fn other(&self) -> Option<u32> {
        elected(&self.log).map(|card| card.pid)
    }

    /// Whether nothing is left to do for this process; what another ships is its business, unless
    /// that one is about to end.
    pub(crate) fn is_done(&self) -> bool {
        let Some(engine) = &self.engine else { return self.is_idle() && !self.may_inherit() };
        engine.is_done() && self.leaving
    }

    /// Whether this process is to wait for the lock of one who is about to end.
    fn may_inherit(&self) -> bool {
        let until = self.finishing.map_or(Duration::ZERO, |began| began + FAREWELL);
        self.clock.now().at < until && is_leaving(&self.log)
    }

    /// Whether it waits until somebody mends something.
    pub(crate) fn is_held(&self) -> bool {
        self.failure.is_some() || self.engine.as_ref().is_some_and(Engine::is_held)
    }

    /// Why Loki does not take the lines now, or why nobody can be asked.
    pub(crate) fn last_failure(&self) -> Option<&str> {
        let failure = self.engine.as_ref().and_then(Engine::last_failure);
        failure.or(self.failure.as_deref())
    }

    /// Leaves everything so that the next one can go on.
    pub(crate) fn leave(&mut self) {
        self.engine.iter_mut().for_each(Engine::leave);
    }
}
