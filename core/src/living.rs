//! The processes that write to a log now, by their ring files.

use std::path::Path;

use serde::Serialize;

use crate::error::Result;
use crate::file::{Beside, open_noted};
use crate::ring::Counter;

/// The accounting of a process, read from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Living {
    /// As the process named itself; information only, another pid namespace counts differently.
    pub pid: Option<u32>,
    /// Records whose lines are in the file.
    pub written: u64,
    /// Records that are still in its rings.
    pub queued: u64,
    /// Records that found their ring full.
    pub dropped: u64,
    /// Records that were refused.
    pub rejected: u64,
    /// Written records that were cut.
    pub truncated: u64,
}

/// The processes whose rings notes lie beside a log and whose rings can be reached. Call it
/// behind [`crate::recover::drain`], which takes the dead ones away. Processes with rings in
/// plain memory are not seen.
///
/// # Errors
/// [`crate::Error::Io`] where the log's folder cannot be read.
pub fn living(log: &Path) -> Result<Vec<Living>> {
    let mut found = Vec::new();
    for id in Beside::of(log)?.notes {
        // A note that vanished meanwhile has told us all: its process has ended.
        let Ok(rings) = open_noted(log, id) else { continue };
        let (written, accepted) = rings.records();
        found.push(Living {
            pid: rings.pid(),
            written,
            queued: accepted - written,
            dropped: rings.counted(Counter::Dropped),
            rejected: rings.counted(Counter::Rejected),
            truncated: rings.counted(Counter::Truncated),
        });
    }
    Ok(found)
}
