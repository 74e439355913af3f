//! Ships files that nobody writes to any more: what `lb push` does.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::check::failure::Failure;
use super::check::verified::Verified;
use super::ship::engine::Step;
use super::ship::mend::Lost;
use super::ship::offset_file::OffsetFile;
use super::ship::pace::{Clock, SystemClock};
use super::ship::runner::{Runner, target};
use super::wire::client::Client;
use crate::config::LokiConfig;
use crate::stats::Delivery;

/// The longest sleep between two calls of `progress`.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How much, and for how long.
#[derive(Clone, Copy, Debug, Default)]
pub struct PushOptions {
    /// Everything is looked up, and sent where it is missing; else what is not acknowledged yet.
    pub from_start: bool,
    /// When to give up; until then parked lines are tried again. `None`: never, as long as `progress`
    /// goes on; parked lines are not waited for.
    pub deadline: Option<Instant>,
}

/// How the shipping of one log ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Everything is acknowledged, below the level or quarantined, but for parked lines.
    Done,
    /// The deadline passed or `progress` ended it; with why Loki did not take the lines at last.
    Unfinished {
        /// One line for a user.
        why: Option<String>,
    },
    /// Loki takes nothing, or the log cannot be shipped, until somebody mends something.
    Held {
        /// One line for a user.
        why: String,
    },
    /// A live process ships this log.
    Busy {
        /// Its id, where it could be read; information only.
        pid: Option<u32>,
    },
}

/// What became of one log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pushed {
    /// The log.
    pub log: PathBuf,
    /// Its accounting at the end.
    pub delivery: Delivery,
    /// How it ended.
    pub ended: Ended,
}

/// Told of a log, its accounting, and why Loki does not take lines now; can end the work.
pub type Progress<'p> = dyn FnMut(&Path, &Delivery, Option<&str>) -> ControlFlow<()> + 'p;

/// Ships these logs, one after the other, each with its rotated segments. `progress` is called at
/// least every tenth of a second unless a request is under way; when it ends the work, the logs that
/// follow are left out.
///
/// # Errors
/// [`Failure::Loki`], of secrets or certificates that cannot be used.
pub fn push(
    logs: &[PathBuf],
    config: &LokiConfig,
    options: PushOptions,
    progress: &mut Progress<'_>,
) -> Result<Vec<Pushed>, Failure> {
    push_each(logs, config, options, progress, |_| Vec::new())
}

/// Ships what a verification has found to be missing in Loki, and what of the same logs was not sent
/// yet. Lines that have been acknowledged before are looked up first. Collected files are left out.
///
/// # Errors
/// As [`push`].
pub fn repair(
    found: &Verified,
    config: &LokiConfig,
    deadline: Option<Instant>,
    progress: &mut Progress<'_>,
) -> Result<Vec<Pushed>, Failure> {
    let options = PushOptions { from_start: false, deadline };
    push_each(&found.to_repair(), config, options, progress, |log| found.lost(log))
}

fn push_each(
    logs: &[PathBuf],
    config: &LokiConfig,
    options: PushOptions,
    progress: &mut Progress<'_>,
    lost: impl Fn(&Path) -> Vec<Lost>,
) -> Result<Vec<Pushed>, Failure> {
    Client::ready(config).map_err(Failure::Loki)?;
    let clock = SystemClock::new();
    let mut all = Vec::new();
    for log in logs {
        let mut runner = Runner::<Client>::new(log, config, clock);
        if options.from_start {
            runner.begin_anew();
        }
        runner.reopen(lost(log));
        runner.finish();
        let (ended, goes_on) = push_one(&mut runner, config, options, clock, progress);
        runner.leave();
        let delivery = runner.delivery();
        let delivery = delivery.unwrap_or_else(|| OffsetFile::delivery(log, &target(config)));
        all.push(Pushed { log: log.clone(), delivery, ended });
        if !goes_on {
            break;
        }
    }
    Ok(all)
}

/// How it ended, and whether `progress` wants more.
fn push_one(
    runner: &mut Runner<Client>,
    config: &LokiConfig,
    options: PushOptions,
    clock: SystemClock,
    progress: &mut Progress<'_>,
) -> (Ended, bool) {
    loop {
        let step = runner.step(&mut || Client::new(config));
        if runner.is_idle() {
            return (Ended::Busy { pid: runner.other() }, true);
        }
        let delivery = runner.delivery().unwrap_or_default();
        let why = runner.last_failure().map(str::to_owned);
        let late = options.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if runner.is_done() && (delivery.parked == 0 || options.deadline.is_none() || late) {
            return (Ended::Done, true);
        }
        if runner.is_held() {
            return (Ended::Held { why: why.unwrap_or_default() }, true);
        }
        let goes_on = progress(runner.log(), &delivery, why.as_deref()).is_continue();
        if !goes_on || late {
            return (Ended::Unfinished { why }, goes_on);
        }
        if let Step::Idle(until) = step {
            let left = until.saturating_sub(clock.now().at);
            std::thread::sleep(left.min(PROGRESS_INTERVAL));
        }
    }
}
