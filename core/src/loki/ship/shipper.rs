//! The thread that ships a process's log to Loki while it is written.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counting;
use super::engine::Step;
use super::offset_file::OffsetFile;
use super::pace::{Clock, SystemClock};
use super::runner::{Runner, target};
use crate::config::LokiConfig;
use crate::error::{Error, Result};
use crate::loki::wire::client::Client;
use crate::stats::Delivery;
use crate::worker::{Rest, Work, Worker};

/// How long a close waits where Loki has just failed: the thread may be about to end.
const LAST_WORD: Duration = Duration::from_millis(100);

/// A process's shipper.
pub(crate) struct Shipper {
    log: PathBuf,
    config: LokiConfig,
    shared: Arc<Shared>,
    thread: Worker<Shipping>,
}

/// What the thread and its process tell each other.
#[derive(Default)]
struct Shared {
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    /// Until when everything is to be shipped.
    finish_by: Option<Instant>,
    /// Of this process's logs; `None` where another process ships.
    delivery: Option<Delivery>,
    /// Why Loki's last answer was none.
    failure: Option<String>,
    /// The thread has ended, with everything shipped or not.
    ended: Option<bool>,
}

impl Shared {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, said: MutexGuard<'s, Said>, time: Duration) -> MutexGuard<'s, Said> {
        self.changed.wait_timeout(said, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Shipper {
    /// Starts the thread, with all signals blocked. `logs` says which logs this process writes to:
    /// a first one, and those that it went on in.
    pub(crate) fn start(
        log: &Path,
        config: &LokiConfig,
        logs: impl Fn() -> Vec<PathBuf> + Send + 'static,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let shipping = Shipping {
            shared: Arc::clone(&shared),
            config: config.clone(),
            logs: Box::new(logs),
            clock: SystemClock::new(),
            runners: Vec::new(),
        };
        let thread = Worker::start(shipping)
            .map_err(|error| Error::io(log, "starting the shipper", error))?;
        let (log, config) = (log.to_path_buf(), config.clone());
        Ok(Self { log, config, shared, thread })
    }

    /// Waits until everything that is in the file is shipped, at most until `deadline`, and not
    /// where Loki's last answer was a failure. Parked lines are not waited for. The thread is
    /// joined only when it has ended: it may hang in the kernel or wait for a name.
    ///
    /// # Errors
    /// [`Error::Timeout`] with what is left and why.
    pub(crate) fn close(&self, deadline: Instant) -> Result<()> {
        let mut said = self.shared.said();
        said.finish_by = Some(deadline);
        self.shared.changed.notify_all();
        let (began, mut counted) = (Instant::now(), None);
        while said.ended.is_none() {
            let last_word = began + LAST_WORD;
            let until = if said.failure.is_some() { deadline.min(last_word) } else { deadline };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            said = self.shared.wait(said, left.min(LAST_WORD));
            if said.ended.is_none() && counted.is_none() && Instant::now() < deadline {
                // The thread is in a request, and does not know what was written meanwhile.
                drop(said);
                counted = Some(counting::lines(&self.log, &target(&self.config)));
                said = self.shared.said();
            }
        }
        if let (None, Some(lines), Some(delivery)) =
            (said.ended, counted.flatten(), said.delivery.as_mut())
        {
            let unknown = lines.saturating_sub(delivery.lines);
            delivery.lines += unknown;
            delivery.pending += unknown;
        }
        let (ended, failure) = (said.ended, said.failure.clone());
        let pending = said.delivery.unwrap_or_default().pending;
        drop(said);
        if ended.is_some() {
            self.thread.join();
        }
        if ended == Some(true) {
            return Ok(());
        }
        let why = failure.unwrap_or_else(|| "there was not enough time".to_owned());
        let lines = if pending == 1 { "1 line is" } else { &*format!("{pending} lines are") };
        Err(Error::Timeout(format!(
            "{}: {lines} not in Loki yet ({}: {why}); what is missing stays in the file, for the \
             next program that opens this log or for lb push",
            self.log.display(),
            self.config.endpoint.shown()
        )))
    }

    /// Asks the thread to rest, which it does behind a request that is under way.
    pub(crate) fn ask_to_rest(&self) {
        self.thread.ask_to_rest();
        drop(self.shared.said());
        self.shared.changed.notify_all();
    }

    /// The thread.
    pub(crate) fn thread(&self) -> &Worker<Shipping> {
        &self.thread
    }

    /// The accounting of this process's log; from the offset file where another process ships.
    pub(crate) fn delivery(&self) -> Delivery {
        let told = self.shared.said().delivery;
        told.unwrap_or_else(|| OffsetFile::delivery(&self.log, &target(&self.config)))
    }
}

/// The thread at work.
pub(crate) struct Shipping {
    shared: Arc<Shared>,
    config: LokiConfig,
    logs: Box<dyn Fn() -> Vec<PathBuf> + Send>,
    clock: SystemClock,
    runners: Vec<Runner<Client>>,
}

impl Work for Shipping {
    const NAME: &'static str = "lb-log shipper";

    fn work(mut self, rest: &Rest) -> Option<Self> {
        let finished = loop {
            if rest.is_asked() {
                return Some(self);
            }
            let next = self.step();
            if let Some(finished) = self.is_over() {
                break finished;
            }
            if let Some(next) = next {
                let left = next.saturating_sub(self.clock.now().at);
                let said = self.shared.said();
                // Who closes, or asks to rest, has said so before it notified.
                let idle = said.finish_by.is_none() || self.is_asked_to_finish();
                if idle && !rest.is_asked() {
                    drop(self.shared.wait(said, left));
                }
            }
        };
        self.runners.iter_mut().for_each(Runner::leave);
        self.publish();
        // Locks and connections go before the last word: who waits for it may join at once.
        self.runners.clear();
        self.shared.said().ended = Some(finished);
        self.shared.changed.notify_all();
        None
    }
}

impl Shipping {
    fn is_asked_to_finish(&self) -> bool {
        self.runners.iter().all(Runner::is_finishing)
    }

    /// One step of each log; when the next is due, where there is nothing to do now.
    fn step(&mut self) -> Option<Duration> {
        for log in (self.logs)() {
            if !self.runners.iter().any(|runner| runner.log() == log) {
                self.runners.push(Runner::new(&log, &self.config, self.clock));
            }
        }
        let finish = self.shared.said().finish_by.is_some();
        let config = &self.config;
        let mut next = Some(Duration::MAX);
        for runner in &mut self.runners {
            if finish && !runner.is_finishing() {
                runner.finish();
            }
            match runner.step(&mut || Client::new(config)) {
                Step::Worked => next = None,
                Step::Idle(until) => next = next.map(|next| next.min(until)),
            }
        }
        self.publish();
        next
    }

    fn publish(&self) {
        let elected = self.runners.iter().filter_map(Runner::delivery);
        let delivery = elected.reduce(Delivery::plus);
        let failure = self.runners.iter().find_map(Runner::last_failure).map(str::to_owned);
        let mut said = self.shared.said();
        said.delivery = delivery;
        said.failure = failure;
    }

    /// Whether the thread ends, and whether with everything shipped.
    fn is_over(&self) -> Option<bool> {
        let deadline = self.shared.said().finish_by?;
        if !self.is_asked_to_finish() {
            return None;
        }
        if self.runners.iter().all(Runner::is_done) {
            return Some(true);
        }
        let failing = self.runners.iter().any(|runner| runner.last_failure().is_some());
        (failing || Instant::now() >= deadline).then_some(false)
    }
}

#[cfg(test)]
#[path = "shipper_tests.rs"]
mod tests;
