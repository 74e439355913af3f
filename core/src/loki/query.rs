//! What Loki holds, read back.

/// Which lines of a batch Loki holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Found {
    held: Vec<bool>,
}

impl Found {
    /// One answer for each line of the batch.
    pub(crate) fn new(held: Vec<bool>) -> Self {
        Self { held }
    }

    /// Whether Loki holds the line of this index. Of equal lines of one nanosecond Loki shows one:
    /// then it holds them all.
    pub(crate) fn holds(&self, index: usize) -> bool {
        self.held.get(index).copied().unwrap_or(false)
    }

    /// How many lines of the batch Loki holds.
    pub(crate) fn count(&self) -> usize {
        self.held.iter().filter(|held| **held).count()
    }
}

/// Why a look-up has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LookUpError {
    /// We may write but not read, or nothing answers such a question there: it will stay so.
    Refused { why: String },
    /// For now: try again.
    Failed { why: String },
}
