//! A push as JSON, then gzip: larger and slower than protobuf, and readable on the way.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::batch::Batch;
use crate::encode::escape;

/// Writes pushes. Keeps its memory.
#[derive(Default)]
pub(crate) struct Encoder {
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Encoder {
    /// The body of a push of this batch.
    ///
    /// # Errors
    /// None in truth: what is written to is memory.
    pub(crate) fn encode(&mut self, batch: &Batch) -> io::Result<&[u8]> {
        self.plain.clear();
        append(&mut self.plain, batch);
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        let mut gzip = GzEncoder::new(packed, Compression::default());
        gzip.write_all(&self.plain)?;
        self.packed = gzip.finish()?;
        Ok(&self.packed)
    }
}

/// Appends `{"streams":[{"stream":{…},"values":[["ns","line",{…}],…]}]}`.
fn append(out: &mut Vec<u8>, batch: &Batch) {
    out.extend_from_slice(b"{\"streams\":[{\"stream\":{");
    append_pairs(out, batch.stream().pairs());
    out.extend_from_slice(b"},\"values\":[");
    for (index, (ns, line, metadata)) in batch.entries().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"[\"");
        out.extend_from_slice(itoa::Buffer::new().format(ns).as_bytes());
        out.extend_from_slice(b"\",\"");
        escape(out, line);
        out.extend_from_slice(b"\",{");
        append_pairs(out, metadata.pairs().iter().map(|(name, value)| (*name, &**value)));
        out.extend_from_slice(b"}]");
    }
    out.extend_from_slice(b"]}]}");
}

/// Appends the members of an object.
fn append_pairs<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (index, (name, value)) in pairs.enumerate() {
        out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
        escape(out, name.as_bytes());
        out.extend_from_slice(b"\":\"");
        escape(out, value.as_bytes());
        out.push(b'"');
    }
}
