//! A bell: one thread sleeps beside it until it is rung. It belongs to no thread, so that a thread
//! may take the place of another. To ring it takes no lock: a signal handler may do it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Rung is remembered until the next sleep.
#[derive(Default)]
pub(crate) struct Bell {
    rung: AtomicU32,
}

impl Bell {
    /// Sleeps until the bell is rung, or was rung since the last sleep; at most so long.
    pub(crate) fn sleep(&self, time: Duration) {
        if self.rung.swap(0, Ordering::Acquire) == 0 {
            self.wait(time);
            self.rung.store(0, Ordering::Relaxed);
        }
    }

    /// Wakes who sleeps.
    pub(crate) fn ring(&self) {
        if self.rung.swap(1, Ordering::Release) == 0 {
            self.wake();
        }
    }

    #[cfg(target_os = "linux")]
    fn wait(&self, time: Duration) {
        use rustix::thread::futex;
        let timeout = futex::Timespec::try_from(time).ok();
        // Ends early where it was rung meanwhile, or for a signal.
        let _ = futex::wait(&self.rung, futex::Flags::PRIVATE, 0, timeout.as_ref());
    }

    #[cfg(target_os = "linux")]
    fn wake(&self) {
        let _ = rustix::thread::futex::wake(&self.rung, rustix::thread::futex::Flags::PRIVATE, 1);
    }

    #[cfg(not(target_os = "linux"))]
    fn wait(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        while self.rung.load(Ordering::Relaxed) == 0 && std::time::Instant::now() < end {
            std::thread::sleep(time.min(Duration::from_millis(1)));
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[allow(clippy::unused_self)]
    fn wake(&self) {}
}

#[cfg(all(test, not(lb_loom), not(miri)))]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_ring_wakes_who_sleeps_or_is_about_to() {
        let bell = Bell::default();
        bell.sleep(Duration::from_millis(1));
        let began = Instant::now();
        bell.ring();
        bell.ring();
        bell.sleep(LONG);
        std::thread::scope(|scope| {
            scope.spawn(|| bell.sleep(LONG));
            std::thread::sleep(Duration::from_millis(20));
            bell.ring();
        });
        assert!(began.elapsed() < LONG);
    }
}
