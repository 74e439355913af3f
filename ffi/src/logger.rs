//! The logger.

use std::ffi::c_char;
use std::time::Duration;

use lb_core::logger::{BatchResult, Record};
use lb_core::{Error, Logger};

use crate::boundary::{argument, guarded, quiet};
use crate::error::lb_error;
use crate::record::lb_record;
use crate::stats::{hand_out, lb_batch_result, lb_stats};
use crate::text::{bytes, lb_str};

/// Raised when a program that was compiled against an older header would break.
pub const LB_ABI_VERSION: u32 = 1;

/// An open logger.
pub struct lb_logger {
    logger: Logger,
    config: String,
}

const NULL_LOGGER: &str = "the logger is NULL";

/// # Safety
/// `logger` must be NULL or a logger that was not freed.
#[inline]
unsafe fn handle<'a>(logger: *const lb_logger) -> Result<&'a lb_logger, Error> {
    // SAFETY: the caller's promise.
    unsafe { logger.as_ref() }.ok_or_else(|| argument(NULL_LOGGER))
}

/// The version of the library, such as "0.1.0": NUL-terminated, the only such string; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn lb_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// The ABI of the library that runs; compare it with LB_ABI_VERSION of the header.
#[unsafe(no_mangle)]
pub extern "C" fn lb_abi_version() -> u32 {
    LB_ABI_VERSION
}

/// Opens a logger and stores it in `*out`.
///
/// `config` is a JSON object of `config_len` bytes (NULL with 0 for none) with the keys of the
/// configuration page: "component", "host", "run_id", "workload", "repetition", "output_dir", … They
/// win over LB_* variables, which win over the configuration file, which wins over the defaults.
/// "config" names the file; "layers" adds sources of one's own.
///
/// Makes the folders and the file, moves into it what dead processes have left in their rings, and
/// starts two threads, with all signals blocked: one that writes, and one that forces what was
/// written to the disk. Takes about a millisecond, and where there is much to move as long as that
/// is to write. The environment is read here and nowhere else, and never set.
///
/// LB_ERR_CONFIG with every mistake in the message, LB_ERR_IO with the file or folder, or
/// LB_ERR_ARGUMENT; `*out` is then not touched. The caller frees the logger with lb_logger_free.
/// From any thread at once.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_open(
    config: *const c_char,
    config_len: usize,
    out: *mut *mut lb_logger,
    error: *mut *mut lb_error,
) -> i32 {
    let open = || {
        if out.is_null() {
            return Err(argument("out is NULL"));
        }
        // SAFETY: the caller's promise.
        let json = unsafe { bytes(config.cast(), config_len) }
            .ok_or_else(|| argument("config is NULL but has a length"))?;
        let logger = Logger::open(if json.is_empty() { b"{}" } else { json })?;
        let config = logger.config().to_json();
        let handle = Box::new(lb_logger { logger, config });
        // SAFETY: not NULL; a place for a pointer by the caller's promise.
        unsafe { out.write(Box::into_raw(handle)) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, open) }
}

/// The configuration that counts, as JSON: {"path": the log file, "values": {key: {"value": …,
/// "source": …}, …}, "warnings": [text, …]}; secrets are hidden. Belongs to the logger: it is
/// valid until lb_logger_free, also after close. Empty for NULL. From any thread; never waits.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_config(logger: *const lb_logger) -> lb_str {
    // SAFETY: the caller's promise.
    unsafe { logger.as_ref() }.map_or(lb_str::of(""), |handle| lb_str::of(&handle.config))
}

/// Stores in `*out` the id of a context: the constant fields of many records, encoded once.
///
/// `json` is an object with any of component, host, run_id, logger, event_type, workload,
/// repetition, scenario, package, plugin and tags (an object). What is missing is as in the
/// logger's configuration; null takes scenario, package or plugin away; tags are added, a nested
/// value as its JSON text. Equal contexts have equal ids, valid as long as the logger, in forked
/// children too; they need not be freed. Make them once, not for each record: a call parses and
/// allocates.
///
/// LB_ERR_REJECTED with every reason for what the schema does not allow, such as repetition 0;
/// records of such an identity can be offered with LB_CONTEXT_INVALID, which counts them.
/// LB_ERR_LIMIT beyond 65536: put what varies so much into tags. From any thread at once; waits
/// only for others that make one.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_context(
    logger: *const lb_logger,
    json: *const c_char,
    json_len: usize,
    out: *mut u32,
    error: *mut *mut lb_error,
) -> i32 {
    let add = || {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle(logger) }?;
        if out.is_null() {
            return Err(argument("out is NULL"));
        }
        // SAFETY: the caller's promise.
        let json = unsafe { bytes(json.cast(), json_len) }
            .ok_or_else(|| argument("json is NULL but has a length"))?;
        let id = handle.logger.context(json)?;
        // SAFETY: not NULL; a place for a number by the caller's promise.
        unsafe { out.write(id) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, add) }
}

/// Logs one record. LB_OK means accepted, or below min_level, which is not counted.
///
/// In the steady state it allocates nothing, takes no lock and makes no system call: only at a
/// thread's first record, when its ring passes half, while it is full, and for a record that must
/// be cut.
///
/// LB_ERR_DROPPED: the ring was full, for full_timeout_ms or with on_full = "drop" just now;
/// counted as dropped. LB_ERR_ARGUMENT (a NULL record, a wrong struct_size, level or tag),
/// LB_ERR_REJECTED (no such context) and LB_ERR_NESTED are counted as rejected. LB_ERR_CLOSED is
/// not counted. In a forked child the first call can fail as lb_logger_open does. From any thread
/// at once, and from signal handlers as their chapter says.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_log(
    logger: *const lb_logger,
    record: *const lb_record,
    error: *mut *mut lb_error,
) -> i32 {
    let log = || {
        // SAFETY: the caller's promise.
        let (handle, record) = unsafe { (handle(logger)?, record.as_ref()) };
        let reject = |why: &str| {
            handle.logger.reject(String::new());
            argument(why)
        };
        let record = record.ok_or_else(|| reject("the record is NULL"))?;
        // SAFETY: the caller's promise.
        let checked = unsafe { record.check() }.map_err(reject)?;
        handle.logger.log(Record {
            context: record.context,
            level: checked.level,
            timestamp_ns: (record.timestamp_ns != 0).then_some(record.timestamp_ns),
            message: checked.message,
            tags: checked.tags,
        })
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, log) }
}

/// Logs many records in one call, in order: for languages in which a call is dear.
///
/// A batch is entries back to back, little-endian, unaligned:
///
/// ```text
///     u32 size           bytes of the whole entry, this number included
///     u32 context        from lb_logger_context, 0 for the logger's own
///     i64 timestamp_ns   nanoseconds since 1970, 0 for now
///     u32 message_len
///     u8  level          LB_LEVEL_…
///     u8  zero[3]
///     message, message_len bytes
///     tags until the size is used up, each
///         u32 head       type LB_TAG_… | key length << 8
///         key
///         value          STRING u32 length and bytes; INTEGER i64; UNSIGNED u64; NUMBER f64
///                        (IEEE 754); BOOLEAN u8; NULL nothing
/// ```
///
/// Entries may have any alignment and repeat tags, as lb_record may. One that cannot be understood
/// is rejected and counted; its neighbours are not touched. A size that leads out of the batch ends
/// it: LB_ERR_ARGUMENT, the entries before it are accepted, what follows counts as one rejected.
/// LB_OK when all were accepted, else the first LB_ERR_DROPPED or LB_ERR_REJECTED. LB_ERR_CLOSED
/// ends the batch where it stands.
///
/// `result` may be NULL; else its struct_size must be set, and the counts are stored there in every
/// case but that of a wrong one, which is LB_ERR_ARGUMENT before anything is logged. Each record
/// waits as in lb_logger_log. From any thread at once, not from signal handlers.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_push_batch(
    logger: *const lb_logger,
    batch: *const u8,
    batch_len: usize,
    result: *mut lb_batch_result,
    error: *mut *mut lb_error,
) -> i32 {
    // SAFETY: not NULL; a structure that says its size by the caller's promise.
    let store = |counts: BatchResult| {
        result.is_null() || unsafe { hand_out(&lb_batch_result::from(counts), result) }
    };
    let push = || {
        if !store(BatchResult::default()) {
            return Err(argument("struct_size must be sizeof(lb_batch_result)"));
        }
        // SAFETY: the caller's promise.
        let handle = unsafe { handle(logger) }?;
        // SAFETY: the caller's promise.
        let batch = unsafe { bytes(batch, batch_len) }
            .ok_or_else(|| argument("batch is NULL but has a length"))?;
        let (counts, outcome) = handle.logger.push_batch(batch);
        store(counts);
        outcome
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, push) }
}

/// Waits until every record that was accepted before the call, from any thread, is in the file:
/// handed to the kernel; with "sync": "always", on the disk, where one fdatasync serves all threads
/// that wait. At most `timeout_ms` milliseconds, then LB_ERR_TIMEOUT with what is left and why;
/// nothing is lost by it. 0 only asks. From any thread at once.
///
/// LB_ERR_IO, only with "sync": "always": the disk has refused lines. It is never asked for the
/// same ones again, because it might only seem to work. All calls that wait for these lines fail,
/// and of lines that nobody waited for the next call; later lines are tried and reported on their
/// own.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_flush(
    logger: *const lb_logger,
    timeout_ms: u32,
    error: *mut *mut lb_error,
) -> i32 {
    let timeout = Duration::from_millis(timeout_ms.into());
    // SAFETY: the caller's promise.
    unsafe { guarded(error, || handle(logger)?.logger.flush(timeout)) }
}

/// Stores the accounting in `*out`, whose struct_size must be set. Also after close. From any thread
/// at once, at any moment; never waits.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_stats(
    logger: *const lb_logger,
    out: *mut lb_stats,
    error: *mut *mut lb_error,
) -> i32 {
    let read = || {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle(logger) }?;
        if out.is_null() {
            return Err(argument("out is NULL"));
        }
        // SAFETY: not NULL; a structure that says its size by the caller's promise.
        if unsafe { hand_out(&lb_stats::from(handle.logger.stats()), out) } {
            Ok(())
        } else {
            Err(argument("struct_size must be sizeof(lb_stats)"))
        }
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, read) }
}

/// Refuses further records (LB_ERR_CLOSED), waits until the accepted ones are in the file and
/// forced to the disk, and ends the threads; at most `deadline_ms` milliseconds. LB_ERR_TIMEOUT:
/// unfinished; what is not in the file stays in the rings for the next program that opens the log,
/// or for `lb drain`. LB_ERR_IO: all is in the file, but the disk has refused lines that no call
/// has told of yet. Closing again waits again for what was left. Afterwards the handle still
/// answers every call, until it is freed. In a forked child it ends what the child has opened, and
/// nothing of its parent's. From any thread at once.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_close(
    logger: *const lb_logger,
    deadline_ms: u32,
    error: *mut *mut lb_error,
) -> i32 {
    let deadline = Duration::from_millis(deadline_ms.into());
    // SAFETY: the caller's promise.
    unsafe { guarded(error, || handle(logger)?.logger.close(deadline)) }
}

/// Frees a logger and all that belongs to it; the last call on it. One that was not closed is closed
/// first, which takes at most 5 seconds. NULL is ignored.
///
/// # Safety
/// `logger` must be NULL or a logger that was not freed; nothing may use it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_logger_free(logger: *mut lb_logger) {
    if !logger.is_null() {
        // SAFETY: it came from Box::into_raw in lb_logger_open, and is not used again.
        quiet(|| drop(unsafe { Box::from_raw(logger) }));
    }
}
