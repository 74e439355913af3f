//! tracing-subscriber's JSON with tracing-appender's thread, behind the functions of `benches/core/logger.h`.

use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::io::BufWriter;
use std::slice;
use std::str;

use tracing::info;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};

/// The default number of places, and a queue that waits when it is full, so that it loses nothing.
fn open(path: &str) -> std::io::Result<WorkerGuard> {
    let file = BufWriter::with_capacity(64 * 1024, File::create(path)?);
    let (writer, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(writer).finish();
    tracing::subscriber::set_global_default(subscriber).map_err(std::io::Error::other)?;
    Ok(guard)
}

/// # Safety
///
/// `path` ends with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_open(path: *const c_char) -> *mut c_void {
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    match path.to_str().map_err(std::io::Error::other).and_then(open) {
        Ok(guard) => Box::into_raw(Box::new(guard)).cast(),
        Err(error) => {
            eprintln!("{path:?}: {error}");
            std::process::exit(2);
        }
    }
}

/// An event has no fields that are bound once: each call brings all. A span with these fields would cost more.
///
/// # Safety
///
/// `text` are `length` bytes of UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_log(_: *mut c_void, text: *const u8, length: usize) {
    // SAFETY: the caller's promise.
    let text = unsafe { str::from_utf8_unchecked(slice::from_raw_parts(text, length)) };
    info!(
        target: "lb_runner.engine",
        component = "generator",
        host = "bench-node-1",
        run_id = "run-20261122-101112",
        event_type = "log",
        workload = "stress_ng",
        repetition = 1,
        "{text}"
    );
}

/// The guard's end is the only moment at which all is known to be written.
///
/// # Safety
///
/// `logger` is open, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_flush(logger: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(logger.cast::<WorkerGuard>()) });
}

/// `logger_flush` has done it.
#[unsafe(no_mangle)]
pub extern "C" fn logger_close(_: *mut c_void) {}
