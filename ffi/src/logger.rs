//! The logger.

use std::ffi::c_char;
use std::time::Duration;

use lb_core::logger::Record;
use lb_core::{Error, Logger};

use crate::boundary::{guarded, quiet};
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

fn argument(text: &str) -> Error {
    Error::Argument(text.to_owned())
}

const NULL_LOGGER: &str = "the logger is NULL";

/// # Safety
/// `logger` must be NULL or a logger that was not freed.
#[inline]
unsafe fn handle<'a>(logger: *const lb_logger) -> Result<&'a lb_logger, Error> {
    // SAFETY: the caller's promise.
    unsafe { logger.as_ref() }.ok_or_else(|| argument(NULL_LOGGER))
}

/// The version of the library, such as "0.1.0": NUL-terminated, never freed.
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
/// starts a thread, with all signals blocked. Fails with LB_ERR_CONFIG and every mistake in the
/// message, or with LB_ERR_IO. Takes about a millisecond.
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
/// "source": …}, …}, "warnings": [text, …]}; secrets are hidden. Belongs to the logger. Empty for
/// NULL.
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
/// logger's configuration; null takes scenario, package or plugin away; tags are added. Equal
/// contexts have equal ids, valid as long as the logger. At most 65536 (LB_ERR_LIMIT); put what
/// varies more into tags. Fails with LB_ERR_REJECTED for what the schema does not allow, such as
/// repetition 0; records of such an identity can be offered with LB_CONTEXT_INVALID, which counts
/// them.
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

/// Logs one record. LB_OK means accepted (or below min_level).
///
/// In the steady state it allocates nothing, takes no lock and makes no system call. When the
/// thread's ring is full it waits up to full_timeout_ms for the writer, unless on_full is "drop";
/// then LB_ERR_DROPPED. A record larger than max_record_bytes loses tags from the last and then has
/// its message cut; the tag truncated_bytes says by how much. LB_ERR_REJECTED and LB_ERR_ARGUMENT
/// are counted as rejected.
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
/// An entry that cannot be understood is rejected and counted; its neighbours are not touched. A
/// size that leads out of the batch ends it: LB_ERR_ARGUMENT, the entries before it are accepted.
/// LB_OK when all were accepted, else the first LB_ERR_DROPPED or LB_ERR_REJECTED. The counts are
/// stored in `*result` in every case, where it is not NULL.
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
    let push = || {
        // SAFETY: the caller's promise.
        let handle = unsafe { handle(logger) }?;
        // SAFETY: the caller's promise.
        let batch = unsafe { bytes(batch, batch_len) }
            .ok_or_else(|| argument("batch is NULL but has a length"))?;
        let (counts, outcome) = handle.logger.push_batch(batch);
        // SAFETY: not NULL; a structure that says its size by the caller's promise.
        if !result.is_null() && !unsafe { hand_out(&lb_batch_result::from(counts), result) } {
            return Err(argument("struct_size must be sizeof(lb_batch_result)"));
        }
        outcome
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, push) }
}

/// Waits until every record that was accepted before the call is in the file (in the kernel), at
/// most `timeout_ms` milliseconds; then LB_ERR_TIMEOUT.
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

/// Stores the accounting in `*out`, whose struct_size must be set. Also after close.
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

/// Refuses further records (LB_ERR_CLOSED), waits until the accepted ones are in the file, and
/// ends the thread; at most `deadline_ms` milliseconds. LB_ERR_TIMEOUT: unfinished; what is left
/// stays in the rings for the next program that opens the log, or for `lb drain`. Closing again
/// is allowed.
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

/// Frees a logger; one that was not closed is closed first, with 5 seconds. NULL is ignored.
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
