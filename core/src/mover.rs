//! Moves the records of a dead process from its rings into its log. Each thread's records keep
//! their order, and each is written once: the positions of the rings advance by the append
//! protocol, whoever runs it and however often it dies.

use std::path::Path;

use crate::error::Result;
use crate::failpoint::{self, Point};
use crate::file::{LogFile, Rotation};
use crate::gather::{BLOCK_BYTES, Gatherer};
use crate::record::Context;
use crate::ring::RingFile;

/// What recovery found beside one log.
#[derive(Clone, Debug, Default)]
pub struct Recovery {
    /// Records that were moved into the file.
    pub records: u64,
    /// Records that could not be read, because their ring was damaged.
    pub damaged: u64,
    /// Records that dead processes had dropped and not told of.
    pub untold: u64,
    /// Ring files of living processes, which were left alone.
    pub alive: u64,
    /// Ring files of dead processes that are gone, with the reason: what they held is lost.
    pub gone: Vec<String>,
    /// Ring files that cannot be reached from here, with the reason and what to do: their notes
    /// stay. Also what stands in the place of a note or a ring file and is none.
    pub unreachable: Vec<String>,
}

impl Recovery {
    /// What the user should know of records that are not in the log at this path and will not come
    /// by themselves, one sentence each.
    #[must_use]
    pub fn problems(&self, log: &Path) -> Vec<String> {
        let lost = self.gone.iter().map(|gone| format!("{gone}: what it held is lost"));
        let stay = self.unreachable.iter().cloned();
        let damaged = (self.damaged > 0).then(|| {
            let count = self.damaged;
            format!("{}: {count} records could not be read in damaged rings", log.display())
        });
        lost.chain(stay).chain(damaged).collect()
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        self.damaged += other.damaged;
        self.untold += other.untold;
        self.alive += other.alive;
        self.gone.extend(other.gone);
        self.unreachable.extend(other.unreachable);
    }
}

/// The identity of a dead process: its first context that can be read.
pub(crate) fn identity_in(rings: &RingFile) -> Option<Context> {
    rings.contexts().iter().find_map(|(_, json)| serde_json::from_slice(json).ok())
}

/// Moves all records of a dead process's rings, which the caller has locked, into its log.
pub(crate) fn move_records(
    log: &mut LogFile,
    rings: &RingFile,
    found: &mut Recovery,
) -> Result<()> {
    // Lines may be as long as the process itself would have written them.
    let mut gatherer = Gatherer::new(rings.max_record_bytes());
    let before = log.rotation();
    let theirs = rings.rotation();
    log.set_rotation(Rotation {
        max_bytes: before.max_bytes.or(theirs.max_bytes),
        max_age: before.max_age.or(theirs.max_age),
    });
    let moved = move_all(log, rings, &mut gatherer, found);
    found.untold += rings.untold();
    log.set_rotation(before);
    moved
}

fn move_all(
    log: &mut LogFile,
    rings: &RingFile,
    gatherer: &mut Gatherer,
    found: &mut Recovery,
) -> Result<()> {
    let calibration = rings.calibration();
    loop {
        let limit = log.block_limit(BLOCK_BYTES);
        gatherer.gather(rings, limit, |stamp| calibration.to_ns(stamp), true);
        let block = gatherer.block();
        if block.is_empty() {
            return Ok(());
        }
        failpoint::at(Point::RecoveryGathered);
        let (lines, error) = log.lock()?.append(Some(rings), block);
        found.records += lines;
        found.damaged += block.lost();
        if let Some(error) = error {
            return Err(error);
        }
        failpoint::at(Point::RecoveryAppended);
    }
}
