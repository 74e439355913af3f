//! Accounting as C has it.

use lb_core::logger::BatchResult;
use lb_core::stats::{RingsIn, Stats};

/// The rings are in /dev/shm: they survive the process.
pub const LB_RINGS_SHM: i32 = 1;
/// The rings are in a file beside the log: they survive the process.
pub const LB_RINGS_LOG: i32 = 2;
/// The rings are in plain memory: what was not written yet dies with the process.
pub const LB_RINGS_MEMORY: i32 = 3;

// The header has numbers only where they stand here as numbers.
const _: () = assert!(
    RingsIn::Shm as i32 == LB_RINGS_SHM
        && RingsIn::Log as i32 == LB_RINGS_LOG
        && RingsIn::Memory as i32 == LB_RINGS_MEMORY
);

/// What became of the entries of a batch.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_batch_result {
    /// sizeof(lb_batch_result): set by the caller; no more than that is written.
    pub struct_size: usize,
    /// Entries that were accepted, or are below min_level.
    pub accepted: u64,
    /// Entries that found their ring full.
    pub dropped: u64,
    /// Entries that were refused.
    pub rejected: u64,
}

/// One consistent snapshot of this process's records through one logger, from 0 at open or fork:
/// offered = written + queued + dropped + rejected, at any moment and whatever other threads do.
/// Counts never go back, and a call that has returned is counted. What is recovered for dead
/// processes stands apart.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_stats {
    /// sizeof(lb_stats): set by the caller; no more than that is written.
    pub struct_size: usize,
    /// Calls with a record at or above min_level.
    pub offered: u64,
    /// Records whose lines are in the file.
    pub written: u64,
    /// Records that are in rings, on their way.
    pub queued: u64,
    /// Records that found their ring full.
    pub dropped: u64,
    /// Records that were refused: invalid, or a call inside a call.
    pub rejected: u64,
    /// Written records that were cut to max_record_bytes.
    pub truncated: u64,
    /// Tag values NaN or infinite, written as null.
    pub nonfinite: u64,
    /// Pushes through the ring that threads share when there are more threads than rings.
    pub shared: u64,
    /// Records of dead processes that were moved into the file.
    pub recovered: u64,
    /// Records lost in damaged rings.
    pub damaged: u64,
    /// Appends that failed.
    pub write_errors: u64,
    /// Rotations by this process.
    pub rotations: u64,
    /// Bytes of the current file, whoever wrote them, after this process's last append.
    pub file_bytes: u64,
    /// LB_RINGS_SHM, LB_RINGS_LOG or LB_RINGS_MEMORY.
    pub rings_in: i32,
    /// 1: the log is a file of this process's own, beside the one that was asked for, because the
    /// lock of that cannot be had or, on a network's file system, not be trusted; else 0.
    pub apart: i32,
    /// How often a file was forced to the disk.
    pub syncs: u64,
    /// How often that failed: what was written before may be lost if the machine crashes.
    pub sync_errors: u64,
    /// Rotated files that this process has deleted, being more than are to be kept.
    pub segments_deleted: u64,
    /// 1 where the log is pushed to Loki, else 0, and all that follows is 0. What follows is in
    /// lines, of all processes that write to the log:
    /// loki_lines = loki_acknowledged + loki_below_level + loki_pending + loki_quarantined, always.
    pub loki_enabled: i32,
    /// Lines of the log.
    pub loki_lines: u64,
    /// Lines that Loki has.
    pub loki_acknowledged: u64,
    /// Lines below loki.min_level.
    pub loki_below_level: u64,
    /// Lines that are still to be pushed.
    pub loki_pending: u64,
    /// The pending lines that Loki refuses for now.
    pub loki_parked: u64,
    /// Lines that Loki will never take.
    pub loki_quarantined: u64,
    /// Lines that were pushed again without knowing whether Loki had them.
    pub loki_replayed: u64,
    /// Lines that were pending in files that somebody deleted.
    pub loki_missing: u64,
}

impl From<BatchResult> for lb_batch_result {
    fn from(result: BatchResult) -> Self {
        let BatchResult { accepted, dropped, rejected } = result;
        Self { struct_size: size_of::<Self>(), accepted, dropped, rejected }
    }
}

impl From<Stats> for lb_stats {
    fn from(stats: Stats) -> Self {
        let loki = stats.loki.unwrap_or_default();
        Self {
            struct_size: size_of::<Self>(),
            offered: stats.offered,
            written: stats.written,
            queued: stats.queued,
            dropped: stats.dropped,
            rejected: stats.rejected,
            truncated: stats.truncated,
            nonfinite: stats.nonfinite,
            shared: stats.shared,
            recovered: stats.recovered,
            damaged: stats.damaged,
            write_errors: stats.write_errors,
            rotations: stats.rotations,
            file_bytes: stats.file_bytes,
            rings_in: stats.rings_in as i32,
            apart: stats.apart.into(),
            syncs: stats.syncs,
            sync_errors: stats.sync_errors,
            segments_deleted: stats.segments_deleted,
            loki_enabled: i32::from(stats.loki.is_some()),
            loki_lines: loki.lines,
            loki_acknowledged: loki.acknowledged,
            loki_below_level: loki.below_level,
            loki_pending: loki.pending,
            loki_parked: loki.parked,
            loki_quarantined: loki.quarantined,
            loki_replayed: loki.replayed,
            loki_missing: loki.missing,
        }
    }
}

/// Copies a structure to a caller whose idea of it may be older and shorter; its `struct_size`
/// stays. False where that is too short to be one.
///
/// # Safety
/// `out` must not be NULL and must begin with a `size_t` that says how many bytes are there.
pub(crate) unsafe fn hand_out<T>(from: &T, out: *mut T) -> bool {
    let field = size_of::<usize>();
    // SAFETY: the caller's promise.
    let room = unsafe { out.cast::<usize>().read() };
    if room < 2 * field {
        return false;
    }
    let len = room.min(size_of::<T>()) - field;
    // SAFETY: both are at least `field + len` long.
    unsafe {
        let source = std::ptr::from_ref(from).cast::<u8>().add(field);
        std::ptr::copy_nonoverlapping(source, out.cast::<u8>().add(field), len);
    }
    true
}
