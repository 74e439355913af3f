//! Collection.

use std::ffi::c_char;

use lb_core::collect::{Request, collect};

use crate::boundary::{argument, guarded};
use crate::error::lb_error;
use crate::text::{bytes, lb_str};

/// What came of a collection. Made by lb_collect, freed by the caller with lb_report_free.
pub struct lb_report {
    json: String,
}

/// Collects the logs of a run, as `lb collect` does, and stores in `*out` what came of it.
///
/// `request` is a JSON object of `request_len` bytes: "run_id", and "from", a list of output folders:
/// paths, or "host:folder", "user@host:folder" as with scp. Optional: "output_dir" (where the run's folder is),
/// "config" (a file), "ssh" (the command that reaches hosts), "timeout_s" (how long a host may be
/// silent; 60), "jobs" (sources at once; 8), "gzip" (true), "gzip_level" (1 to 9; 6),
/// "remove_source" (false), "dry_run" (false).
///
/// LB_OK says that there is a report, not that everything was had: "ok" in it does. A source that
/// fails stops no other. LB_ERR_CONFIG or LB_ERR_ARGUMENT for a request that cannot be understood,
/// LB_ERR_IO where the run's folder cannot be used, LB_ERR_TIMEOUT while another collection of this
/// run is at work; `*out` is then not touched.
///
/// Waits until all is done, which may take long. Starts programs (ssh) and threads, which have
/// ended when it returns. From any thread at once.
///
/// # Safety
/// The pointers must be as the first page of the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_collect(
    request: *const c_char,
    request_len: usize,
    out: *mut *mut lb_report,
    error: *mut *mut lb_error,
) -> i32 {
    let run = || {
        if out.is_null() {
            return Err(argument("out is NULL"));
        }
        // SAFETY: the caller's promise.
        let json = unsafe { bytes(request.cast(), request_len) }
            .ok_or_else(|| argument("request is NULL but has a length"))?;
        let report = collect(&Request::from_json(json)?, &|_| {})?;
        let json = serde_json::to_string(&report)
            .map_err(|error| argument(&format!("the report cannot be told: {error}")))?;
        let report = Box::new(lb_report { json });
        // SAFETY: not NULL; a place for a pointer by the caller's promise.
        unsafe { out.write(Box::into_raw(report)) };
        Ok(())
    };
    // SAFETY: the caller's promise.
    unsafe { guarded(error, run) }
}

/// The report as JSON: {"ok": whether all was had, "run_id", "folder", "manifest": its path, "files":
/// [{"outcome": "collected", "unchanged" or "to_collect", "path", "source", "size", "lines",
/// "sha256", "first_timestamp", "last_timestamp", …}, …], "failed": [{"source", "why"}, …],
/// "remarks": the same, "removed": [source, …]}. Belongs to the report: it is valid until
/// lb_report_free. Empty for NULL. From any thread; never waits.
///
/// # Safety
/// `report` must be NULL or a report that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_report_json(report: *const lb_report) -> lb_str {
    // SAFETY: the caller's promise.
    unsafe { report.as_ref() }.map_or(lb_str::of(""), |report| lb_str::of(&report.json))
}

/// Frees a report and its text; the last call on it. NULL is ignored.
///
/// # Safety
/// `report` must be NULL or a report that was not freed; nothing may use it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_report_free(report: *mut lb_report) {
    if !report.is_null() {
        // SAFETY: it came from Box::into_raw above, and is not used again. Dropping a text cannot
        // panic.
        drop(unsafe { Box::from_raw(report) });
    }
}
