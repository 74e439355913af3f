//! Models of several threads and their rings.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use loom::thread;

use super::super::header::Layout;
use super::super::models::model;
use super::super::queue::Step;
use super::super::tests_support::{Same, birth};
use super::*;

fn rings(count: u64) -> Arc<Rings> {
    let birth = birth(1, Path::new("/x.jsonl"));
    Rings::new(RingFile::in_memory(Layout::new(4096, 4096 * count), &birth).unwrap())
}

fn pushed(rings: &Rings) -> Vec<u64> {
    rings.file().used().map(|ring| ring.control.records().1).collect()
}

/// Walks all that was published, and adds up the frames' marks.
fn sum(rings: &Rings) -> u64 {
    let mut sum = 0;
    for ring in rings.file().used() {
        let mut at = ring.control.head();
        while let Step::Frame(bytes, next) = ring.step(at, ring.control.tail()) {
            sum += u64::from(bytes[4]);
            at = next;
        }
    }
    sum
}

/// As callers do it.
fn offer(rings: &Rings, mark: u8) -> Result<bool, Refused> {
    let frame = Same(16, mark);
    rings.push_again(&frame).map_or_else(|| rings.push(&frame), Ok)
}

fn push(rings: &Rings, mark: u8) {
    offer(rings, mark).unwrap();
}

/// What the end of a thread does.
fn end_of_thread() {
    LEASES.with(|leases| leases.borrow_mut().clear());
}

/// One of the two threads has the only ring until it ends, then the other may have it. Breaks where a ring
/// is given to a thread while another has it.
#[test]
fn loom_a_ring_goes_from_a_thread_that_ended_to_another() {
    model(3, || {
        let rings = rings(2);
        let theirs = rings.clone();
        let first = thread::spawn(move || push(&theirs, 1));
        push(&rings, 2);
        first.join().unwrap();
        // Both in the ring that was handed over, or one of them in the shared one.
        assert!([vec![0, 2], vec![1, 1]].contains(&pushed(&rings)), "{:?}", pushed(&rings));
        assert_eq!(sum(&rings), 3);
    });
}

/// A thread that has given its ring back does not push into it any more: another may have it. Breaks
/// where the thread still remembers it, or gives it back twice.
#[test]
fn loom_a_ring_that_was_given_back_is_another_threads() {
    model(3, || {
        let rings = rings(2);
        let theirs = rings.clone();
        let ending = thread::spawn(move || {
            push(&theirs, 1);
            end_of_thread();
            push(&theirs, 2);
        });
        push(&rings, 4);
        ending.join().unwrap();
        assert_eq!(pushed(&rings).iter().sum::<u64>(), 3);
        assert_eq!(sum(&rings), 7);
    });
}

/// Breaks without the lock of the shared ring.
#[test]
fn loom_threads_without_a_ring_share_one() {
    model(3, || {
        let rings = rings(1);
        let theirs = rings.clone();
        let other = thread::spawn(move || push(&theirs, 1));
        push(&rings, 2);
        other.join().unwrap();
        assert_eq!((pushed(&rings), sum(&rings)), (vec![2], 3));
    });
}

/// When `close` has returned, nothing is pushed any more, and what was pushed is seen. The two
/// sides of the real fence are no equals: membarrier(2) does the work of both on the rare side.
/// loom knows nothing of it; here both sides are the sequentially consistent fence that they stand
/// for together. Breaks where either fence is missing, where `closed` is looked at before `busy` is
/// set, and where `busy` is cleared without Release or looked at without Acquire.
#[test]
fn loom_nothing_is_pushed_after_close() {
    model(3, || {
        let rings = rings(2);
        let theirs = rings.clone();
        let pushing = thread::spawn(move || (0..2).filter(|_| offer(&theirs, 1).is_ok()).count());
        assert!(rings.close(Instant::now() + Duration::from_secs(3600)));
        let seen = (pushed(&rings).iter().sum(), sum(&rings));
        let accepted = pushing.join().unwrap() as u64;
        assert_eq!(seen, (accepted, accepted));
        assert_eq!(offer(&rings, 3), Err(Refused::Closed));
    });
}
