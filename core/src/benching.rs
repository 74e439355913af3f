//! What `benches/` measures of the inside.
#![allow(missing_docs)]

use std::collections::{BTreeMap, VecDeque};

use crate::encode::{EncodedContext, Encoder, Source};
use crate::loki::ship::offset::Place;
use crate::loki::ship::parcel::{Packing, Parcel};
use crate::loki::wire::line::LineReader;
use crate::loki::wire::{json, protobuf};
use crate::record::{Context, Level};

/// The encoder with one context, as the writer has them.
pub struct Lines {
    encoder: Encoder,
    context: EncodedContext,
}

impl Lines {
    #[must_use]
    pub fn new(context: &Context, max_record_bytes: usize) -> Self {
        Self { encoder: Encoder::new(max_record_bytes), context: EncodedContext::new(context) }
    }

    /// Appends the line of an INFO record without tags of its own.
    pub fn append(&mut self, out: &mut Vec<u8>, ns: i64, message: &[u8]) {
        let source = Source { ns, level: Level::Info, flags: 0, message, tags: b"" };
        self.encoder.append(out, &self.context, source);
    }
}

/// Lines of a file on their way into the bodies of pushes, as the shipper takes them.
pub struct Pushes {
    reader: LineReader,
    packing: Packing,
    full: VecDeque<Parcel>,
    protobuf: protobuf::Encoder,
    json: json::Encoder,
}

/// What was made of the lines of one push.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    pub lines: usize,
    pub line_bytes: usize,
    pub bytes: usize,
}

impl Body {
    fn new(parcel: &Parcel, body: &[u8]) -> Self {
        let line_bytes = parcel.batch.lines().map(|(_, line)| line.len()).sum();
        Self { lines: parcel.batch.len(), line_bytes, bytes: body.len() }
    }
}

impl Default for Pushes {
    fn default() -> Self {
        Self {
            reader: LineReader::new(&BTreeMap::new()),
            packing: Packing::new(usize::MAX),
            full: VecDeque::new(),
            protobuf: protobuf::Encoder::new(),
            json: json::Encoder::default(),
        }
    }
}

impl Pushes {
    /// Reads lines from the beginning of `text` until a push is full or the text is at its end;
    /// those below INFO are passed over. How many bytes that were.
    ///
    /// # Errors
    /// A line that is no record.
    pub fn read(&mut self, text: &[u8]) -> Result<usize, &'static str> {
        let mut at = 0;
        while self.full.is_empty()
            && let Some(length) = memchr::memchr(b'\n', &text[at..])
        {
            let (line, start) = (&text[at..at + length], at as u64);
            at += length + 1;
            let read = self.reader.read(line)?;
            if read.level >= Level::Info {
                let place = Place { segment: 0, start, end: at as u64 };
                self.packing.add(&read, line, place, false, None, &mut self.full);
            }
        }
        if at == text.len() {
            self.packing.empty_into(&mut self.full);
        }
        Ok(at)
    }

    /// The next push that is full, as protobuf with raw snappy; it stays.
    ///
    /// # Errors
    /// None: as those of [`Pushes::json`].
    pub fn protobuf(&mut self) -> Result<Option<Body>, String> {
        let Some(parcel) = self.full.front() else { return Ok(None) };
        Ok(Some(Body::new(parcel, self.protobuf.encode(&parcel.batch))))
    }

    /// The same as JSON with gzip.
    ///
    /// # Errors
    /// None in truth.
    pub fn json(&mut self) -> Result<Option<Body>, String> {
        let Some(parcel) = self.full.front() else { return Ok(None) };
        let body = self.json.encode(&parcel.batch).map_err(|error| error.to_string())?;
        Ok(Some(Body::new(parcel, body)))
    }

    /// The push is sent; false where there was none.
    pub fn sent(&mut self) -> bool {
        self.full.pop_front().is_some()
    }
}

/// A collected file's gzip, made by one thread.
///
/// # Errors
/// None that is known: it goes into memory.
pub fn gzipped(plain: &[u8], level: u32) -> std::io::Result<Vec<u8>> {
    crate::collect::gzip::packed_here(plain, level)
}
