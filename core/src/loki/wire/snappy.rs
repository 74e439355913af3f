//! Raw snappy, written for lines that are much like each other.
//!
//! The format: <https://github.com/google/snappy/blob/main/format_description.txt>. The usual
//! compressors forget what they have seen after each 64 KiB, so that the first lines of the next
//! 64 KiB are written out again; here a match may lie up to 64 KiB back wherever it begins. They
//! take matches from four bytes on, too, which in lines of a log are mostly digits that are alike by
//! chance; here a match has eight. Together a push is 5 to 15 percent smaller than with the crate
//! `snap`, for a fifth more time.

use super::protobuf::append_number;

/// Bytes of the shortest match: those that are compared at once.
const SHORTEST: usize = size_of::<u64>();
/// Most bytes of a copy.
const LONGEST_COPY: u8 = 64;
/// Short literals are copied with so many bytes, which is one instruction, and then cut.
const SHORT_LITERAL: usize = 16;
/// So many bits of a hash choose a place in the table.
const TABLE_BITS: u32 = 14;
/// After each so many looks that found no match the steps grow by a byte: what cannot be compressed
/// is soon passed.
const PATIENCE: usize = 32;

/// Compresses texts. Keeps its memory.
pub(super) struct Compressor {
    /// Where eight bytes of a hash were seen last: the lower half of that position, because a copy
    /// reaches no further back. What an entry leads to is compared, so a wrong one does no harm.
    seen: Vec<u16>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { seen: vec![0; 1 << TABLE_BITS] }
    }

    /// Appends the compressed text, which has less than 4 GiB. The same text gives the same bytes.
    pub(super) fn compress(&mut self, text: &[u8], out: &mut Vec<u8>) {
        append_number(out, text.len() as u64);
        self.seen.fill(0);
        // Everything before `start` is written; from there to `at` there was no match.
        let (mut start, mut at, mut looks) = (0, 1, PATIENCE);
        while let Some(bytes) = eight(text, at) {
            let back = self.note(bytes, at);
            let before = at.checked_sub(back.into()).filter(|_| back > 0);
            let Some(before) = before.filter(|before| eight(text, *before) == Some(bytes)) else {
                at += looks / PATIENCE;
                looks += 1;
                continue;
            };
            append_literal(out, text, start, at);
            let length = SHORTEST + common(text, before + SHORTEST, at + SHORTEST);
            append_copies(out, back, length);
            at += length;
            (start, looks) = (at, PATIENCE);
            if let Some(bytes) = eight(text, at - 1) {
                self.note(bytes, at - 1);
            }
        }
        append_literal(out, text, start, text.len());
    }

    /// Notes where these bytes are; how far back they may have been before, 0 for nowhere.
    #[inline]
    fn note(&mut self, bytes: u64, at: usize) -> u16 {
        // The multiplier is 2^64 over the golden ratio: it spreads what differs in any byte.
        let hash = bytes.wrapping_mul(0x9E37_79B1_85EB_CA87) >> (u64::BITS - TABLE_BITS);
        let entry = &mut self.seen[usize::try_from(hash).unwrap_or(0)];
        let [low, high, ..] = at.to_le_bytes();
        let now = u16::from_le_bytes([low, high]);
        now.wrapping_sub(std::mem::replace(entry, now))
    }
}

/// The eight bytes at a position.
#[inline]
fn eight(text: &[u8], at: usize) -> Option<u64> {
    text.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// How many bytes are the same from two positions on, of which the second is the later one.
#[inline]
fn common(text: &[u8], one: usize, other: usize) -> usize {
    let mut length = 0;
    while let (Some(old), Some(new)) = (eight(text, one + length), eight(text, other + length)) {
        if old != new {
            return length + (old ^ new).trailing_zeros() as usize / 8;
        }
        length += SHORTEST;
    }
    let rest = |from: usize| text[from + length..].iter();
    length + rest(one).zip(rest(other)).take_while(|(old, new)| old == new).count()
}

/// Appends `start..end` of the text as it is.
#[inline]
fn append_literal(out: &mut Vec<u8>, text: &[u8], start: usize, end: usize) {
    let Some(last) = (end - start).checked_sub(1) else { return };
    let [low, high, third, fourth, ..] = last.to_le_bytes();
    match last {
        0..60 => out.push(low << 2),
        60..0x1_0000 => out.extend_from_slice(&[61 << 2, low, high]),
        _ => out.extend_from_slice(&[63 << 2, low, high, third, fourth]),
    }
    match text[start..].first_chunk::<SHORT_LITERAL>() {
        Some(bytes) if last < SHORT_LITERAL => {
            out.extend_from_slice(bytes);
            out.truncate(out.len() + last + 1 - SHORT_LITERAL);
        }
        _ => out.extend_from_slice(&text[start..end]),
    }
}

/// Appends a match as copies.
#[inline]
fn append_copies(out: &mut Vec<u8>, back: u16, mut length: usize) {
    let [low, high] = back.to_le_bytes();
    while length > LONGEST_COPY.into() {
        out.extend_from_slice(&[(LONGEST_COPY - 1) << 2 | 2, low, high]);
        length -= usize::from(LONGEST_COPY);
    }
    let [length, ..] = length.to_le_bytes();
    if (4..12).contains(&length) && high < 8 {
        out.extend_from_slice(&[high << 5 | (length - 4) << 2 | 1, low]);
    } else {
        out.extend_from_slice(&[(length - 1) << 2 | 2, low, high]);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::loki::ship::scene::random;

    /// Compressed, and held against what snappy's own reader makes of it.
    fn compressed(compressor: &mut Compressor, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compressor.compress(text, &mut out);
        let read = snap::raw::Decoder::new().decompress_vec(&out);
        assert!(read.as_deref() == Ok(text), "{} bytes came back as {read:?}", text.len());
        out
    }

    fn noise(seed: &mut u64, length: usize) -> Vec<u8> {
        (0..length).map(|_| random(seed, 256).to_le_bytes()[0]).collect()
    }

    /// Pieces of all lengths, new and seen before, near and far.
    #[test]
    fn every_text_comes_back() {
        let (mut compressor, mut seed) = (Compressor::new(), 1);
        for round in 0..400 {
            let mut text = Vec::new();
            let most = [3, 20, 300, 200_000][round % 4];
            while text.len() < most {
                let length = 1 + random(&mut seed, [9, 70, 500][round % 3]);
                if random(&mut seed, 3) == 0 || text.len() < length {
                    text.extend(noise(&mut seed, length));
                } else {
                    let start = random(&mut seed, text.len() - length + 1);
                    text.extend_from_within(start..start + length);
                }
            }
            text.truncate(most);
            compressed(&mut compressor, &text);
        }
        for length in 0..200 {
            compressed(&mut compressor, &vec![b'x'; length]);
            compressed(&mut compressor, &noise(&mut seed, length));
        }
    }

    #[test]
    fn literals_of_every_kind_come_back_and_grow_by_little() {
        let (mut compressor, mut seed) = (Compressor::new(), 2);
        for length in [59, 60, 61, 62, 256, 257, 0xFFFF, 0x1_0000, 0x1_0001, 1 << 20] {
            let text = noise(&mut seed, length);
            let out = compressed(&mut compressor, &text);
            assert!(out.len() <= length + 9, "{length} bytes became {}", out.len());
        }
    }

    #[test]
    fn a_match_reaches_back_64_kib_and_no_further() {
        let (mut compressor, mut seed) = (Compressor::new(), 3);
        let again = noise(&mut seed, 1000);
        for back in [1000, 2047, 2048, 0xFFFF, 0x1_0000, 0x1_0001] {
            // The first byte of a text is not looked at.
            let mut text = [&[0], &*again].concat();
            text.resize(1 + back, 0);
            text.extend_from_slice(&again);
            let most = again.len() * 3 / 2 + back * 3 / usize::from(LONGEST_COPY);
            let found = compressed(&mut compressor, &text).len() < most;
            assert_eq!(found, back <= 0xFFFF, "{back}");
        }
    }

    /// What it is for.
    #[test]
    fn what_comes_again_in_the_next_64_kib_is_not_written_again() {
        let piece = noise(&mut 4, 40_000);
        let out = compressed(&mut Compressor::new(), &piece.repeat(10));
        assert!(out.len() < 40_000 + 9 * 2_000, "{}", out.len());
        let others = snap::raw::Encoder::new().compress_vec(&piece.repeat(10)).unwrap();
        assert!(others.len() > 200_000, "{}", others.len());
    }
}
