//! When the next try is due, and what a person is told of failures.

use std::time::{Duration, Instant};

use super::plan::{Backoff, LATE, LONGEST_PAUSE};
use crate::clock::realtime_ns;
use crate::notice::Trouble;

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Moment {
    /// Since some moment before; never runs backwards.
    pub(crate) at: Duration,
    /// Nanoseconds since 1970.
    pub(crate) ns: i64,
}

/// Where moments come from.
pub(crate) trait Clock: Send {
    fn now(&self) -> Moment;
}

/// The clocks of the system.
#[derive(Clone, Copy)]
pub(crate) struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { at: self.origin.elapsed(), ns: realtime_ns() }
    }
}

/// How Loki has answered lately, and until when to wait for it.
pub(crate) struct Pace {
    backoff: Backoff,
    failures: u64,
    wait_until: Option<Duration>,
    in_hold: bool,
    /// Until then Loki may store what it was sent and has not answered to.
    busy_until: Option<Duration>,
    trouble: Trouble,
    gave_up: Trouble,
    /// Why the last try failed, until one succeeds.
    last_failure: Option<String>,
    random: u64,
}

impl Pace {
    /// `seed`: what the pauses of two clients differ by.
    pub(crate) fn new(backoff: Backoff, seed: u64) -> Self {
        Self {
            backoff,
            failures: 0,
            wait_until: None,
            in_hold: false,
            busy_until: None,
            trouble: Trouble::default(),
            gave_up: Trouble::default(),
            last_failure: None,
            random: seed | 1,
        }
    }

    /// The moment before which nothing is to be sent.
    pub(crate) fn wait_until(&self) -> Option<Duration> {
        self.wait_until
    }

    pub(crate) fn last_failure(&self) -> Option<&str> {
        self.last_failure.as_deref()
    }

    /// Whether it waits until somebody mends something.
    pub(crate) fn is_held(&self) -> bool {
        self.in_hold
    }

    /// Whether the last answer was none.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether the next try follows a hold: secrets are to be read again. Asked once.
    pub(crate) fn take_hold(&mut self) -> bool {
        std::mem::take(&mut self.in_hold)
    }

    /// Loki has answered as it should.
    pub(crate) fn succeeded(&mut self, whose: &str) {
        self.failures = 0;
        self.wait_until = None;
        self.busy_until = None;
        self.last_failure = None;
        self.trouble.ends(|| format!("{whose}: Loki takes the lines again"));
        self.gave_up = Trouble::default();
    }

    /// Loki has stored what it gave no good answer to. That is no failure any more; but it is not said
    /// that all is well, for where every answer is lost that would be said with each.
    pub(crate) fn has_stored(&mut self) {
        self.failures = 0;
        self.last_failure = None;
    }

    /// It has not: the next try is in `at_least` or later.
    pub(crate) fn failed(&mut self, now: Moment, whose: &str, why: &str, at_least: Duration) {
        self.failures += 1;
        if self.busy_until.is_some() {
            // Frozen, it goes on where it was.
            self.came_late(now);
        }
        self.trouble
            .begins(|| format!("{whose}: {why}; lines wait in the file until it takes them"));
        if self.backoff.gives_up(self.failures) {
            let failures = self.failures;
            self.gave_up.begins(|| {
                format!("{whose}: {failures} failures in a row ({why}): trying every 30 s")
            });
        }
        let random = self.random();
        let pause = self.backoff.pause(self.failures, random);
        self.wait_until = Some(now.at + pause.max(at_least));
        self.last_failure = Some(why.to_owned());
    }

    /// Nobody waits any more for the answer to what was sent last, and Loki may still be busy with it.
    pub(crate) fn came_late(&mut self, now: Moment) {
        self.busy_until = Some(now.at + LATE);
    }

    /// Whether what Loki does not have may still come, of what it was sent.
    pub(crate) fn may_come(&self, now: Moment) -> bool {
        self.busy_until.is_some_and(|until| now.at < until)
    }

    /// Somebody has to mend something first.
    pub(crate) fn hold(&mut self, now: Moment, whose: &str, why: &str) {
        self.in_hold = true;
        self.wait_until = Some(now.at + LONGEST_PAUSE);
        self.trouble.begins(|| {
            format!(
                "{whose}: lines do not get into Loki: {why}; they wait in the file, and it is \
                 tried again every 30 s"
            )
        });
        self.last_failure = Some(why.to_owned());
    }

    /// Waits without a failure: Loki may still be storing what is asked for next.
    pub(crate) fn wait(&mut self, until: Duration) {
        self.wait_until = Some(until);
    }

    /// In `0..1`; xorshift, which is random enough for keeping clients apart.
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        f64::from(u32::try_from(self.random >> 32).unwrap_or(0)) / f64::from(u32::MAX)
    }
}
