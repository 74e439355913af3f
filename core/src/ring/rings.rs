//! Which thread pushes into which ring: each thread leases one; where there are none left, and
//! for a thread that is ending, threads share ring 0 under a lock.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Instant;

use super::file::{Counter, RingFile};
use super::queue::{Fill, Full, Producer, Ring};
use super::sync::{
    AtomicBool, Free, LightFence, Mutex, UnsafeCell, heavy_fence, pause, per_thread,
};

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
    free: Free<usize>,
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

per_thread! {
    /// The last ring that this thread pushed into.
    static LAST: Cell<Last> = const { Cell::new(Last::NONE) };
    /// Set while the thread is on the slow way in, where a signal handler must not follow.
    static ENTERING: Cell<bool> = const { Cell::new(false) };
    /// All rings that this thread has leased.
    static LEASES: RefCell<Vec<Lease>> = const { RefCell::new(Vec::new()) };
}

/// A slot, and the rings that it is of: the address is only used while those rings, whose
/// `owner` is never given out twice, are borrowed.
#[derive(Clone, Copy)]
struct Last {
    owner: u64,
    slot: *const Slot,
}

impl Last {
    const NONE: Self = Self { owner: 0, slot: std::ptr::null() };
}

/// A thread's hold on a ring; given back when the thread ends.
struct Lease {
    owner: u64,
    index: usize,
    rings: Weak<Rings>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = LAST.try_with(|last| {
            if last.get().owner == self.owner {
                last.set(Last::NONE);
            }
        });
        if let Some(rings) = self.rings.upgrade() {
            let _ = rings.free.push(self.index);
        }
    }
}

/// Why nothing was pushed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// There is no room now.
    Full,
    /// The rings were closed.
    Closed,
    /// The thread is pushing already: this is a signal handler inside a call.
    Nested,
}

impl Rings {
    pub(crate) fn new(file: RingFile) -> Arc<Self> {
        static OWNERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
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
            free: Free::new(count),
            growing: Mutex::new(()),
            shared: Mutex::new(()),
        })
    }

    pub(crate) fn file(&self) -> &RingFile {
        &self.file
    }

    /// Publishes a frame in the ring that the calling thread last pushed into. Returns whether
    /// that is more than half full; `None` where [`Rings::push`] has to be asked.
    #[inline(always)]
    pub(crate) fn push_again(&self, frame: &impl Fill) -> Option<bool> {
        let last = LAST.with(Cell::get);
        if last.owner != self.owner {
            return None;
        }
        // SAFETY: the slot is one of ours, which live as long as `self`.
        self.push_into(unsafe { &*last.slot }, frame).ok()
    }

    #[inline(always)]
    fn push_into(&self, slot: &Slot, frame: &impl Fill) -> Result<bool, Refused> {
        if slot.busy.load(Ordering::Relaxed) {
            return Err(Refused::Nested);
        }
        slot.busy.store(true, Ordering::Relaxed);
        let busy = Busy(slot);
        // Against `close`: either it sees `busy`, or we see `closed`.
        self.fence.here();
        if self.closed.load(Ordering::Relaxed) {
            return Err(Refused::Closed);
        }
        // SAFETY: this thread has set `busy` on a slot that it has leased, or holds the lock of
        // the shared one; a handler of a signal in between is refused by `busy`.
        let pushed = unsafe { (*slot.producer.get()).push(slot.ring, frame) };
        drop(busy);
        pushed.map_err(|Full| Refused::Full)
    }

    /// Publishes a frame in a ring of the calling thread's, which is leased where it has none, or
    /// in the shared one. Returns whether that is more than half full.
    pub(crate) fn push(&self, frame: &impl Fill) -> Result<bool, Refused> {
        if ENTERING.with(|entering| entering.replace(true)) {
            return Err(Refused::Nested);
        }
        let _entering = Entering;
        if let Some(index) = self.lease() {
            let slot = &self.slots[index];
            LAST.with(|last| last.set(Last { owner: self.owner, slot }));
            self.push_into(slot, frame)
        } else {
            let _turn = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let pushed = self.push_into(&self.slots[SHARED], frame)?;
            self.file.count(Counter::Shared, 1);
            Ok(pushed)
        }
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
            pause();
        }
        true
    }
}

/// Marks a slot as being pushed into, until dropped.
struct Busy<'s>(&'s Slot);

impl Drop for Busy<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// Clears `ENTERING` when dropped: a frame's own code may panic.
struct Entering;

impl Drop for Entering {
    fn drop(&mut self) {
        ENTERING.with(|entering| entering.set(false));
    }
}

#[cfg(all(test, lb_loom))]
#[path = "rings_models.rs"]
mod models;

#[cfg(all(test, not(lb_loom)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ring::header::Layout;
    use crate::ring::tests_support::birth;
    use std::path::Path;
    use std::time::Duration;

    /// An interpreter takes its time.
    const ROUNDS: usize = if cfg!(miri) { 3 } else { 50 };

    fn rings(count: u64) -> Arc<Rings> {
        let birth = birth(1, Path::new("/x.jsonl"));
        let layout = Layout::new(65_536, 65_536 * count);
        Rings::new(RingFile::in_memory(layout, &birth).unwrap())
    }

    /// A frame of 64 bytes; while it is written, something happens.
    struct Small<'a>(&'a dyn Fn());

    impl Fill for Small<'_> {
        fn size(&self) -> usize {
            64
        }

        fn fill(&self, out: &mut [u8]) {
            out[..4].copy_from_slice(&64u32.to_le_bytes());
            (self.0)();
        }
    }

    fn push(rings: &Rings) -> Result<(), Refused> {
        rings.push(&Small(&|| ())).map(|_| ())
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
        let handler = || assert_eq!(push(&rings), Err(Refused::Nested));
        push(&rings).unwrap();
        rings.push(&Small(&handler)).unwrap();
        push(&rings).unwrap();
        assert_eq!(pushed(&rings), [0, 3]);
    }

    #[test]
    fn nothing_is_pushed_after_close_returned() {
        for _ in 0..ROUNDS {
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
    fn a_panic_in_a_frame_leaves_the_ring_usable() {
        let rings = rings(2);
        for _ in 0..2 {
            let fill = || panic!("a caller's own code");
            let pushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _ = rings.push(&Small(&fill));
            }));
            assert!(pushed.is_err());
        }
        push(&rings).unwrap();
        assert_eq!(pushed(&rings), [0, 1]);
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
