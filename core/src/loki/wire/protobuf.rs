//! A push as protobuf, then raw snappy: what Loki reads fastest, written by hand, because a batch is
//! laid out so that writing is copying.
//!
//! Loki's definition (`pkg/push/push.proto`):
//!
//! ```proto
//! message PushRequest { repeated Stream streams = 1; }
//! message Stream { string labels = 1; repeated Entry entries = 2; }
//! message Entry { google.protobuf.Timestamp timestamp = 1; string line = 2;
//!                 repeated LabelPair structuredMetadata = 3; }
//! message LabelPair { string name = 1; string value = 2; }
//! message Timestamp { int64 seconds = 1; int32 nanos = 2; }
//! ```

use super::batch::Batch;
use super::snappy::Compressor;

/// Field 1, 2 and 3 with a length before their bytes.
const BYTES_1: u8 = 1 << 3 | 2;
const BYTES_2: u8 = 2 << 3 | 2;
const BYTES_3: u8 = 3 << 3 | 2;
/// Field 1 and 2 as a number.
const NUMBER_1: u8 = 1 << 3;
const NUMBER_2: u8 = 2 << 3;

const SECOND_NS: i64 = 1_000_000_000;

/// Writes pushes. Keeps its memory.
pub(crate) struct Encoder {
    plain: Vec<u8>,
    packed: Vec<u8>,
    snappy: Compressor,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { plain: Vec::new(), packed: Vec::new(), snappy: Compressor::new() }
    }

    /// The body of a push of this batch.
    pub(crate) fn encode(&mut self, batch: &Batch) -> &[u8] {
        self.plain.clear();
        self.plain.reserve(batch.bytes());
        append(&mut self.plain, batch);
        self.packed.clear();
        self.snappy.compress(&self.plain, &mut self.packed);
        &self.packed
    }
}

/// Appends the request with its one stream.
fn append(out: &mut Vec<u8>, batch: &Batch) {
    let labels = batch.stream().labels();
    out.push(BYTES_1);
    append_number(out, stream_bytes(labels, batch.entry_bytes()) as u64);
    append_bytes(out, BYTES_1, labels.as_bytes());
    for (ns, line, metadata) in batch.entries() {
        let (seconds, nanos) = split(ns);
        let time = time_bytes(seconds, nanos);
        out.push(BYTES_2);
        append_number(out, entry_content(ns, line.len(), metadata.protobuf().len()) as u64);
        // A timestamp has at most 17 bytes.
        out.extend_from_slice(&[BYTES_1, u8::try_from(time).unwrap_or(0)]);
        if seconds != 0 {
            out.push(NUMBER_1);
            append_number(out, seconds.cast_unsigned());
        }
        if nanos != 0 {
            out.push(NUMBER_2);
            append_number(out, nanos);
        }
        append_bytes(out, BYTES_2, line);
        out.extend_from_slice(metadata.protobuf());
    }
}

/// Bytes of a request with these labels and so many bytes of entries.
pub(super) fn request_bytes(labels: &str, entries: usize) -> usize {
    let stream = stream_bytes(labels, entries);
    1 + number_bytes(stream as u64) + stream
}

/// Bytes that a line takes within a request.
pub(super) fn entry_bytes(ns: i64, line: usize, metadata: usize) -> usize {
    let content = entry_content(ns, line, metadata);
    1 + number_bytes(content as u64) + content
}

/// The structured metadata of an entry as it stands there.
pub(super) fn metadata(pairs: &[(&'static str, Box<str>)]) -> Box<[u8]> {
    let mut out = Vec::new();
    for (name, value) in pairs {
        out.push(BYTES_3);
        append_number(&mut out, (field_bytes(name.len()) + field_bytes(value.len())) as u64);
        append_bytes(&mut out, BYTES_1, name.as_bytes());
        append_bytes(&mut out, BYTES_2, value.as_bytes());
    }
    out.into_boxed_slice()
}

fn stream_bytes(labels: &str, entries: usize) -> usize {
    field_bytes(labels.len()) + entries
}

fn entry_content(ns: i64, line: usize, metadata: usize) -> usize {
    let (seconds, nanos) = split(ns);
    2 + time_bytes(seconds, nanos) + field_bytes(line) + metadata
}

fn time_bytes(seconds: i64, nanos: u64) -> usize {
    let field = |number: u64| if number == 0 { 0 } else { 1 + number_bytes(number) };
    field(seconds.cast_unsigned()) + field(nanos)
}

/// Whole seconds, and the nanoseconds of that second.
fn split(ns: i64) -> (i64, u64) {
    (ns.div_euclid(SECOND_NS), ns.rem_euclid(SECOND_NS).cast_unsigned())
}

/// Bytes of a field with its length before it.
fn field_bytes(length: usize) -> usize {
    1 + number_bytes(length as u64) + length
}

fn append_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field);
    append_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, lowest first.
pub(super) fn append_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Bytes of a number: one for each seven bits.
fn number_bytes(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}
