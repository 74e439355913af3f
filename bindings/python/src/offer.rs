//! The way of one record from Python into the core.

use std::sync::atomic::Ordering;

use lb_core::Error;
use lb_core::logger::Record;
use lb_core::record::Level;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::core::Part;
use crate::json::text_of;
use crate::observing;
use crate::tags::{Owned, Tag, borrowed, owned};
use crate::trouble::{raised, told};

/// The level of a number as `logging` has them, or of a name. A number between two levels means
/// the lower one.
pub(crate) fn level_of(level: &Bound<'_, PyAny>) -> PyResult<Level> {
    if let Ok(number) = level.extract::<i64>() {
        return Ok(level_of_number(number));
    }
    let name =
        level.cast::<PyString>().ok().and_then(|name| Level::from_name(&name.to_string_lossy()));
    name.ok_or_else(|| {
        let found = text_of(level).unwrap_or_default();
        PyValueError::new_err(format!(
            "level: expected a number or TRACE, DEBUG, INFO, WARNING, ERROR or CRITICAL, found {found}"
        ))
    })
}

/// As [`level_of`].
pub(crate) fn level_of_number(number: i64) -> Level {
    match number {
        ..10 => Level::Trace,
        10..20 => Level::Debug,
        20..30 => Level::Info,
        30..40 => Level::Warning,
        40..50 => Level::Error,
        50.. => Level::Critical,
    }
}

/// A record as a caller has it.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a, 'py> {
    pub(crate) context: u32,
    pub(crate) level: Level,
    pub(crate) timestamp_ns: Option<i64>,
    pub(crate) message: &'a Bound<'py, PyAny>,
    pub(crate) bound: &'a [Tag],
    pub(crate) tags: Option<&'a Bound<'py, PyDict>>,
}

/// Logs a record. What goes wrong is counted or told on stderr, and never raised.
#[inline]
pub(crate) fn offer(part: &Part, call: Call<'_, '_>) -> PyResult<()> {
    if observing::is_on() {
        let py = call.message.py();
        return observing::keep(part, call)?.or_else(|error| failed(part, py, error));
    }
    if let Ok(message) = call.message.cast_exact::<PyString>()
        && let Ok(message) = message.to_str()
    {
        let Call { context, level, timestamp_ns, .. } = call;
        let message = message.as_bytes();
        let offered = borrowed(call.bound, call.tags, |tags| {
            part.try_log(Record { context, level, timestamp_ns, message, tags })
        });
        match offered {
            Some(Ok(())) => return Ok(()),
            None | Some(Err(Error::WouldWait)) => {}
            Some(Err(Error::Closed)) if !part.is_closed() => {}
            Some(Err(error)) => return failed(part, call.message.py(), error),
        }
    }
    offer_slowly(part, call)
}

/// As [`offer`], for what has to be converted, or may wait.
#[cold]
#[inline(never)]
fn offer_slowly(part: &Part, call: Call<'_, '_>) -> PyResult<()> {
    let py = call.message.py();
    let (message, tags) = converted(call)?;
    let (context, level, timestamp_ns) = (call.context, call.level, call.timestamp_ns);
    let message = message.as_bytes();
    let tags = Owned(&tags);
    py.detach(|| part.log(Record { context, level, timestamp_ns, message, tags }))
        .or_else(|error| failed(part, py, error))
}

/// Message and tags of their own, whatever they are.
pub(crate) fn converted(call: Call<'_, '_>) -> PyResult<(String, Vec<Tag>)> {
    let py = call.message.py();
    let tell = &mut |error| told(py, error);
    let message = text_of(call.message)
        .or_else(|error| tell(error).map(|()| "<unprintable message>".to_owned()))?;
    let mut tags = call.bound.to_vec();
    if let Some(given) = call.tags {
        tags.extend(owned(given, tell)?);
    }
    Ok((message, tags))
}

/// What the core counts needs no word.
#[cold]
fn failed(part: &Part, py: Python<'_>, error: Error) -> PyResult<()> {
    match error {
        Error::Closed if part.complained.swap(true, Ordering::Relaxed) => Ok(()),
        Error::Dropped | Error::Nested | Error::Rejected(_) => Ok(()),
        error => told(py, raised(error)),
    }
}
