//! Threads of ours that can be put to rest, as before a fork, and go on where they were.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sys::{has_thread, thread_id, with_signals_blocked};

/// What a thread does.
pub(crate) trait Work: Send + Sized + 'static {
    /// The thread's name.
    const NAME: &'static str;

    /// Works until it is over, or until rest is asked for: only then it comes back.
    fn work(self, rest: &Rest) -> Option<Self>;
}

/// Whether a thread is to rest.
#[derive(Default)]
pub(crate) struct Rest {
    asked: AtomicBool,
    phase: Mutex<Phase>,
    thread: AtomicI32,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Working,
    AskedToRest,
    /// The thread is about to end.
    Resting,
}

impl Rest {
    /// Looked at by the thread, at least after it was woken.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a thread that was asked to rest still is.
    fn begins(&self) -> bool {
        let mut phase = self.phase();
        let begins = *phase == Phase::AskedToRest;
        if begins {
            *phase = Phase::Resting;
        }
        begins
    }
}

/// A thread of ours.
pub(crate) struct Worker<W> {
    rest: Arc<Rest>,
    thread: Mutex<State<W>>,
}

enum State<W> {
    Running(JoinHandle<Option<W>>),
    Resting(W),
    Over,
}

impl<W: Work> Worker<W> {
    /// Starts the thread, with all signals blocked.
    pub(crate) fn start(work: W) -> io::Result<Self> {
        let rest = Arc::new(Rest::default());
        let thread = Mutex::new(State::Running(spawn(work, rest.clone())?));
        Ok(Self { rest, thread })
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the thread to rest. Whoever calls this wakes it.
    pub(crate) fn ask_to_rest(&self) {
        *self.rest.phase() = Phase::AskedToRest;
        self.rest.asked.store(true, Ordering::Release);
    }

    /// Waits until a thread that was asked to rest, or to end, is gone; whether it is.
    pub(crate) fn is_gone_by(&self, deadline: Instant) -> bool {
        let mut pause = Duration::from_micros(20);
        let mut state = self.state();
        while matches!(&*state, State::Running(thread) if !thread.is_finished()) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
        settle(&mut state);
        drop(state);
        // Joined, it may still be counted for a moment.
        let id = self.rest.thread.load(Ordering::Acquire);
        while has_thread(id) && Instant::now() < deadline {
            thread::yield_now();
        }
        true
    }

    /// Lets the thread work again, by another one where it has rested.
    pub(crate) fn go_on(&self) -> io::Result<()> {
        let mut state = self.state();
        self.rest.asked.store(false, Ordering::Release);
        let resting = {
            let mut phase = self.rest.phase();
            std::mem::take(&mut *phase) == Phase::Resting
        };
        if resting {
            settle(&mut state);
        }
        *state = match std::mem::replace(&mut *state, State::Over) {
            State::Resting(work) => State::Running(spawn(work, self.rest.clone())?),
            other => other,
        };
        Ok(())
    }

    /// Joins the thread, which has said its last word.
    pub(crate) fn join(&self) {
        settle(&mut self.state());
    }
}

/// Joins a thread that ends.
fn settle<W>(state: &mut State<W>) {
    *state = match std::mem::replace(state, State::Over) {
        State::Running(thread) => thread.join().ok().flatten().map_or(State::Over, State::Resting),
        other => other,
    };
}

fn spawn<W: Work>(work: W, rest: Arc<Rest>) -> io::Result<JoinHandle<Option<W>>> {
    let run = move || {
        rest.thread.store(thread_id(), Ordering::Release);
        let mut work = work;
        loop {
            work = work.work(&rest)?;
            if rest.begins() {
                return Some(work);
            }
        }
    };
    with_signals_blocked(|| thread::Builder::new().name(W::NAME.into()).spawn(run))
}

#[cfg(all(test, not(lb_loom), not(miri)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::AtomicU64;

    use super::*;

    struct Counting {
        count: Arc<AtomicU64>,
        over: Arc<AtomicBool>,
        last: u64,
    }

    impl Work for Counting {
        const NAME: &'static str = "counting";

        fn work(mut self, rest: &Rest) -> Option<Self> {
            while !self.over.load(Ordering::Relaxed) {
                if rest.is_asked() {
                    return Some(self);
                }
                self.last += 1;
                assert_eq!(self.count.fetch_add(1, Ordering::Relaxed) + 1, self.last);
                thread::yield_now();
            }
            None
        }
    }

    #[test]
    fn a_thread_rests_and_goes_on_where_it_was() {
        let count = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let work = Counting { count: count.clone(), over: over.clone(), last: 0 };
        let worker = Worker::start(work).unwrap();
        let far = || Instant::now() + Duration::from_secs(30);
        for round in 0..100 {
            let before = count.load(Ordering::Relaxed);
            while count.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
            worker.ask_to_rest();
            if round % 3 == 0 {
                // Too late for the one, too early for the other.
                worker.go_on().unwrap();
                continue;
            }
            assert!(worker.is_gone_by(far()));
            let resting = count.load(Ordering::Relaxed);
            thread::yield_now();
            assert_eq!(count.load(Ordering::Relaxed), resting);
            worker.go_on().unwrap();
        }
        assert!(!worker.is_gone_by(Instant::now() + Duration::from_millis(5)));
        over.store(true, Ordering::Relaxed);
        worker.join();
        worker.go_on().unwrap();
        assert!(worker.is_gone_by(far()));
    }
}
