//! Ring files as a stranger finds them, damaged at will.

use std::path::Path;
use std::sync::OnceLock;

use super::{Feed, folder, json};
use crate::frame::{FRAME_HEADER, Head, append_tag, check, frame_size, write_header};
use crate::gather::{BLOCK_BYTES, Gatherer};
use crate::record::{Level, TagValue};
use crate::ring::tests_support::birth;
use crate::ring::{Birth, Fill, Layout, Producer, RingFile};

const PAGE: usize = 4096;

/// A frame that is made already.
pub(crate) struct Whole(Vec<u8>);

impl Fill for Whole {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn fill(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

/// A frame whose tag `n` is `number`; each fifth brings its context, the others are of context 1.
pub(crate) fn frame(number: u8, context: &[u8], checked: bool) -> Whole {
    let message = vec![b'a' + number % 26; usize::from(number) * 7 % 200];
    let mut tags = Vec::new();
    append_tag(&mut tags, b"key", TagValue::String(b"value"));
    append_tag(&mut tags, b"n", TagValue::Unsigned(u64::from(number)));
    let inlined = if number.is_multiple_of(5) { context } else { b"" };
    let size = frame_size(message.len(), tags.len(), inlined.len());
    let mut bytes = vec![0; size];
    let head = Head { stamp: u64::from(number), context: 1, level: Level::Info, flags: number & 1 };
    let len = |part: &[u8]| u32::try_from(part.len()).unwrap();
    let (header, _) = bytes.split_first_chunk_mut::<FRAME_HEADER>().unwrap();
    let inline_len = u16::try_from(inlined.len()).unwrap();
    write_header(header, u32::try_from(size).unwrap(), head, len(&message), len(&tags), inline_len);
    let body: Vec<u8> = [&message[..], &tags, inlined].concat();
    bytes[FRAME_HEADER..FRAME_HEADER + body.len()].copy_from_slice(&body);
    if checked {
        let sum = check(&bytes);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    }
    Whole(bytes)
}

/// A sound ring file of two rings, some of whose records are taken.
fn sound(checked: bool) -> Vec<u8> {
    let path = folder().join(format!("sound-{checked}"));
    let birth = Birth { max_record_bytes: 1024, ..birth(7, Path::new("/x/a.jsonl")) };
    let layout = Layout::new(PAGE as u64, 2 * PAGE as u64);
    let rings = RingFile::create(&path, layout, &birth, checked).unwrap();
    let context = br#"{"component":"c","host":"h","run_id":"r","logger":"l","event_type":"log","workload":"w","repetition":1,"tags":{"bound":1}}"#;
    assert!(rings.store_context(1, context));
    assert_eq!(rings.add_ring(), Some(1));
    for ring in rings.used() {
        let mut producer = Producer::resume(ring.control);
        for number in 0..60 {
            // SAFETY: the only producer of this ring.
            if unsafe { producer.push(ring, &frame(number, context, checked)) }.is_err() {
                let mut gatherer = Gatherer::new(1024);
                gatherer.gather(&rings, 1500, u64::cast_signed, true);
                rings.prepare(1 + u64::from(number), gatherer.block().end());
                rings.finish(1 + u64::from(number));
            }
        }
    }
    let image = std::fs::read(&path).unwrap();
    rings.remove();
    image
}

/// Damages a sound file as `feed` says.
fn damage(image: &mut [u8], feed: &mut Feed<'_>) {
    let parts = [0, PAGE, 2 * PAGE, 2 * PAGE + 384, 3 * PAGE, 3 * PAGE + 65_536, 4 * PAGE + 65_536];
    while !feed.0.is_empty() {
        let how = feed.number(1);
        let part = parts[usize::try_from(how).unwrap() % parts.len()];
        let within = usize::try_from(feed.number(2)).unwrap() % PAGE;
        let at = part + if how & 64 == 0 { within } else { within % 64 * 8 };
        let number = match how >> 3 & 7 {
            0 => 0,
            1 => u64::MAX - feed.number(1),
            2 => feed.number(1),
            3 => feed.number(8),
            4 => feed.number(2),
            5 => 1 << (feed.number(1) % 64),
            _ => {
                if let Some(byte) = image.get_mut(at) {
                    *byte ^= 1 << (feed.number(1) % 8);
                }
                continue;
            }
        };
        let len = if how & 128 == 0 { 8 } else { 4 };
        if let Some(place) = image.get_mut(at..at + len) {
            place.copy_from_slice(&number.to_le_bytes()[..len]);
        }
    }
}

/// A damaged ring file is refused, or its rings are read to the end: what can be saved becomes
/// whole lines.
pub fn ring_file(data: &[u8]) {
    static SOUND: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    let mut feed = Feed(data);
    let how = feed.number(1);
    let images = SOUND.get_or_init(|| [sound(false), sound(true)]);
    let mut image = images[usize::from(how & 1 != 0)].clone();
    damage(&mut image, &mut feed);
    if how & 2 == 0 {
        let sum = crc32fast::hash(&image[..PAGE - 4]);
        image[PAGE - 4..PAGE].copy_from_slice(&sum.to_le_bytes());
    }
    if how & 0x1C == 0x1C {
        image.truncate(usize::try_from(how >> 5).unwrap() * 13_000);
    }
    let path = folder().join("rings");
    std::fs::write(&path, &image).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    if let Ok(rings) = RingFile::open(file, &path) {
        read_all(&rings);
    }
}

fn read_all(rings: &RingFile) {
    let limit = rings.max_record_bytes();
    let mut gatherer = Gatherer::new(limit);
    let calibration = rings.calibration();
    for number in 1..10_000 {
        gatherer.gather(rings, BLOCK_BYTES, |stamp| calibration.to_ns(stamp), true);
        let block = gatherer.block();
        if block.is_empty() {
            assert!(rings.used().all(|ring| ring.control.head() == ring.control.tail()));
            return;
        }
        for line in block.lines().split_inclusive(|byte| *byte == b'\n') {
            assert!(line.len() <= limit + 1, "{} of {limit}", line.len());
            json::line(line);
        }
        rings.prepare(number, block.end());
        rings.finish(number);
    }
    panic!("it never ends");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_without_their_context_count_once_and_are_no_longer_queued() {
        let birth = Birth { max_record_bytes: 1024, ..birth(7, Path::new("/x/a.jsonl")) };
        let layout = Layout::new(16 * PAGE as u64, 16 * PAGE as u64);
        let rings = RingFile::in_memory(layout, &birth).unwrap();
        let context = br#"{"component":"c","host":"h","run_id":"r","logger":"l","event_type":"log","workload":"w","repetition":1}"#;
        let mut producer = Producer::resume(rings.ring(0).control);
        for number in 0..20 {
            // SAFETY: the only producer of this ring.
            unsafe { producer.push(rings.ring(0), &frame(number, context, false)) }.unwrap();
        }
        let mut gatherer = Gatherer::new(1024);
        gatherer.gather(&rings, BLOCK_BYTES, u64::cast_signed, true);
        // Each fifth brings its context along; the others name one that was never stored.
        assert_eq!((gatherer.block().count(), gatherer.block().lost()), (4, 16));
        rings.prepare(1, gatherer.block().end());
        rings.finish(1);
        assert_eq!(rings.records(), (20, 20));
        gatherer.gather(&rings, BLOCK_BYTES, u64::cast_signed, true);
        assert!(gatherer.block().is_empty() && gatherer.block().lost() == 0);
    }
}
