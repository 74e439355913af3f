//! Models of one ring: a producer, a consumer, and those who look on.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::sync::Arc;

use loom::thread;

use super::super::mapping::Mapping;
use super::super::models::model;
use super::super::tests_support::Same;
use super::*;

const CAPACITY: usize = 64;
const DATA: usize = 1024;

fn memory() -> Arc<Mapping> {
    Arc::new(Mapping::anonymous(DATA + CAPACITY).unwrap())
}

fn ring(memory: &Mapping) -> Ring<'_> {
    Ring::new(memory.control(0), memory.bytes(DATA, CAPACITY), CAPACITY as u64)
}

fn push(producer: &mut Producer, memory: &Mapping, size: usize, fill: u8) -> Result<bool, Full> {
    // SAFETY: the only producer of this model's ring.
    unsafe { producer.push(ring(memory), &Same(size, fill)) }
}

/// Reads one frame and notes under `number` where the ring will stand behind it.
fn read(memory: &Mapping, number: u64) -> Option<(usize, u8)> {
    let ring = ring(memory);
    let mut at = ring.control.position();
    match ring.step(at.head, ring.control.tail()) {
        Step::Frame(bytes, next) => {
            assert!(bytes[4..].iter().all(|byte| *byte == bytes[4]), "a torn frame");
            let seen = (bytes.len(), bytes[4]);
            at.head = next;
            at.records += 1;
            ring.control.prepare(number, at);
            Some(seen)
        }
        Step::End => None,
        Step::Damaged => panic!("damaged"),
    }
}

/// What the writer does for one frame, `number` being that of its append.
fn take(memory: &Mapping, number: u64) -> Option<(usize, u8)> {
    let seen = read(memory, number)?;
    ring(memory).control.finish(number);
    Some(seen)
}

/// As [`take`], by a thread that ends before another, which knows of it by the file's lock alone,
/// finishes its append.
fn take_by_two(memory: &Arc<Mapping>, number: u64) -> Option<(usize, u8)> {
    let theirs = memory.clone();
    let seen = thread::spawn(move || read(&theirs, number)).join().unwrap()?;
    ring(memory).control.finish(number);
    Some(seen)
}

/// Pushes and takes these frames, so that the ring stands behind them.
fn turn(memory: &Mapping, sizes: &[usize]) -> Producer {
    let mut producer = Producer::resume(ring(memory).control);
    for &size in sizes {
        push(&mut producer, memory, size, 0xEE).unwrap();
        assert_eq!(take(memory, 1), Some((size, 0xEE)));
    }
    producer
}

/// `sizes` are pushed by one thread and taken by another; all arrive whole, once and in order.
fn passes(before: &'static [usize], sizes: &'static [usize]) {
    model(3, move || {
        let memory = memory();
        let mut producer = turn(&memory, before);
        let theirs = memory.clone();
        let pushing = thread::spawn(move || {
            for (index, &size) in sizes.iter().enumerate() {
                while push(&mut producer, &theirs, size, index as u8).is_err() {
                    thread::yield_now();
                }
            }
        });
        for (index, &size) in sizes.iter().enumerate() {
            let seen = loop {
                match take(&memory, 2 + index as u64) {
                    Some(seen) => break seen,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(seen, (size, index as u8));
        }
        pushing.join().unwrap();
        assert_eq!(take(&memory, 99), None);
        let all = (before.len() + sizes.len()) as u64;
        assert_eq!(ring(&memory).control.records(), (all, all));
    });
}

/// Breaks where the tail is stored without Release or loaded without Acquire.
#[test]
fn loom_what_is_published_is_whole() {
    passes(&[], &[16, 8]);
}

/// Breaks as the one before.
#[test]
fn loom_frames_pass_the_end_of_the_ring() {
    // 56 of 64 bytes are behind: a frame of 16 is pushed behind a skip mark.
    passes(&[16, 16, 16, 8], &[16, 8]);
}

/// Breaks where the bytes of a skip mark are not counted as used.
#[test]
fn loom_a_skip_mark_takes_room() {
    // The fourth frame has 16 bytes in all, 8 before the end and 8 behind it.
    passes(&[8], &[16, 16, 16, 16]);
}

/// Breaks where the head is loaded by the producer without Acquire, or one frame too many is let
/// in.
#[test]
fn loom_a_full_ring_gives_its_place_back() {
    model(3, || {
        let memory = memory();
        let mut producer = turn(&memory, &[16]);
        for fill in 0..4 {
            push(&mut producer, &memory, 16, fill).unwrap();
        }
        assert!(push(&mut producer, &memory, 16, 4).is_err(), "it is full");
        let theirs = memory.clone();
        let pushing = thread::spawn(move || {
            while push(&mut producer, &theirs, 16, 4).is_err() {
                thread::yield_now();
            }
        });
        for fill in 0..2 {
            assert_eq!(take(&memory, 2 + u64::from(fill)), Some((16, fill)));
        }
        pushing.join().unwrap();
        for fill in 2..5 {
            assert_eq!(take(&memory, 2 + u64::from(fill)), Some((16, fill)));
        }
        assert_eq!(take(&memory, 99), None);
    });
}

/// Breaks, besides, where the head is stored without Release: the fence of `prepare`, which would
/// do for one thread, is another thread's here.
#[test]
fn loom_a_full_ring_gets_its_place_from_who_finishes_an_append() {
    model(3, || {
        let memory = memory();
        let mut producer = turn(&memory, &[16]);
        for fill in 0..4 {
            push(&mut producer, &memory, 16, fill).unwrap();
        }
        let theirs = memory.clone();
        let pushing = thread::spawn(move || {
            while push(&mut producer, &theirs, 16, 4).is_err() {
                thread::yield_now();
            }
        });
        assert_eq!(take_by_two(&memory, 2), Some((16, 0)));
        pushing.join().unwrap();
        for fill in 1..5 {
            assert_eq!(take(&memory, 2 + u64::from(fill)), Some((16, fill)));
        }
    });
}

/// Whoever reads the counts from outside never sees more taken than published. Breaks where
/// `records_in` is stored behind the tail, or `records_out` without Release.
#[test]
fn loom_no_more_is_taken_than_was_published() {
    model(2, || {
        let memory = memory();
        let mut producer = turn(&memory, &[16]);
        let (pushes, looks) = (memory.clone(), memory.clone());
        let pushing =
            thread::spawn(move || push(&mut producer, &pushes, 16, 1).map(|_| ()).unwrap());
        let looking = thread::spawn(move || {
            let control = ring(&looks).control;
            while control.records_out.load(Ordering::Acquire) == 1 {
                thread::yield_now();
            }
            assert_eq!(control.records_in.load(Ordering::Acquire), 2);
        });
        while ring(&memory).control.tail() == 16 {
            thread::yield_now();
        }
        assert_eq!(take_by_two(&memory, 2), Some((16, 1)));
        pushing.join().unwrap();
        looking.join().unwrap();
    });
}

/// A process may die between any two stores of `prepare`: then nothing of the new position
/// stands under the number of the append before, which was never finished. Breaks where the number
/// is not voided first, where the fence behind that is missing, and where the new number is stored
/// without Release.
#[test]
fn loom_a_position_is_void_before_it_changes() {
    model(3, || {
        let memory = memory();
        let at = |head| Position { head, records: head, last_ns: 0 };
        ring(&memory).control.prepare(1, at(8));
        let theirs = memory.clone();
        let preparing = thread::spawn(move || ring(&theirs).control.prepare(2, at(16)));
        let control = ring(&memory).control;
        let head = control.pending_head.load(Ordering::Relaxed);
        let records = control.pending_records.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let number = control.pending_number.load(Ordering::Acquire);
        assert!(number != 1 || (head, records) == (8, 8), "{number}: {head} {records}");
        if number == 2 {
            assert_eq!(control.pending_head.load(Ordering::Relaxed), 16);
        }
        preparing.join().unwrap();
    });
}
