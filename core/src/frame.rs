//! The bytes of a record between the call and the writer: a *frame* in a ring, an *entry* in a batch.
//!
//! ```text
//! frame   size u32 | check u32 | stamp u64 | context u32 | message_len u32 | tags_len u32
//!         | level u8 | flags u8 | inline_len u16 | message | tags | inlined context | padding to 8
//! entry   size u32 | context u32 | timestamp_ns i64 | message_len u32 | level u8 | 0 0 0 | message | tags
//! tag     head u32 = type | key_len << 8 | key | value
//! value   STRING u32 len + bytes, INTEGER i64, UNSIGNED u64, NUMBER f64, BOOLEAN u8, NULL nothing
//! ```
//! All numbers are little-endian; within message and tags nothing is aligned. Everything that is
//! read back is checked, because a ring file may be damaged and a batch comes from a stranger.

use crate::record::{Level, TagValue};

/// Bytes of a frame before its message.
pub(crate) const FRAME_HEADER: usize = 32;
/// Bytes of a batch entry before its message.
pub const ENTRY_HEADER: usize = 24;
/// The stamp is nanoseconds since 1970 that the caller gave: it stays untouched.
pub(crate) const FLAG_GIVEN_TIME: u8 = 1;
/// The record was cut before it came into the ring; its last tag says by how much.
pub(crate) const FLAG_TRUNCATED: u8 = 2;
/// The tag that says how many bytes of message and tags were left out.
pub(crate) const TRUNCATED_TAG: &[u8] = b"truncated_bytes";

const TYPE_STRING: u8 = 1;
const TYPE_INTEGER: u8 = 2;
const TYPE_UNSIGNED: u8 = 3;
const TYPE_NUMBER: u8 = 4;
const TYPE_BOOLEAN: u8 = 5;
const TYPE_NULL: u8 = 6;

/// The longest tag key, in bytes.
pub(crate) const MAX_KEY: usize = (1 << 24) - 1;

/// What a record is besides its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) stamp: u64,
    pub(crate) context: u32,
    pub(crate) level: Level,
    pub(crate) flags: u8,
}

/// Bytes that a frame takes in a ring.
#[inline]
pub(crate) const fn frame_size(message: usize, tags: usize, inlined: usize) -> usize {
    (FRAME_HEADER + message + tags + inlined + 7) & !7
}

/// Fills a frame's header but for the checksum; `out` begins with it. Four stores.
#[inline]
pub(crate) fn write_header(
    out: &mut [u8; FRAME_HEADER],
    size: u32,
    head: Head,
    message_len: u32,
    tags_len: u32,
    inline_len: u16,
) {
    let kind = u64::from(head.level as u8) | u64::from(head.flags) << 8;
    let words = [
        u64::from(size),
        head.stamp,
        u64::from(head.context) | u64::from(message_len) << 32,
        u64::from(tags_len) | (kind | u64::from(inline_len) << 16) << 32,
    ];
    let (places, _) = out.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
}

/// The checksum of a frame, over all but its size and the checksum itself.
pub(crate) fn check(frame: &[u8]) -> u32 {
    crc32fast::hash(frame.get(8..).unwrap_or_default())
}

/// A frame read back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) head: Head,
    pub(crate) message: &'a [u8],
    /// In a damaged ring perhaps not sound: the walk ends at the first that cannot be read.
    pub(crate) tags: &'a [u8],
    /// The context's JSON where it is not in the ring file's table.
    pub(crate) inlined: Option<&'a [u8]>,
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

impl<'a> Frame<'a> {
    /// Reads a whole frame. `None` where anything in it cannot be true.
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER)?;
        let message_len = u32_at(header, 20)? as usize;
        let tags_len = u32_at(header, 24)? as usize;
        let inline_len = usize::from(header[30]) | usize::from(header[31]) << 8;
        let message_end = FRAME_HEADER.checked_add(message_len)?;
        let tags_end = message_end.checked_add(tags_len)?;
        let inline_end = tags_end.checked_add(inline_len)?;
        let inlined = bytes.get(tags_end..inline_end)?;
        Some(Self {
            head: Head {
                stamp: u64_at(header, 8)?,
                context: u32_at(header, 16)?,
                level: Level::from_number(header[28])?,
                flags: header[29],
            },
            message: bytes.get(FRAME_HEADER..message_end)?,
            tags: bytes.get(message_end..tags_end)?,
            inlined: if inline_len == 0 { None } else { Some(inlined) },
        })
    }
}

/// An entry of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Id of the context, 0 for the logger's own.
    pub context: u32,
    /// Severity.
    pub level: Level,
    /// Nanoseconds since 1970; `None` for now.
    pub timestamp_ns: Option<i64>,
    /// Message and tags, as they lie in the batch.
    pub(crate) message: &'a [u8],
    pub(crate) tags: &'a [u8],
}

/// What stands at a place of a batch.
pub enum Next<'a> {
    /// A sound entry and the rest of the batch.
    Entry(Entry<'a>, &'a [u8]),
    /// An entry that cannot be understood, why, and the rest of the batch.
    Malformed(&'static str, &'a [u8]),
    /// The entry's size leads nowhere: the rest of the batch cannot be read.
    Lost,
    /// The end.
    End,
}

/// Reads the entry at the start of `batch`.
#[must_use]
pub fn next_entry(batch: &[u8]) -> Next<'_> {
    if batch.is_empty() {
        return Next::End;
    }
    let Some(size) = u32_at(batch, 0).map(|size| size as usize) else {
        return Next::Lost;
    };
    if size < ENTRY_HEADER || size > batch.len() {
        return Next::Lost;
    }
    let (bytes, rest) = batch.split_at(size);
    match parse_entry(bytes) {
        Ok(entry) => Next::Entry(entry, rest),
        Err(why) => Next::Malformed(why, rest),
    }
}

fn parse_entry(bytes: &[u8]) -> Result<Entry<'_>, &'static str> {
    let short = "the entry is shorter than its header";
    let context = u32_at(bytes, 4).ok_or(short)?;
    let timestamp = u64_at(bytes, 8).ok_or(short)?.cast_signed();
    let message_len = u32_at(bytes, 16).ok_or(short)? as usize;
    let level = Level::from_number(bytes[20]).ok_or("no such level")?;
    let body = &bytes[ENTRY_HEADER..];
    if message_len > body.len() {
        return Err("the message is longer than its entry");
    }
    let (message, tags) = body.split_at(message_len);
    if !Tags::new(tags).all_sound() {
        return Err("the tags cannot be read");
    }
    Ok(Entry { context, level, timestamp_ns: (timestamp != 0).then_some(timestamp), message, tags })
}

/// Bytes that a tag takes.
#[inline]
pub(crate) fn tag_size(key: &[u8], value: TagValue<'_>) -> usize {
    4 + key.len().min(MAX_KEY)
        + match value {
            TagValue::String(text) => 4 + text.len(),
            TagValue::Integer(_) | TagValue::Unsigned(_) | TagValue::Number(_) => 8,
            TagValue::Boolean(_) => 1,
            TagValue::Null => 0,
        }
}

/// Writes a tag at the start of `out` and returns what is left of it; `None` where it does not fit.
#[inline]
pub(crate) fn write_tag<'o>(
    out: &'o mut [u8],
    key: &[u8],
    value: TagValue<'_>,
) -> Option<&'o mut [u8]> {
    let key = &key[..key.len().min(MAX_KEY)];
    let kind = match value {
        TagValue::String(_) => TYPE_STRING,
        TagValue::Integer(_) => TYPE_INTEGER,
        TagValue::Unsigned(_) => TYPE_UNSIGNED,
        TagValue::Number(_) => TYPE_NUMBER,
        TagValue::Boolean(_) => TYPE_BOOLEAN,
        TagValue::Null => TYPE_NULL,
    };
    let key_len = u32::try_from(key.len()).ok()?;
    let out = put(out, &(u32::from(kind) | key_len << 8).to_le_bytes())?;
    let out = put(out, key)?;
    match value {
        TagValue::String(text) => {
            let out = put(out, &u32::try_from(text.len()).ok()?.to_le_bytes())?;
            put(out, text)
        }
        TagValue::Integer(number) => put(out, &number.to_le_bytes()),
        TagValue::Unsigned(number) => put(out, &number.to_le_bytes()),
        TagValue::Number(number) => put(out, &number.to_le_bytes()),
        TagValue::Boolean(flag) => put(out, &[u8::from(flag)]),
        TagValue::Null => Some(out),
    }
}

#[inline]
fn put<'o>(out: &'o mut [u8], bytes: &[u8]) -> Option<&'o mut [u8]> {
    let (to, rest) = out.split_at_mut_checked(bytes.len())?;
    to.copy_from_slice(bytes);
    Some(rest)
}

/// A tag read back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tag<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: TagValue<'a>,
}

/// Walks encoded tags; ends at the first that cannot be read.
#[derive(Clone)]
pub(crate) struct Tags<'a> {
    rest: &'a [u8],
}

impl<'a> Tags<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether every byte belongs to a tag that can be read.
    pub(crate) fn all_sound(mut self) -> bool {
        while self.next().is_some() {}
        self.rest.is_empty()
    }

    fn read(bytes: &'a [u8]) -> Option<(Tag<'a>, &'a [u8])> {
        let head = u32_at(bytes, 0)?;
        let (key, rest) = bytes[4..].split_at_checked((head >> 8) as usize)?;
        let eight = || u64_at(rest, 0);
        let (value, used) = match head.to_le_bytes()[0] {
            TYPE_STRING => {
                let len = u32_at(rest, 0)? as usize;
                (TagValue::String(rest.get(4..4usize.checked_add(len)?)?), 4 + len)
            }
            TYPE_INTEGER => (TagValue::Integer(eight()?.cast_signed()), 8),
            TYPE_UNSIGNED => (TagValue::Unsigned(eight()?), 8),
            TYPE_NUMBER => (TagValue::Number(f64::from_bits(eight()?)), 8),
            TYPE_BOOLEAN => (TagValue::Boolean(*rest.first()? != 0), 1),
            TYPE_NULL => (TagValue::Null, 0),
            _ => return None,
        };
        Some((Tag { key, value }, &rest[used..]))
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    #[inline]
    fn next(&mut self) -> Option<Tag<'a>> {
        let (tag, rest) = Self::read(self.rest)?;
        self.rest = rest;
        Some(tag)
    }
}

/// A record that was too large for a frame, made smaller.
pub(crate) struct Cut<'a> {
    pub(crate) message: &'a [u8],
    pub(crate) tags: Vec<u8>,
}

/// Makes message and tags fit `limit` bytes: tags go from the last, then the message is cut.
/// The tag `truncated_bytes` says how many bytes of message, keys and values went.
pub(crate) fn cut<'a>(message: &'a [u8], tags: Tags<'_>, limit: usize) -> Cut<'a> {
    let mark = tag_size(TRUNCATED_TAG, TagValue::Unsigned(0));
    let room = limit.saturating_sub(mark);
    let kept_message = &message[..message.len().min(room)];
    let mut kept = Vec::new();
    let mut removed = message.len() - kept_message.len();
    let mut full = removed > 0;
    for tag in tags {
        let size = tag_size(tag.key, tag.value);
        full = full || kept_message.len() + kept.len() + size > room;
        if full {
            removed += payload(tag);
        } else {
            append_tag(&mut kept, tag.key, tag.value);
        }
    }
    append_tag(&mut kept, TRUNCATED_TAG, TagValue::Unsigned(removed as u64));
    Cut { message: kept_message, tags: kept }
}

/// Bytes that a tag carries: its key and its value as given.
pub(crate) fn payload(tag: Tag<'_>) -> usize {
    tag.key.len()
        + match tag.value {
            TagValue::String(text) => text.len(),
            TagValue::Integer(_) | TagValue::Unsigned(_) | TagValue::Number(_) => 8,
            TagValue::Boolean(_) => 1,
            TagValue::Null => 0,
        }
}

/// Appends a tag to encoded tags.
pub(crate) fn append_tag(out: &mut Vec<u8>, key: &[u8], value: TagValue<'_>) {
    let start = out.len();
    out.resize(start + tag_size(key, value), 0);
    write_tag(&mut out[start..], key, value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ALL: [(&[u8], TagValue<'static>); 6] = [
        (b"text", TagValue::String(b"v")),
        (b"int", TagValue::Integer(-7)),
        (b"big", TagValue::Unsigned(u64::MAX)),
        (b"num", TagValue::Number(0.5)),
        (b"flag", TagValue::Boolean(true)),
        (b"", TagValue::Null),
    ];

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in ALL {
            append_tag(&mut bytes, key, value);
        }
        bytes
    }

    #[test]
    fn tags_come_back() {
        let bytes = encoded();
        let back: Vec<_> = Tags::new(&bytes).map(|tag| (tag.key, tag.value)).collect();
        assert_eq!(back, ALL);
        assert!(Tags::new(&bytes).all_sound());
    }

    #[test]
    fn tags_cut_anywhere_are_never_sound_or_out_of_bounds() {
        let bytes = encoded();
        let whole: Vec<usize> = {
            let mut walk = Tags::new(&bytes);
            let mut ends = vec![0];
            while walk.next().is_some() {
                ends.push(bytes.len() - walk.rest.len());
            }
            ends
        };
        for end in 0..bytes.len() {
            assert_eq!(Tags::new(&bytes[..end]).all_sound(), whole.contains(&end), "{end}");
        }
    }

    #[test]
    fn a_cut_says_what_went() {
        let tags = encoded();
        let cut = cut(b"0123456789", Tags::new(&tags), 60);
        assert_eq!(cut.message, b"0123456789");
        let back: Vec<_> = Tags::new(&cut.tags).collect();
        assert_eq!(back[0].key, b"text");
        let last = back.last().unwrap();
        assert_eq!(last.key, TRUNCATED_TAG);
        let kept: usize = back[..back.len() - 1].iter().map(|tag| payload(*tag)).sum();
        let all: usize = Tags::new(&tags).map(payload).sum();
        assert_eq!(last.value, TagValue::Unsigned((all - kept) as u64));
        assert!(cut.message.len() + cut.tags.len() <= 60);
    }

    #[test]
    fn a_bad_entry_leaves_its_neighbours() {
        let mut batch = Vec::new();
        for level in [3u8, 99, 4] {
            batch.extend_from_slice(&26u32.to_le_bytes());
            batch.extend_from_slice(&[0; 12]);
            batch.extend_from_slice(&2u32.to_le_bytes());
            batch.extend_from_slice(&[level, 0, 0, 0, b'h', b'i']);
        }
        let mut rest = &batch[..];
        let mut seen = Vec::new();
        loop {
            rest = match next_entry(rest) {
                Next::Entry(entry, rest) => {
                    seen.push(entry.message.to_vec());
                    rest
                }
                Next::Malformed(why, rest) => {
                    seen.push(why.as_bytes().to_vec());
                    rest
                }
                Next::Lost => panic!("lost"),
                Next::End => break,
            };
        }
        assert_eq!(seen, [&b"hi"[..], b"no such level", b"hi"]);
        assert!(matches!(next_entry(&[5, 0, 0, 0]), Next::Lost));
        assert!(matches!(next_entry(&[1]), Next::Lost));
    }
}
