//! The byte ring: one producer, one consumer, frames in between.
//!
//! Positions count bytes since the ring was made and never wrap (64 bits); a position's place is
//! its remainder by the capacity, a power of two. Frames are multiples of 8 bytes and never
//! split: where one does not fit before the end, a skip mark sends the reader to the start.
//! The first four bytes of a frame are its size; the rest is no business of the ring.

use std::sync::atomic::Ordering;

use super::sync::{AtomicI64, AtomicU64, Bytes, fence};

/// Set in a size: nothing here, go on that many bytes further.
const SKIP: u32 = 1 << 31;

/// The part of a ring that both sides and, after a crash, a stranger read. The producer's and
/// the consumer's counters are 128 bytes apart: two cache lines, because processors fetch pairs.
#[repr(C, align(128))]
#[cfg_attr(all(test, lb_loom), derive(Default))]
pub(crate) struct Control {
    /// Bytes ever published. Written by the producer alone, released after the frame's bytes.
    tail: AtomicU64,
    /// Records ever published. Written by the producer alone, before `tail`.
    records_in: AtomicU64,
    _producer: [u64; 14],
    /// Bytes ever taken: their lines are in the file. Written by who holds the file's lock;
    /// released after the last read of the frames before it.
    head: AtomicU64,
    /// Records ever taken.
    records_out: AtomicU64,
    /// The last timestamp that was given to a record of this ring.
    last_ns: AtomicI64,
    _consumer: [u64; 13],
    /// The append under way: where `head`, `records_out` and `last_ns` go when it is in the file.
    /// Void unless `pending_number` is the number in the lock file. Number 0 is no append.
    pending_number: AtomicU64,
    pending_head: AtomicU64,
    pending_records: AtomicU64,
    pending_last_ns: AtomicI64,
    _pending: [u64; 12],
}

/// How far a consumer has read, to be made true when the lines are in the file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Position {
    pub(crate) head: u64,
    pub(crate) records: u64,
    pub(crate) last_ns: i64,
}

impl Control {
    /// Where the last finished append left the ring.
    pub(crate) fn position(&self) -> Position {
        Position {
            head: self.head.load(Ordering::Acquire),
            records: self.records_out.load(Ordering::Relaxed),
            last_ns: self.last_ns.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::Acquire)
    }

    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Records taken and records published, read in this order: the second is never smaller.
    pub(crate) fn records(&self) -> (u64, u64) {
        let out = self.records_out.load(Ordering::Acquire);
        (out, self.records_in.load(Ordering::Acquire).max(out))
    }

    /// Notes where the ring will stand when append `number` is in the file.
    pub(crate) fn prepare(&self, number: u64, to: Position) {
        // Void while it is being written, should we die in between.
        self.pending_number.store(0, Ordering::Relaxed);
        // Nobody sees a part of the new position under the old number.
        fence(Ordering::Release);
        self.pending_head.store(to.head, Ordering::Relaxed);
        self.pending_records.store(to.records, Ordering::Relaxed);
        self.pending_last_ns.store(to.last_ns, Ordering::Relaxed);
        self.pending_number.store(number, Ordering::Release);
    }

    /// Makes the position of append `number` true. Doing it twice, or again after a crash in
    /// the middle, changes nothing.
    pub(crate) fn finish(&self, number: u64) {
        if number == 0 || self.pending_number.load(Ordering::Acquire) != number {
            return;
        }
        self.records_out.store(self.pending_records.load(Ordering::Relaxed), Ordering::Release);
        self.last_ns.store(self.pending_last_ns.load(Ordering::Relaxed), Ordering::Relaxed);
        self.head.store(self.pending_head.load(Ordering::Relaxed), Ordering::Release);
        self.pending_number.store(0, Ordering::Release);
    }
}

/// A ring in mapped memory. Borrows the mapping: it cannot outlive it.
#[derive(Clone, Copy)]
pub(crate) struct Ring<'m> {
    pub(crate) control: &'m Control,
    data: Bytes<'m>,
    capacity: u64,
}

/// What a producer remembers between its calls, so that it rarely reads the consumer's line.
pub(crate) struct Producer {
    tail: u64,
    head_seen: u64,
}

/// What stands at a position.
pub(crate) enum Step<'m> {
    /// A frame, and the position behind it.
    Frame(&'m [u8], u64),
    /// Nothing more is published.
    End,
    /// A size that cannot be true: the ring's bytes were damaged.
    Damaged,
}

impl<'m> Ring<'m> {
    /// A ring over `capacity` bytes at `data`: a power of two, valid for `'m`.
    pub(crate) fn new(control: &'m Control, data: Bytes<'m>, capacity: u64) -> Self {
        debug_assert!(capacity.is_power_of_two());
        Self { control, data, capacity }
    }

    fn place(&self, position: u64) -> usize {
        // The capacity is the length of a mapping: it fits.
        usize::try_from(position & (self.capacity - 1)).unwrap_or(0)
    }

    /// The frame at `position`, where `end` is a tail that was read before.
    #[inline]
    pub(crate) fn step(&self, mut position: u64, end: u64) -> Step<'m> {
        loop {
            let left = end.wrapping_sub(position);
            if left == 0 {
                return Step::End;
            }
            if left < 8 || left > self.capacity || !position.is_multiple_of(8) {
                return Step::Damaged;
            }
            let place = self.place(position);
            let until_wrap = self.capacity - place as u64;
            // SAFETY: `place` is a multiple of 8 below the capacity; the bytes up to `end` were
            // published (the tail was read with Acquire) and the producer does not touch them
            // before `head` passes them.
            let size = unsafe { self.data.number(place) };
            let bytes = u64::from(size & !SKIP);
            if bytes == 0 || !bytes.is_multiple_of(8) || bytes > left || bytes > until_wrap {
                return Step::Damaged;
            }
            if size & SKIP != 0 {
                // A mark and the frame behind it are published together.
                if bytes == left {
                    return Step::Damaged;
                }
                position = position.wrapping_add(bytes);
                continue;
            }
            // SAFETY: as above, and `bytes` ends before the tail and before the wrap.
            let frame = unsafe { self.data.get(place, size as usize) };
            return Step::Frame(frame, position.wrapping_add(bytes));
        }
    }
}

/// A frame that is not in a ring yet.
pub(crate) trait Fill {
    /// Its bytes: a multiple of 8, at most a quarter of a ring.
    fn size(&self) -> usize;
    /// Writes it over all of `out`, its size first.
    fn fill(&self, out: &mut [u8]);
}

/// There is no room for the frame now.
#[derive(Debug)]
pub(crate) struct Full;

impl Producer {
    /// Goes on where the ring stands.
    pub(crate) fn resume(control: &Control) -> Self {
        Self { tail: control.tail(), head_seen: control.head() }
    }

    /// Publishes one frame. Returns whether the ring is more than half full.
    ///
    /// # Safety
    /// Only one producer at a time may push into a ring, and it must be the ring that
    /// `self` was made for.
    #[inline(always)]
    pub(crate) unsafe fn push(&mut self, ring: Ring<'_>, frame: &impl Fill) -> Result<bool, Full> {
        let size = frame.size();
        debug_assert!(size.is_multiple_of(8) && size as u64 <= ring.capacity / 4);
        let mut place = ring.place(self.tail);
        let until_wrap = ring.capacity - place as u64;
        let skip = if size as u64 > until_wrap { until_wrap } else { 0 };
        let need = skip + size as u64;
        let mut used = self.tail - self.head_seen;
        if used + need > ring.capacity / 2 {
            self.head_seen = ring.control.head();
            used = self.tail - self.head_seen;
            if used + need > ring.capacity {
                return Err(Full);
            }
        }
        if skip != 0 {
            let mark = u32::try_from(skip).unwrap_or(0) | SKIP;
            // SAFETY: `place` is a multiple of 8 below the capacity, so 8 bytes are there; they
            // are free, because `used + need` does not pass the capacity.
            unsafe { ring.data.set_number(place, mark) };
            self.tail += skip;
            place = 0;
        }
        // SAFETY: the bytes are inside the ring and free, see above; they are the producer's
        // alone until the tail is published.
        frame.fill(unsafe { ring.data.get_mut(place, size) });
        self.tail += size as u64;
        // Only this producer writes the two: no read-modify-write is needed.
        let records = ring.control.records_in.load(Ordering::Relaxed) + 1;
        ring.control.records_in.store(records, Ordering::Relaxed);
        ring.control.tail.store(self.tail, Ordering::Release);
        Ok(used + need > ring.capacity / 2)
    }
}

#[cfg(all(test, lb_loom))]
#[path = "queue_models.rs"]
mod models;

#[cfg(all(test, not(lb_loom)))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]
    use super::*;
    use crate::ring::mapping::Mapping;
    use crate::ring::tests_support::Same;

    const CAPACITY: usize = 1024;
    const DATA: usize = 4096;
    /// An interpreter takes its time.
    const ROUNDS: usize = if cfg!(miri) { 300 } else { 200_000 };

    fn memory() -> Mapping {
        Mapping::anonymous(DATA + CAPACITY).unwrap()
    }

    fn ring(memory: &Mapping) -> Ring<'_> {
        Ring::new(memory.control(0), memory.bytes(DATA, CAPACITY), CAPACITY as u64)
    }

    fn push(producer: &mut Producer, ring: Ring<'_>, size: usize, fill: u8) -> Result<bool, Full> {
        // SAFETY: the only producer of this test's ring.
        unsafe { producer.push(ring, &Same(size, fill)) }
    }

    fn take(ring: Ring<'_>) -> Option<(usize, u8)> {
        let mut at = ring.control.position();
        match ring.step(at.head, ring.control.tail()) {
            Step::Frame(bytes, next) => {
                let seen = (bytes.len(), bytes[bytes.len() - 1]);
                at.head = next;
                at.records += 1;
                ring.control.prepare(7, at);
                ring.control.finish(6);
                assert!(ring.control.head() < next, "another number changes nothing");
                ring.control.finish(7);
                ring.control.finish(7);
                Some(seen)
            }
            Step::End => None,
            Step::Damaged => panic!("damaged"),
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in_round_and_round() {
        let memory = memory();
        let ring = ring(&memory);
        let mut producer = Producer::resume(ring.control);
        let sizes = [32, 256, 40, 104, 200, 64, 248];
        for round in 0..1000usize {
            let size = sizes[round % sizes.len()];
            push(&mut producer, ring, size, round as u8).unwrap();
            assert_eq!(take(ring), Some((size, round as u8)));
            assert_eq!(take(ring).map(|seen| seen.0), None);
        }
        assert_eq!(ring.control.records(), (1000, 1000));
    }

    #[test]
    fn a_full_ring_says_so_and_loses_nothing() {
        let memory = memory();
        let ring = ring(&memory);
        let mut producer = Producer::resume(ring.control);
        let mut pushed = 0u8;
        while push(&mut producer, ring, 72, pushed).is_ok() {
            pushed += 1;
        }
        assert!(u64::from(pushed) >= (CAPACITY as u64 - 72) / 72);
        for expected in 0..pushed {
            assert_eq!(take(ring), Some((72, expected)));
        }
        assert!(push(&mut producer, ring, 72, 0).is_ok());
    }

    #[test]
    fn more_than_half_is_told() {
        let memory = memory();
        let ring = ring(&memory);
        let mut producer = Producer::resume(ring.control);
        assert!(!push(&mut producer, ring, 256, 0).unwrap());
        assert!(!push(&mut producer, ring, 256, 0).unwrap());
        assert!(push(&mut producer, ring, 256, 0).unwrap());
    }

    #[test]
    fn damaged_sizes_are_seen() {
        for size in [0u32, 3, 12, 4096, u32::MAX, SKIP, SKIP | 4096] {
            let memory = memory();
            let ring = ring(&memory);
            let mut producer = Producer::resume(ring.control);
            push(&mut producer, ring, 64, 0).unwrap();
            memory.write(DATA, &size.to_le_bytes());
            assert!(matches!(ring.step(0, ring.control.tail()), Step::Damaged), "{size}");
        }
        let memory = memory();
        assert!(matches!(ring(&memory).step(0, 1 << 40), Step::Damaged));
        // Positions of a hostile file: between two words, and about to pass the last number.
        let end = CAPACITY as u64 - 1;
        assert!(matches!(ring(&memory).step(end, end + 8), Step::Damaged));
        memory.write(DATA + CAPACITY - 8, &(SKIP | 8).to_le_bytes());
        assert!(matches!(ring(&memory).step(u64::MAX - 7, 0), Step::Damaged), "a mark alone");
    }

    #[test]
    fn two_threads() {
        let memory = memory();
        let ring_of = || ring(&memory);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut producer = Producer::resume(ring_of().control);
                for round in 0..ROUNDS {
                    while push(&mut producer, ring_of(), 32 + 8 * (round % 20), round as u8)
                        .is_err()
                    {
                        std::thread::yield_now();
                    }
                }
            });
            for round in 0..ROUNDS {
                let seen = loop {
                    if let Some(seen) = take(ring_of()) {
                        break seen;
                    }
                    std::thread::yield_now();
                };
                assert_eq!(seen, (32 + 8 * (round % 20), round as u8));
            }
        });
    }
}
