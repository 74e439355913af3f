//! What the drop-in for existing runners has of its own.

use std::sync::Arc;

use lb_core::config;
use lb_core::names::{self, Names};
use lb_core::record::Context;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyType};
use serde_json::Map;

use crate::arguments::{load_tolerant, settings_of};
use crate::core::{Core, Part};
use crate::handler::{is_standard, nanoseconds};
use crate::json::{Others, text_of, to_json};
use crate::offer::{Call, level_of_number, offer};
use crate::seen::Seen;
use crate::tags::{Owned, owned};
use crate::trouble::{raised, told};

/// The path that a template and names come to, in this process.
#[pyfunction]
pub(crate) fn resolve_path(
    template: &str,
    output_dir: &str,
    component: &str,
    host: &str,
    run_id: &str,
) -> PyResult<String> {
    let names = Names { output_dir, run_id, component, host, pid: std::process::id() };
    let path = names::resolve(template, &names).map_err(PyValueError::new_err)?;
    Ok(path.to_string_lossy().into_owned())
}

/// Checks the block `loki` of a configuration, with what environment and file add to it.
#[pyfunction]
pub(crate) fn check_loki(py: Python<'_>, loki: &Bound<'_, PyMapping>) -> PyResult<()> {
    let loki = settings_of(Some(loki))?;
    let settings = [("loki".to_owned(), loki.into())].into_iter().collect();
    load_tolerant(py, &settings).map(drop)
}

/// A record's line, without its newline.
#[pyfunction]
#[pyo3(signature = (fields, level, message, timestamp_ns, tags=None))]
pub(crate) fn line(
    fields: &Bound<'_, PyMapping>,
    level: i64,
    message: &Bound<'_, PyAny>,
    timestamp_ns: i64,
    tags: Option<&Bound<'_, PyDict>>,
) -> PyResult<String> {
    let py = message.py();
    let fields = to_json(fields, Others::AsText)?.to_string();
    let context = config::context(fields.as_bytes(), &nobody()).map_err(raised)?;
    let tags = tags.map(|tags| owned(tags, &mut |error| told(py, error))).transpose()?;
    let message = text_of(message)?;
    let tags = Owned(tags.as_deref().unwrap_or_default());
    let line = lb_core::line::line(
        &context,
        level_of_number(level),
        timestamp_ns,
        message.as_bytes(),
        tags,
    );
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// What a record says whose fields say nothing.
fn nobody() -> Context {
    Context {
        component: "app".to_owned(),
        host: "localhost".to_owned(),
        run_id: "run".to_owned(),
        logger: String::new(),
        event_type: "log".to_owned(),
        workload: "none".to_owned(),
        repetition: 1,
        scenario: None,
        package: None,
        plugin: None,
        tags: Map::new(),
    }
}

/// The way of plain records from a handler of the drop-in into the log: exact `LogRecord`s without
/// attributes of their own, tracebacks or strange levels, of a logger whose context is known.
#[pyclass(frozen, module = "lb_log._native")]
pub(crate) struct Speaker {
    part: Arc<Part>,
    seen: Py<Seen>,
    /// By the logger's name; those who handle the other records add to it.
    contexts: Py<PyDict>,
    record_type: Py<PyType>,
    /// How many attributes a record has at least.
    fresh: usize,
}

#[pymethods]
impl Speaker {
    /// `fresh` is a new record.
    #[new]
    fn new(
        core: &Core,
        seen: Py<Seen>,
        contexts: Py<PyDict>,
        fresh: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let attributes = fresh.getattr("__dict__")?.len()?;
        let record_type = fresh.get_type().unbind();
        Ok(Self { part: core.part.clone(), seen, contexts, record_type, fresh: attributes })
    }

    /// Logs the record, unless its file has it already; false where it is none of the plain ones,
    /// and nothing was done.
    fn speak(&self, record: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = record.py();
        let seen = self.seen.get();
        if seen.has(record)? {
            return Ok(true);
        }
        if !record.get_type().is(&self.record_type) {
            return Ok(false);
        }
        let attributes = record.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        let is_set = |name| -> PyResult<bool> {
            Ok(attributes.get_item(name)?.is_some_and(|value| !value.is_none()))
        };
        if attributes.len() != self.fresh
            || is_set(intern!(py, "exc_info"))?
            || is_set(intern!(py, "exc_text"))?
            || is_set(intern!(py, "stack_info"))?
        {
            return Ok(false);
        }
        let get = |name| attributes.get_item(name);
        let (Some(number), Some(created), Some(name), Some(message)) = (
            get(intern!(py, "levelno"))?.and_then(|number| number.extract::<i64>().ok()),
            get(intern!(py, "created"))?.and_then(|created| created.extract::<f64>().ok()),
            get(intern!(py, "name"))?,
            text(&attributes)?,
        ) else {
            return Ok(false);
        };
        let context = self.contexts.bind(py).get_item(&name)?;
        let Some(context) = context.and_then(|context| context.extract::<u32>().ok()) else {
            return Ok(false);
        };
        let level = level_of_number(number);
        if number < 10 || !is_standard(level, number) {
            return Ok(false);
        }
        let timestamp_ns = nanoseconds(created);
        let message = &message;
        offer(&self.part, Call { context, level, timestamp_ns, message, bound: &[], tags: None })?;
        seen.add(record)?;
        Ok(true)
    }
}

/// What `getMessage` gives; `None` where it would fail, or is not as usual.
fn text<'py>(attributes: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = attributes.py();
    let message = attributes.get_item(intern!(py, "msg"))?;
    let Some(message) = message.filter(PyAnyMethods::is_exact_instance_of::<PyString>) else {
        return Ok(None);
    };
    match attributes.get_item(intern!(py, "args"))? {
        Some(arguments) if arguments.is_truthy().unwrap_or(false) => {
            Ok(message.rem(arguments).ok())
        }
        _ => Ok(Some(message)),
    }
}
