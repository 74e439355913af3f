//! The accounting of one process for one log.

/// Where a process's rings are, as a number of the C ABI.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(i32)]
pub enum RingsIn {
    /// In `/dev/shm`: they survive the process.
    Shm = 1,
    /// Beside the log: they survive the process.
    Log = 2,
    /// In plain memory: what was not written yet dies with the process.
    #[default]
    Memory = 3,
}

/// One consistent snapshot, in records of this process:
/// `offered = written + queued + dropped + rejected`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stats {
    /// Calls with a record at or above `min_level`.
    pub offered: u64,
    /// Records whose lines are in the file.
    pub written: u64,
    /// Records that are still in rings.
    pub queued: u64,
    /// Records that found their ring full.
    pub dropped: u64,
    /// Records that were refused: unknown context or level, nested call, malformed entry.
    pub rejected: u64,
    /// Written records that were cut to `max_record_bytes`.
    pub truncated: u64,
    /// Tag values NaN or infinite, written as null.
    pub nonfinite: u64,
    /// Pushes through the ring that threads share.
    pub shared: u64,
    /// Records of dead processes that this one moved into the file.
    pub recovered: u64,
    /// Records that were lost in damaged rings, of this process or of dead ones.
    pub damaged: u64,
    /// Appends that failed.
    pub write_errors: u64,
    /// Rotations by this process.
    pub rotations: u64,
    /// Committed bytes of the current file.
    pub file_bytes: u64,
    /// Where the rings are.
    pub rings_in: RingsIn,
    /// The log is a file of this process's own, beside the one that was asked for: the lock of
    /// that cannot be had or, on a network's file system, not be trusted.
    pub apart: bool,
    /// How often a file was forced to the disk.
    pub syncs: u64,
    /// How often that failed: what was written before may be lost if the machine crashes.
    pub sync_errors: u64,
    /// Rotated files that this process has deleted, being more than are to be kept.
    pub segments_deleted: u64,
    /// What became of the log's lines where they are pushed to Loki; of all processes that write
    /// to it.
    pub loki: Option<Delivery>,
}

/// One consistent snapshot of what became of the lines of one log, for one Loki:
/// `lines = acknowledged + below_level + pending + quarantined`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delivery {
    /// Lines of all files of the log that have been seen.
    pub lines: u64,
    /// Lines that Loki has acknowledged, or was seen to hold.
    pub acknowledged: u64,
    /// Lines below the lowest level that is shipped.
    pub below_level: u64,
    /// Lines that are still to be shipped, parked ones included.
    pub pending: u64,
    /// The pending lines that Loki refuses for now.
    pub parked: u64,
    /// Lines that Loki will never take, or that are no records; they lie in the quarantine.
    pub quarantined: u64,
    /// Lines that were sent again without knowing whether Loki had them.
    pub replayed: u64,
    /// Lines that were pending in segments that somebody deleted.
    pub missing: u64,
}

impl Delivery {
    /// The sum of two logs.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            lines: self.lines + other.lines,
            acknowledged: self.acknowledged + other.acknowledged,
            below_level: self.below_level + other.below_level,
            pending: self.pending + other.pending,
            parked: self.parked + other.parked,
            quarantined: self.quarantined + other.quarantined,
            replayed: self.replayed + other.replayed,
            missing: self.missing + other.missing,
        }
    }
}
