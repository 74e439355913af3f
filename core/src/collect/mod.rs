//! Collection: the logs of a run, from where they were written to the folder of the run here,
//! whole, checked, gzipped and listed in `manifest.json`.
//!
//! An `address` says where a source is: a folder here (`local`), or one on a host (`remote`, over a
//! `link` to the user's ssh, at whose other end `far.sh` says in `wire`'s words what there is). The
//! `listing` tells which files are logs of ours. Each comes to the `desk` of its source, is copied
//! (`content`, `gzip`), checked, and gets its name on the `shelf`, which keeps the `manifest`.
//! `remove` deletes sources that were verified, under their locks.

mod address;
mod content;
mod desk;
mod far;
pub(crate) mod gzip;
mod link;
mod listing;
mod local;
mod manifest;
mod remote;
mod remove;
mod report;
mod request;
mod shelf;
mod source;
mod wire;
mod work;

pub use address::Address;
pub use content::Content;
pub use far::{list, remove};
pub use manifest::{Entry, Failure, Manifest};
pub use report::{Collected, Outcome, Progress, Report, Step};
pub use request::{Request, timeout};

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::names;
use crate::sys::with_signals_blocked;
use shelf::Shelf;
use work::Work;

/// Collects the logs of a run from all sources, several at once. What one source cannot give stops
/// no other: it is named in the report. `progress` hears from all of them, on their threads.
///
/// # Errors
/// [`Error::Timeout`] while another collection of this run is at work, [`Error::Io`] where the
/// run's folder here cannot be used, [`Error::Argument`].
pub fn collect(request: &Request, progress: &(dyn Fn(Progress<'_>) + Sync)) -> Result<Report> {
    if request.sources.is_empty() {
        return Err(Error::Argument("there is no source to collect from".to_owned()));
    }
    let run = names::run_folder(&request.run_id);
    let folder = request.output_dir.join(&run);
    let shelf = if request.dry_run {
        Shelf::look(&folder, &request.run_id, request.gzip_level)?
    } else {
        Shelf::open(&folder, &request.run_id, request.gzip_level)?
    };
    let report = Mutex::new(Report::new(&request.run_id, &folder));
    let next = AtomicUsize::new(0);
    let one_after_the_other = || {
        while let Some(address) = request.sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            let work = Work::new(request, address, &run, &shelf, progress);
            let part = work.run();
            report.lock().unwrap_or_else(PoisonError::into_inner).add(part);
        }
    };
    match request.jobs.clamp(1, request.sources.len()) - 1 {
        0 => one_after_the_other(),
        others => std::thread::scope(|scope| {
            for _ in 0..others {
                let builder = std::thread::Builder::new().name("lb-collect".to_owned());
                // Fewer threads do the same.
                let _ = with_signals_blocked(|| builder.spawn_scoped(scope, one_after_the_other));
            }
            one_after_the_other();
        }),
    }
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.sort();
    if !request.dry_run {
        let asked: Vec<String> = request.sources.iter().map(Address::label).collect();
        shelf.finish(&report.failed, &asked)?;
    }
    Ok(report)
}
