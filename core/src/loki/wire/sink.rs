//! Where batches go: Loki, or a test's stand-in for it.

use super::answer::Answer;
use super::ask::LookUpError;
use super::batch::Batch;
use super::query::Found;

/// What a shipper needs of Loki. One call at a time; each returns within the time-out of the
/// configuration.
pub(crate) trait Sink: Send {
    /// Sends a batch once.
    fn push(&mut self, batch: &Batch) -> Answer;

    /// Which lines of the batch Loki holds.
    fn look_up(&mut self, batch: &Batch) -> Result<Found, LookUpError>;

    /// Reads secrets and certificates again: they may have been mended. An error says what cannot be
    /// read; the old ones stay.
    fn renew(&mut self) -> Result<(), String>;
}

#[cfg(test)]
#[path = "real_tests.rs"]
mod real_tests;
