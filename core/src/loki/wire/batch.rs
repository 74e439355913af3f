//! Lines of one stream on their way to Loki.

use std::sync::Arc;

use super::line::Line;
use super::protobuf;
use super::stream::{Metadata, Stream};

/// Lines of one stream, with their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    stream: Arc<Stream>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// What the entries take in a push, before compression.
    entry_bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    ns: i64,
    /// Where its line ends in `text`; it starts where the one before it ends.
    end: usize,
    metadata: Arc<Metadata>,
}

impl Batch {
    pub(crate) fn new(stream: Arc<Stream>) -> Self {
        Self { stream, text: Vec::new(), entries: Vec::new(), entry_bytes: 0 }
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Adds a line of this stream; `text` is what was read, without the newline.
    pub(crate) fn push(&mut self, line: &Line, text: &[u8]) {
        debug_assert_eq!(line.stream, self.stream);
        self.add(line.ns, text, &line.metadata);
    }

    fn add(&mut self, ns: i64, text: &[u8], metadata: &Arc<Metadata>) {
        self.text.extend_from_slice(text);
        self.entry_bytes += protobuf::entry_bytes(ns, text.len(), metadata.protobuf().len());
        self.entries.push(Entry { ns, end: self.text.len(), metadata: Arc::clone(metadata) });
    }

    /// How many lines it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The size of its push before compression, bytes; exact for protobuf.
    pub(crate) fn bytes(&self) -> usize {
        protobuf::request_bytes(self.stream.labels(), self.entry_bytes)
    }

    /// What [`Batch::bytes`] would be with this line, too.
    pub(crate) fn bytes_with(&self, line: &Line, text: &[u8]) -> usize {
        let more = protobuf::entry_bytes(line.ns, text.len(), line.metadata.protobuf().len());
        protobuf::request_bytes(self.stream.labels(), self.entry_bytes + more)
    }

    pub(super) fn entry_bytes(&self) -> usize {
        self.entry_bytes
    }

    /// Each line with its time and metadata, in the order in which they were added.
    pub(super) fn entries(&self) -> impl Iterator<Item = (i64, &[u8], &Arc<Metadata>)> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|entry| entry.end));
        let text = |(entry, start): (&Entry, usize)| &self.text[start..entry.end];
        self.entries
            .iter()
            .zip(starts)
            .map(move |(entry, start)| (entry.ns, text((entry, start)), &entry.metadata))
    }

    /// Each line with its time, in the order in which they were added.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.entries().map(|(ns, text, _)| (ns, text))
    }

    /// The lines whose index is chosen, in their order.
    pub(crate) fn subset(&self, mut chosen: impl FnMut(usize) -> bool) -> Self {
        let mut subset = Self::new(Arc::clone(&self.stream));
        for (index, (ns, text, metadata)) in self.entries().enumerate() {
            if chosen(index) {
                subset.add(ns, text, metadata);
            }
        }
        subset
    }
}
