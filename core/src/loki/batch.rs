//! Lines of one stream on their way to Loki.

use std::sync::Arc;

use super::line::Line;
use super::stream::{Metadata, Stream};

/// Lines of one stream, with their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    stream: Arc<Stream>,
    text: Vec<u8>,
    entries: Vec<Entry>,
    bytes: usize,
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
        Self { stream, text: Vec::new(), entries: Vec::new(), bytes: 0 }
    }

    pub(crate) fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Adds a line of this stream; `text` is what was read, without the newline.
    pub(crate) fn push(&mut self, line: &Line, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.bytes += text.len();
        let metadata = Arc::clone(&line.metadata);
        self.entries.push(Entry { ns: line.ns, end: self.text.len(), metadata });
    }

    /// How many lines it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The size of its protobuf encoding before compression, bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Each line with its time, in the order in which they were added.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let starts = std::iter::once(0).chain(self.entries.iter().map(|entry| entry.end));
        self.entries
            .iter()
            .zip(starts)
            .map(|(entry, start)| (entry.ns, &self.text[start..entry.end]))
    }

    /// The lines whose index is chosen, in their order.
    pub(crate) fn subset(&self, mut chosen: impl FnMut(usize) -> bool) -> Self {
        let mut subset = Self::new(Arc::clone(&self.stream));
        for (index, (ns, text)) in self.lines().enumerate() {
            if chosen(index) {
                subset.text.extend_from_slice(text);
                subset.bytes += text.len();
                let metadata = Arc::clone(&self.entries[index].metadata);
                subset.entries.push(Entry { ns, end: subset.text.len(), metadata });
            }
        }
        subset
    }

    /// The first half of its lines (one more when the number is odd), and the rest.
    pub(crate) fn halves(&self) -> (Self, Self) {
        let middle = self.len().div_ceil(2);
        (self.subset(|index| index < middle), self.subset(|index| index >= middle))
    }

    /// Empties it; its memory stays.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
        self.bytes = 0;
    }
}
