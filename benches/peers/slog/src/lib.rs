//! slog-async with slog-json, behind the functions of `benches/core/logger.h`.

use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::io::BufWriter;
use std::slice;
use std::str;

use slog::{Drain, FnValue, Logger, PushFnValue, Record, info, o};
use slog_async::{Async, OverflowStrategy};
use slog_json::Json;

/// The default number of places, and a queue that waits when it is full, so that it loses nothing.
/// The fields that never change are the logger's own: a call brings only its message.
fn open(path: &str) -> std::io::Result<Logger> {
    // Without a buffer of its own, each piece of a line would be a write.
    let file = BufWriter::with_capacity(64 * 1024, File::create(path)?);
    let json = Json::new(file)
        .add_key_value(o!(
            "message" => PushFnValue(|record: &Record, out| out.emit(record.msg())),
            "level" => FnValue(|record: &Record| record.level().as_str()),
            "timestamp" => PushFnValue(|_: &Record, out| {
                let now = time::OffsetDateTime::now_utc();
                let text = now.format(&time::format_description::well_known::Rfc3339);
                out.emit(text.map_err(|_| slog::Error::Other)?)
            }),
        ))
        .build();
    let queue = Async::new(json.fuse()).overflow_strategy(OverflowStrategy::Block).build();
    Ok(Logger::root(
        queue.fuse(),
        o!(
            "repetition" => 1, "workload" => "stress_ng", "event_type" => "log",
            "logger" => "lb_runner.engine", "run_id" => "run-20261122-101112",
            "host" => "bench-node-1", "component" => "generator",
        ),
    ))
}

/// # Safety
///
/// `path` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_open(path: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    match path.to_str().map_err(std::io::Error::other).and_then(open) {
        Ok(logger) => Box::into_raw(Box::new(logger)).cast(),
        Err(error) => {
            eprintln!("{path:?}: {error}");
            std::process::exit(2);
        }
    }
}

/// # Safety
///
/// `logger` is open; `text` are `length` bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_log(logger: *mut c_void, text: *const u8, length: usize) {
    // SAFETY: the caller's promise.
    let (logger, text) = unsafe {
        (&*logger.cast::<Logger>(), str::from_utf8_unchecked(slice::from_raw_parts(text, length)))
    };
    info!(logger, "{text}");
}

/// Its end is the only moment at which all is known to be written.
///
/// # Safety
///
/// `logger` is open, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_flush(logger: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(logger.cast::<Logger>()) });
}

/// `logger_flush` has done it.
#[unsafe(no_mangle)]
pub extern "C" fn logger_close(_: *mut c_void) {}
