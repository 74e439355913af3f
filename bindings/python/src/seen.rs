//! Which records are in a file already, so that the second of two handlers leaves them alone.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefMethods, PyWeakrefReference};

/// So many records of a thread are remembered. One would do if none were ever logged while another
/// is handled.
const MOST: usize = 64;
/// So many threads have remembered records.
const MOST_THREADS: usize = 1024;
/// So many records are remembered for other threads, twice.
const MOST_ORIGINS: usize = 10_000;

/// When and where a record was logged: moment, thread and line.
type Origin = (u64, i64, i64);

/// The last records of a file. They are not kept alive, and nothing is added to them.
///
/// A thread that handles what it has logged itself knows a record as such. A thread behind a queue
/// gets copies: those are known by their origin.
#[pyclass(frozen, module = "lb_log._native", weakref)]
#[derive(Default)]
pub(crate) struct Seen {
    /// More than one handler writes to the file: only then copies are of interest.
    several: AtomicBool,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    records: HashMap<ThreadId, VecDeque<(usize, Py<PyWeakrefReference>)>>,
    origins: HashMap<Origin, ThreadId>,
    older: HashMap<Origin, ThreadId>,
}

#[pymethods]
impl Seen {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// More than one handler writes to the file.
    fn expect_several(&self) {
        self.several.store(true, Ordering::Relaxed);
    }

    /// The record is in the file.
    pub(crate) fn has(&self, record: &Bound<'_, PyAny>) -> PyResult<bool> {
        let here = thread::current().id();
        let is_it = |(at, known): &(usize, Py<PyWeakrefReference>)| {
            // Another one may have its place in memory by now.
            *at == address(record)
                && known.bind(record.py()).upgrade().is_some_and(|known| known.is(record))
        };
        if self.known().records.get(&here).is_some_and(|records| records.iter().any(is_it)) {
            return Ok(true);
        }
        if !self.several.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Some(origin) = origin(record)? else { return Ok(false) };
        let known = self.known();
        let by = known.origins.get(&origin).or_else(|| known.older.get(&origin));
        Ok(by.is_some_and(|thread| *thread != here))
    }

    /// This thread has written the record.
    pub(crate) fn add(&self, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let here = thread::current().id();
        let origin = if self.several.load(Ordering::Relaxed) { origin(record)? } else { None };
        let reference = PyWeakrefReference::new(record)?.unbind();
        let mut known = self.known();
        if known.records.len() >= MOST_THREADS && !known.records.contains_key(&here) {
            known.records.clear();
        }
        let records = known.records.entry(here).or_default();
        if let Some(gone) = records.iter_mut().find(|(at, _)| *at == address(record)) {
            gone.1 = reference;
        } else {
            if records.len() >= MOST {
                records.pop_front();
            }
            records.push_back((address(record), reference));
        }
        if let Some(origin) = origin {
            if known.origins.len() >= MOST_ORIGINS {
                known.older = std::mem::take(&mut known.origins);
            }
            known.origins.insert(origin, here);
        }
        Ok(())
    }
}

impl Seen {
    /// Held while no code of Python's can run, so that nobody comes back here meanwhile, and so free
    /// whenever the process forks.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(record: &Bound<'_, PyAny>) -> usize {
    record.as_ptr().addr()
}

fn origin(record: &Bound<'_, PyAny>) -> PyResult<Option<Origin>> {
    let py = record.py();
    let attributes = record.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
    let number = |name| -> PyResult<Option<i64>> {
        Ok(attributes.get_item(name)?.and_then(|number| number.extract().ok()))
    };
    let created = attributes.get_item(intern!(py, "created"))?;
    let created = created.and_then(|created| created.extract::<f64>().ok());
    let thread = number(intern!(py, "thread"))?;
    let line = number(intern!(py, "lineno"))?;
    Ok(match (created, thread, line) {
        (Some(created), Some(thread), Some(line)) => Some((created.to_bits(), thread, line)),
        _ => None,
    })
}
