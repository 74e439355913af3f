//! Records that are kept in memory instead of logged, for the tests of programs (`lb_log.testing`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use lb_core::Error;
use lb_core::config::Config;
use lb_core::line::line;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::core::Part;
use crate::offer::{Call, converted};
use crate::tags::Owned;

/// What is waited for files that hold nothing.
const AT_END: Duration = Duration::from_secs(1);

static ON: AtomicBool = AtomicBool::new(false);
static OBSERVED: Mutex<Option<Observed>> = Mutex::new(None);

/// What has happened since somebody began to look.
struct Observed {
    /// Where logs are that are opened meanwhile.
    folder: PathBuf,
    opened: Vec<Weak<Part>>,
    lines: Vec<Vec<u8>>,
    last_ns: i64,
}

fn observed() -> MutexGuard<'static, Option<Observed>> {
    OBSERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether records are to be handed to [`keep`].
#[inline]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// The configuration of a log that is opened now.
pub(crate) fn redirected(config: Config) -> Config {
    match &*observed() {
        Some(observed) => config.elsewhere(&observed.folder),
        None => config,
    }
}

/// Remembers who has opened a log.
pub(crate) fn note(part: &Arc<Part>) {
    if let Some(observed) = &mut *observed() {
        observed.opened.push(Arc::downgrade(part));
    }
}

/// Keeps a record as its line.
#[cold]
pub(crate) fn keep(part: &Part, call: Call<'_, '_>) -> PyResult<Result<(), Error>> {
    if part.is_closed() {
        return Ok(Err(Error::Closed));
    }
    if call.level < part.config().min_level {
        return Ok(Ok(()));
    }
    // Before the lock: it calls the program's own code.
    let (message, tags) = converted(call)?;
    let Some(context) = part.context_of(call.context) else {
        return Ok(Err(part.reject("it has no context".to_owned())));
    };
    if let Some(observed) = &mut *observed() {
        let ns = call.timestamp_ns.unwrap_or_else(|| observed.now());
        let line = line(&context, call.level, ns, message.as_bytes(), Owned(&tags));
        observed.lines.push(line);
    }
    Ok(Ok(()))
}

impl Observed {
    /// As a log has it: no two are the same.
    fn now(&mut self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
        self.last_ns = now.max(self.last_ns + 1);
        self.last_ns
    }
}

/// From now on records are kept in memory; logs that are opened are so below this folder.
#[pyfunction]
pub(crate) fn observe(folder: PathBuf) -> PyResult<()> {
    let mut observed = observed();
    if observed.is_some() {
        return Err(PyRuntimeError::new_err("records are observed already; end that first"));
    }
    *observed = Some(Observed { folder, opened: Vec::new(), lines: Vec::new(), last_ns: 0 });
    ON.store(true, Ordering::Relaxed);
    Ok(())
}

/// The lines since the last call.
#[pyfunction]
pub(crate) fn take_observed(py: Python<'_>) -> Vec<Bound<'_, PyBytes>> {
    let lines = observed().as_mut().map(|observed| std::mem::take(&mut observed.lines));
    lines.unwrap_or_default().iter().map(|line| PyBytes::new(py, line)).collect()
}

/// From now on records are logged again. What was opened meanwhile is closed.
#[pyfunction]
pub(crate) fn end_observation(py: Python<'_>) {
    ON.store(false, Ordering::Relaxed);
    let ended = observed().take();
    py.detach(|| {
        let parts = ended.iter().flat_map(|observed| &observed.opened).filter_map(Weak::upgrade);
        parts.for_each(|part| drop(part.close(AT_END)));
    });
}
