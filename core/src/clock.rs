//! Time for records: the time-stamp counter where the kernel itself trusts it, else the real-time clock.
//!
//! A caller stores a raw [`Stamp`]; the writer turns it into nanoseconds by a
//! [`Calibration`] that it renews each second against the real-time clock.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as a caller notes it: ticks of the counter, or nanoseconds since 1970.
pub(crate) type Stamp = u64;

/// Nanoseconds since 1970 by the real-time clock.
pub(crate) fn realtime_ns() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
fn counter() -> u64 {
    // SAFETY: RDTSC exists on every x86-64 processor and reads no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    0
}

/// True while the kernel keeps its own time by the time-stamp counter: then it is constant
/// and the same on all processors.
fn kernel_trusts_counter() -> bool {
    cfg!(target_arch = "x86_64")
        && std::fs::read_to_string(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
        )
        .is_ok_and(|source| source.trim() == "tsc")
}

/// What callers stamp with. Copied into each core, so that a stamp reads no shared memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clock {
    /// Ticks of the time-stamp counter.
    Counter,
    /// Nanoseconds since 1970.
    Realtime,
}

impl Clock {
    pub(crate) fn detect() -> Self {
        static KIND: OnceLock<Clock> = OnceLock::new();
        *KIND.get_or_init(|| if kernel_trusts_counter() { Self::Counter } else { Self::Realtime })
    }

    #[inline]
    pub(crate) fn stamp(self) -> Stamp {
        match self {
            Self::Counter => counter(),
            Self::Realtime => realtime_ns().cast_unsigned(),
        }
    }
}

/// A line through two readings of (counter, real-time clock).
/// `ns = anchor_ns + (ticks - anchor_ticks) × ns_per_tick`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calibration {
    pub(crate) anchor_ticks: u64,
    pub(crate) anchor_ns: i64,
    /// Nanoseconds a tick, as a fixed-point number with 32 binary places.
    pub(crate) ns_per_tick: u64,
}

impl Calibration {
    /// For stamps that are nanoseconds already.
    pub(crate) const IDENTITY: Self = Self { anchor_ticks: 0, anchor_ns: 0, ns_per_tick: 1 << 32 };

    /// Nanoseconds since 1970 of a stamp; saturates where a damaged ring file holds nonsense.
    #[inline]
    pub(crate) fn to_ns(self, stamp: Stamp) -> i64 {
        let ticks = i128::from(stamp) - i128::from(self.anchor_ticks);
        let ns = ticks.saturating_mul(i128::from(self.ns_per_tick)) >> 32;
        let sum = i128::from(self.anchor_ns) + ns;
        i64::try_from(sum).unwrap_or(if sum > 0 { i64::MAX } else { i64::MIN })
    }
}

/// One reading of both clocks, taken between two close readings of the counter.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    ns: i64,
}

impl Reading {
    fn take() -> Self {
        let mut best = Self { ticks: 0, ns: 0 };
        let mut best_gap = u64::MAX;
        for _ in 0..8 {
            let before = counter();
            let ns = realtime_ns();
            let gap = counter().wrapping_sub(before);
            if gap < best_gap {
                best_gap = gap;
                best = Self { ticks: before.wrapping_add(gap / 2), ns };
            }
        }
        best
    }
}

/// Keeps a [`Calibration`] true; owned by the thread that converts stamps.
pub(crate) struct Converter {
    clock: Clock,
    epoch: Reading,
    current: Calibration,
    /// Stamps before `current` began are converted by the line of their own time, so that a
    /// step of the real-time clock does not shift what was logged before it.
    previous: Calibration,
}

/// A jump of the real-time clock against the counter by more than this begins a new epoch.
const STEP_NS: i64 = 1_000_000;

impl Converter {
    pub(crate) fn new(clock: Clock) -> Self {
        let first = *FIRST_READING.get_or_init(Reading::take);
        let mut this = Self {
            clock,
            epoch: first,
            current: Calibration::IDENTITY,
            previous: Calibration::IDENTITY,
        };
        if clock == Clock::Counter {
            // Two readings a millisecond apart give the rate to a few parts in 100,000,
            // good for the second until the next calibration.
            let mut now = Reading::take();
            while now.ns.wrapping_sub(first.ns).unsigned_abs() < 1_000_000 {
                std::hint::spin_loop();
                now = Reading::take();
            }
            this.current = line(first, now);
            this.previous = this.current;
        }
        this
    }

    pub(crate) fn calibration(&self) -> Calibration {
        self.current
    }

    /// Reads both clocks again; call it about each second.
    pub(crate) fn recalibrate(&mut self) {
        if self.clock == Clock::Realtime {
            return;
        }
        let now = Reading::take();
        let expected = self.current.to_ns(now.ticks);
        self.previous = self.current;
        if now.ns.wrapping_sub(expected).unsigned_abs() > STEP_NS.unsigned_abs() {
            self.epoch = now;
            self.current.anchor_ticks = now.ticks;
            self.current.anchor_ns = now.ns;
        } else {
            self.current = line(self.epoch, now);
            // A baseline of some minutes is exact; a moving one follows the clock's own drift.
            if now.ns.wrapping_sub(self.epoch.ns) > 600_000_000_000 {
                self.epoch = now;
            }
        }
    }

    /// Nanoseconds since 1970 of a stamp of this process.
    #[inline]
    pub(crate) fn to_ns(&self, stamp: Stamp) -> i64 {
        if stamp < self.current.anchor_ticks {
            self.previous.to_ns(stamp)
        } else {
            self.current.to_ns(stamp)
        }
    }
}

/// The first reading of the process: the later ones make its baseline longer.
static FIRST_READING: OnceLock<Reading> = OnceLock::new();

/// The line through two readings, anchored at the later one.
fn line(from: Reading, to: Reading) -> Calibration {
    let ticks = u128::from(to.ticks.wrapping_sub(from.ticks).max(1));
    let ns = u128::from(to.ns.wrapping_sub(from.ns).max(1).unsigned_abs());
    let rate = u64::try_from((ns << 32) / ticks).unwrap_or(1 << 32);
    Calibration { anchor_ticks: to.ticks, anchor_ns: to.ns, ns_per_tick: rate.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_of_now_is_now() {
        let clock = Clock::detect();
        let mut converter = Converter::new(clock);
        for _ in 0..3 {
            let before = realtime_ns();
            let stamp = clock.stamp();
            let after = realtime_ns();
            let ns = converter.to_ns(stamp);
            assert!(
                ns > before - 200_000 && ns < after + 200_000,
                "{before} {ns} {after}: off by {}",
                ns - before
            );
            std::thread::sleep(std::time::Duration::from_millis(20));
            converter.recalibrate();
        }
    }

    #[test]
    fn nonsense_saturates() {
        let line = Calibration { anchor_ticks: 0, anchor_ns: i64::MAX, ns_per_tick: u64::MAX };
        assert_eq!(line.to_ns(u64::MAX), i64::MAX);
        let line =
            Calibration { anchor_ticks: u64::MAX, anchor_ns: i64::MIN, ns_per_tick: u64::MAX };
        assert_eq!(line.to_ns(0), i64::MIN);
    }

    #[test]
    fn a_step_leaves_earlier_stamps_alone() {
        let mut converter = Converter {
            clock: Clock::Counter,
            epoch: Reading { ticks: 0, ns: 0 },
            current: Calibration {
                anchor_ticks: 2000,
                anchor_ns: 9_000_000_000,
                ns_per_tick: 1 << 32,
            },
            previous: Calibration { anchor_ticks: 1000, anchor_ns: 1000, ns_per_tick: 1 << 32 },
        };
        assert_eq!(converter.to_ns(1500), 1500);
        assert_eq!(converter.to_ns(2500), 9_000_000_500);
        converter.clock = Clock::Realtime;
        converter.recalibrate();
        assert_eq!(converter.to_ns(1500), 1500);
    }
}
