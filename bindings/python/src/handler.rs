//! The native half of `lb_log.Handler`: from a `LogRecord` straight into a ring.
//!
//! It takes no lock of Python's. A ring belongs to the thread that logs, and what is kept here is
//! only read, or changed in one step while the interpreter's lock is held.

use std::sync::{Arc, OnceLock};

use lb_core::record::Level;
use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyFrozenSet, PyString, PyTuple, PyType};
use serde_json::json;

use crate::arguments::settings;
use crate::core::{Core, Part};
use crate::logger::traceback;
use crate::offer::{Call, level_of_number, offer};

/// What the handler has from its arguments, and what it has learned.
struct Inner {
    part: Arc<Part>,
    /// The context of each logger, by its name.
    contexts: Py<PyDict>,
    /// Attributes that every `LogRecord` has, or that formatters leave there.
    known: Py<PyFrozenSet>,
    /// How many attributes a fresh record has: one with more bears extra ones.
    fresh: usize,
    record_type: Py<PyType>,
    /// A subclass has an `emit` of its own.
    emits_itself: bool,
}

/// The base of `lb_log.Handler`.
#[pyclass(frozen, subclass, module = "lb_log._native")]
pub(crate) struct HandlerBase {
    inner: OnceLock<Inner>,
}

#[pymethods]
impl HandlerBase {
    #[new]
    #[pyo3(signature = (*_positional, **_named))]
    #[allow(clippy::used_underscore_binding)]
    fn new(_positional: &Bound<'_, PyTuple>, _named: Option<&Bound<'_, PyDict>>) -> Self {
        Self { inner: OnceLock::new() }
    }

    /// Opens the log. `fresh` is a new record, `left` what formatters add to one.
    fn _open(
        slf: &Bound<'_, Self>,
        arguments: &Bound<'_, PyDict>,
        fresh: &Bound<'_, PyAny>,
        left: Vec<String>,
        emits_itself: bool,
    ) -> PyResult<Core> {
        let py = slf.py();
        let part = Part::open_run(py, &settings(Some(arguments))?)?;
        let attributes = fresh.getattr("__dict__")?.cast_into::<PyDict>()?;
        let mut known: Vec<String> = attributes.keys().extract()?;
        known.extend(left);
        let inner = Inner {
            part: part.clone(),
            contexts: PyDict::new(py).unbind(),
            known: PyFrozenSet::new(py, known)?.unbind(),
            fresh: attributes.len(),
            record_type: fresh.get_type().unbind(),
            emits_itself,
        };
        let _ = slf.get().inner.set(inner);
        Ok(Core { part })
    }

    /// Logs a record that passes the filters.
    fn handle<'py>(
        slf: &Bound<'py, Self>,
        record: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let own = slf.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        let inner = slf.get().inner.get().ok_or_else(not_open)?;
        if inner.emits_itself || own.contains(intern!(py, "emit"))? {
            let logging = py.import(intern!(py, "logging"))?;
            let handler = logging.getattr(intern!(py, "Handler"))?;
            return handler.call_method1(intern!(py, "handle"), (slf, record));
        }
        let mut record = record.clone();
        let filters = own.get_item(intern!(py, "filters"))?;
        if filters.is_some_and(|filters| filters.is_truthy().unwrap_or(true)) {
            let passed = slf.call_method1(intern!(py, "filter"), (&record,))?;
            if !passed.is_truthy()? {
                return Ok(passed);
            }
            // Since 3.12 a filter may put another record in the place of this one.
            if !passed.is_exact_instance_of::<pyo3::types::PyBool>() {
                record = passed;
            }
        }
        emit(slf, inner, &own, &record)?;
        Ok(true.into_pyobject(py)?.to_owned().into_any())
    }

    /// Logs a record.
    fn emit(slf: &Bound<'_, Self>, record: &Bound<'_, PyAny>) -> PyResult<()> {
        let own = slf.getattr(intern!(slf.py(), "__dict__"))?.cast_into::<PyDict>()?;
        emit(slf, slf.get().inner.get().ok_or_else(not_open)?, &own, record)
    }
}

fn not_open() -> PyErr {
    PyRuntimeError::new_err("lb_log.Handler.__init__ was not called")
}

/// Logs a record. What goes wrong is `handleError`'s, as everywhere in `logging`.
#[inline]
fn emit(
    slf: &Bound<'_, HandlerBase>,
    inner: &Inner,
    own: &Bound<'_, PyDict>,
    record: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = slf.py();
    let mut tell = |error: PyErr| {
        if !error.is_instance_of::<PyException>(py) {
            return Err(error);
        }
        // It looks for the error where it is being handled.
        let handle = py.import("lb_log._handler")?.getattr("handle_error")?;
        handle.call1((slf, record, error)).map(drop)
    };
    match convert(slf, inner, own, record, &mut tell) {
        Ok(()) => Ok(()),
        Err(error) => tell(error),
    }
}

type Tell<'t> = dyn FnMut(PyErr) -> PyResult<()> + 't;

#[inline]
fn convert(
    slf: &Bound<'_, HandlerBase>,
    inner: &Inner,
    own: &Bound<'_, PyDict>,
    record: &Bound<'_, PyAny>,
    tell: &mut Tell<'_>,
) -> PyResult<()> {
    let py = slf.py();
    let attributes = record.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
    let formatter = own.get_item(intern!(py, "formatter"))?;
    let message = if formatter.is_some_and(|formatter| !formatter.is_none()) {
        slf.call_method1(intern!(py, "format"), (record,))?
    } else {
        message(inner, record, &attributes, tell)?
    };
    let number = attributes
        .get_item(intern!(py, "levelno"))?
        .and_then(|number| number.extract::<i64>().ok());
    let number = number.unwrap_or(0);
    let level = level_of_number(number);
    let created = attributes.get_item(intern!(py, "created"))?;
    let timestamp_ns = created.and_then(|created| {
        created.cast_into::<PyFloat>().ok().and_then(|created| nanoseconds(created.value()))
    });
    let context = context(inner, attributes.get_item(intern!(py, "name"))?.as_ref())?;
    let is_set = |name| -> PyResult<bool> {
        Ok(attributes.get_item(name)?.is_some_and(|value| !value.is_none()))
    };
    let plain = attributes.len() == inner.fresh
        && is_standard(level, number)
        && !is_set(intern!(py, "exc_info"))?
        && !is_set(intern!(py, "stack_info"))?;
    let tags = if plain { None } else { tags(inner, &attributes, level, number, tell)? };
    let call =
        Call { context, level, timestamp_ns, message: &message, bound: &[], tags: tags.as_ref() };
    offer(&inner.part, call)
}

/// What `getMessage` gives.
#[inline]
fn message<'py>(
    inner: &Inner,
    record: &Bound<'py, PyAny>,
    attributes: &Bound<'py, PyDict>,
    tell: &mut Tell<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = record.py();
    if !record.get_type().is(&inner.record_type) {
        // It may have ideas of its own.
        return record.call_method0(intern!(py, "getMessage"));
    }
    let Some(msg) = attributes.get_item(intern!(py, "msg"))? else {
        return record.call_method0(intern!(py, "getMessage"));
    };
    let arguments = attributes.get_item(intern!(py, "args"))?;
    let Some(arguments) = arguments.filter(|arguments| arguments.is_truthy().unwrap_or(true))
    else {
        return Ok(msg);
    };
    let text = msg.str()?;
    // A message that cannot be filled in is better than none.
    text.rem(arguments).or_else(|error| tell(error).map(|()| text.into_any()))
}

/// Seconds since 1970 as a record's own time: what a float has of it, and no more is lost.
#[allow(clippy::cast_possible_truncation)] // Saturates, far beyond any date.
pub(crate) fn nanoseconds(seconds: f64) -> Option<i64> {
    if !seconds.is_finite() {
        return None;
    }
    let (whole, rest) = (seconds.floor(), seconds - seconds.floor());
    (whole as i64).checked_mul(1_000_000_000)?.checked_add((rest * 1e9).round() as i64)
}

/// The context of a logger's records.
#[inline]
fn context(inner: &Inner, name: Option<&Bound<'_, PyAny>>) -> PyResult<u32> {
    let Some(name) = name.and_then(|name| name.cast::<PyString>().ok()) else {
        return Ok(inner.part.own_context());
    };
    let contexts = inner.contexts.bind(name.py());
    if let Some(known) = contexts.get_item(name)? {
        return known.extract();
    }
    let text = name.to_string_lossy();
    let json = json!({"logger": text}).to_string();
    let made = name.py().detach(|| inner.part.own_context_with(json.as_bytes()));
    // A name that is too long, or one of too many.
    let context = made.unwrap_or_else(|_| inner.part.own_context());
    contexts.set_item(name, context)?;
    Ok(context)
}

pub(crate) fn is_standard(level: Level, number: i64) -> bool {
    number == 10 * (i64::from(level as u8) - 1)
}

/// What a record bears besides its message.
#[cold]
fn tags<'py>(
    inner: &Inner,
    attributes: &Bound<'py, PyDict>,
    level: Level,
    number: i64,
    tell: &mut Tell<'_>,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let py = attributes.py();
    let tags = PyDict::new(py);
    let known = inner.known.bind(py);
    if attributes.len() != inner.fresh {
        for (name, value) in attributes {
            if !known.contains(&name)? {
                tags.set_item(name, value)?;
            }
        }
    }
    let name = attributes.get_item(intern!(py, "levelname"))?;
    if let Some(name) = name.filter(|_| !is_standard(level, number)) {
        tags.set_item(intern!(py, "level_name"), name)?;
    }
    let info = attributes.get_item(intern!(py, "exc_info"))?;
    if let Some(info) = info.filter(|info| info.is_truthy().unwrap_or(false)) {
        match traceback(py, Some(&info)) {
            Ok(Some(text)) => tags.set_item(intern!(py, "exception"), text)?,
            Ok(None) => {}
            Err(error) => tell(error)?,
        }
    } else if let Some(text) = attributes.get_item(intern!(py, "exc_text"))?
        && text.is_truthy()?
    {
        // A queue has made text of it.
        tags.set_item(intern!(py, "exception"), text)?;
    }
    if let Some(stack) = attributes.get_item(intern!(py, "stack_info"))?
        && stack.is_truthy()?
    {
        tags.set_item(intern!(py, "stack"), stack)?;
    }
    Ok((!tags.is_empty()).then_some(tags))
}
