//! The nouns of Loki: a stream with its labels, and the structured metadata of an entry.

use std::hash::{Hash, Hasher};

/// A set of labels. Equal when the labels are.
#[derive(Debug)]
pub(crate) struct Stream {
    labels: Box<str>,
    fault: Option<String>,
}

impl Stream {
    /// `labels` is a selector's text, sorted by name.
    pub(crate) fn new(labels: &str, fault: Option<String>) -> Self {
        Self { labels: labels.into(), fault }
    }

    /// `{component="k6", host="…", …}`, sorted by name: what a push and a query name it by.
    pub(crate) fn labels(&self) -> &str {
        &self.labels
    }

    /// Why a Loki with its default limits would refuse the whole stream.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.labels == other.labels
    }
}

impl Eq for Stream {}

impl Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels.hash(state);
    }
}

/// The structured metadata of an entry: names and values, in the order in which they are sent.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pairs: Vec<(&'static str, Box<str>)>,
}

impl Metadata {
    pub(crate) fn new(pairs: Vec<(&'static str, Box<str>)>) -> Self {
        Self { pairs }
    }

    pub(crate) fn pairs(&self) -> &[(&'static str, Box<str>)] {
        &self.pairs
    }
}
