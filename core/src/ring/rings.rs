//! Which thread pushes into which ring: each thread leases one; where there are none left, and
//! for a thread that is ending, threads share ring 0 under a lock.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

use super::file::{Counter, RingFile};
use super::queue::{Full, Producer, Ring};
use crate::sys::{LightFence, heavy_fence};

/// The ring that threads share.
const SHARED: usize = 0;

/// The rings of a process and who may push into them.
pub(crate) struct Rings {
    /// Declared before `file`: the slots' rings point into its mapping.
    slots: Box<[Slot]>,
    file: RingFile,
    /// Tells these rings from all others of the process, past and future; never 0.
    owner: u64,
    this: Weak<Self>,
    closed: AtomicBool,
    fence: LightFence,
    /// Rings whose threads have ended. Their frames stay in place; the next thread goes on
    /// behind them.
    free: ArrayQueue<usize>,
    growing: Mutex<()>,
    shared: Mutex<()>,
}

/// The producer's side of a ring.
#[repr(align(128))]
struct Slot {
    /// Set by the thread that holds the ring, for as long as it is pushing.
    busy: AtomicBool,
    /// Touched only by the thread that has the lease and has set `busy`, and for the shared
    /// ring under its lock.
    producer: UnsafeCell<Producer>,
    ring: Ring<'static>,
}

// SAFETY: `producer` is touched as its comment says; the ring's pointers lead into a mapping
// that `Rings` keeps for as long as the slot.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

thread_local! {
    /// The last ring that this thread pushed into: (owner, index).
    static LAST: Cell<(u64, usize)> = const { Cell::new((0, 0)) };
    /// Set while the thread is on the slow way in, where a signal handler must not follow.
    static ENTERING: Cell<bool> = const { Cell::new(false) };
    /// All rings that this thread has leased.
    static LEASES: RefCell<Vec<Lease>> = const { RefCell::new(Vec::new()) };
}

/// A thread's hold on a ring; given back when the thread ends.
struct Lease {
    owner: u64,
    index: usize,
    rings: Weak<Rings>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if LAST.get().0 == self.owner {
            LAST.set((0, 0));
        }
        if let Some(rings) = self.rings.upgrade() {
            let _ = rings.free.push(self.index);
        }
    }
}

/// Why a thread may not push.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// The rings were closed.
    Closed,
    /// The thread is pushing already: this is a signal handler inside a call.
    Nested,
}

impl Rings {
    pub(crate) fn new(file: RingFile) -> Arc<Self> {
        static OWNERS: AtomicU64 = AtomicU64::new(1);
        let count = file.layout().rings();
        let slots = (0..count)
            .map(|index| {
                let ring = file.ring(index);
                // SAFETY: only the lifetime changes. The mapping lives in the same value as the
                // slot, and no copy of the ring leaves it with a longer life than `&self`.
                let ring = unsafe { std::mem::transmute::<Ring<'_>, Ring<'static>>(ring) };
                Slot {
                    busy: AtomicBool::new(false),
                    producer: UnsafeCell::new(Producer::resume(ring.control)),
                    ring,
                }
            })
            .collect();
        Arc::new_cyclic(|this| Self {
            slots,
            file,
            owner: OWNERS.fetch_add(1, Ordering::Relaxed),
            this: this.clone(),
            closed: AtomicBool::new(false),
            fence: LightFence::new(),
            free: ArrayQueue::new(count),
            growing: Mutex::new(()),
            shared: Mutex::new(()),
        })
    }

    pub(crate) fn file(&self) -> &RingFile {
        &self.file
    }

    /// Lets the calling thread push, until the turn is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Turn<'_>, Refused> {
        let (owner, index) = LAST.get();
        if owner == self.owner { self.turn(index, None) } else { self.enter_slowly() }
    }

    #[inline]
    fn turn<'r>(
        &'r self,
        index: usize,
        lock: Option<MutexGuard<'r, ()>>,
    ) -> Result<Turn<'r>, Refused> {
        let slot = &self.slots[index];
        if slot.busy.load(Ordering::Relaxed) {
            return Err(Refused::Nested);
        }
        slot.busy.store(true, Ordering::Relaxed);
        let turn = Turn { slot, _lock: lock };
        // Against `close`: either it sees `busy`, or we see `closed`.
        self.fence.here();
        if self.closed.load(Ordering::Relaxed) {
            return Err(Refused::Closed);
        }
        Ok(turn)
    }

    #[cold]
    fn enter_slowly(&self) -> Result<Turn<'_>, Refused> {
        if ENTERING.replace(true) {
            return Err(Refused::Nested);
        }
        let turn = if let Some(index) = self.lease() {
            LAST.set((self.owner, index));
            self.turn(index, None)
        } else {
            self.file.count(Counter::Shared, 1);
            let lock = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            self.turn(SHARED, Some(lock))
        };
        ENTERING.set(false);
        turn
    }

    /// The ring of this thread; `None` where it has to share.
    fn lease(&self) -> Option<usize> {
        LEASES
            .try_with(|leases| {
                let mut leases = leases.try_borrow_mut().ok()?;
                if let Some(lease) = leases.iter().find(|lease| lease.owner == self.owner) {
                    return Some(lease.index);
                }
                leases.retain(|lease| lease.rings.strong_count() > 0);
                let index = self.free.pop().or_else(|| {
                    let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
                    self.file.add_ring()
                })?;
                leases.push(Lease { owner: self.owner, index, rings: self.this.clone() });
                Some(index)
            })
            .ok()
            .flatten()
    }

    /// Refuses all further pushes and waits for those under way; false where one was still
    /// under way at the deadline.
    pub(crate) fn close(&self, deadline: Instant) -> bool {
        self.closed.store(true, Ordering::SeqCst);
        heavy_fence();
        let quiet = || !self.slots.iter().any(|slot| slot.busy.load(Ordering::Acquire));
        while !quiet() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        true
    }
}

/// The right to push, held by one thread.
pub(crate) struct Turn<'r> {
    slot: &'r Slot,
    _lock: Option<MutexGuard<'r, ()>>,
}

impl Turn<'_> {
    /// Publishes a frame that `fill` writes; returns whether the ring is more than half full.
    #[inline]
    pub(crate) fn push(&mut self, size: usize, fill: impl FnOnce(&mut [u8])) -> Result<bool, Full> {
        // SAFETY: this thread has set `busy` on a slot that it has leased, or holds the lock of
        // the shared one; a handler of a signal in between is refused by `busy`.
        unsafe { (*self.slot.producer.get()).push(self.slot.ring, size, fill) }
    }
}

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.busy.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Clock;
    use crate::ring::header::{Birth, Layout};
    use std::path::Path;

    fn rings(count: u64) -> Arc<Rings> {
        let birth = Birth {
            id: 1,
            boot_id: [0; 16],
            log_path: Path::new("/x.jsonl"),
            clock: Clock::Realtime,
            max_record_bytes: 4096,
        };
        let layout = Layout::new(65_536, 65_536 * count);
        Rings::new(RingFile::in_memory(layout, &birth).unwrap())
    }

    fn push(rings: &Rings) -> Result<(), Refused> {
        let fill = |bytes: &mut [u8]| bytes[..4].copy_from_slice(&64u32.to_le_bytes());
        rings.enter()?.push(64, fill).unwrap();
        Ok(())
    }

    fn pushed(rings: &Rings) -> Vec<u64> {
        rings.file().used().map(|ring| ring.control.records().1).collect()
    }

    #[test]
    fn each_thread_has_its_ring_and_gives_it_back() {
        let rings = rings(4);
        for _ in 0..10 {
            std::thread::scope(|scope| {
                // Joined, because a scope may end before the thread has given its ring back.
                scope.spawn(|| push(&rings).unwrap()).join().unwrap();
            });
        }
        assert_eq!(pushed(&rings), [0, 10]);
        push(&rings).unwrap();
        push(&rings).unwrap();
        assert_eq!(pushed(&rings), [0, 12]);
    }

    #[test]
    fn threads_without_a_ring_share_one() {
        let rings = rings(2);
        push(&rings).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| push(&rings).unwrap()));
            }
        });
        assert_eq!(pushed(&rings), [400, 1]);
        assert_eq!(rings.file().counted(Counter::Shared), 400);
    }

    #[test]
    fn a_call_inside_a_call_is_refused() {
        let rings = rings(2);
        let turn = rings.enter().unwrap();
        assert_eq!(rings.enter().err(), Some(Refused::Nested));
        drop(turn);
        push(&rings).unwrap();
    }

    #[test]
    fn nothing_is_pushed_after_close_returned() {
        for _ in 0..50 {
            let rings = rings(8);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (0..500).all(|_| push(&rings).is_ok()));
                }
                assert!(rings.close(Instant::now() + Duration::from_secs(10)));
                let sum = || pushed(&rings).iter().sum::<u64>();
                let seen = sum();
                std::thread::sleep(Duration::from_micros(200));
                assert_eq!(seen, sum());
            });
            assert_eq!(push(&rings), Err(Refused::Closed));
        }
    }

    #[test]
    fn a_thread_may_use_many() {
        let many: Vec<_> = (0..5).map(|_| rings(2)).collect();
        for _ in 0..3 {
            for rings in &many {
                push(rings).unwrap();
            }
        }
        assert!(many.iter().all(|rings| pushed(rings) == [0, 3]));
    }
}
