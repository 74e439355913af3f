//! `Logger`: what programs log through.

use std::sync::Arc;

use lb_core::record::Level;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyTuple};
use serde_json::{Map, Value, json};

use crate::arguments::{Settings, settings};
use crate::core::{Part, seconds, stats_dict};
use crate::json::{Others, to_json};
use crate::offer::{Call, level_of, offer};
use crate::tags::{self, Tag};
use crate::trouble::{raised, told};

/// Fields of a record that `bind` sets for itself; everything else is a tag.
const FIELDS: [&str; 10] = [
    "component",
    "host",
    "run_id",
    "logger",
    "event_type",
    "workload",
    "repetition",
    "scenario",
    "package",
    "plugin",
];

/// Logs into a file that survives the program.
#[pyclass(frozen, module = "lb_log", weakref)]
pub(crate) struct Logger {
    part: Arc<Part>,
    context: u32,
    /// Fields that make the context what it is, over the configuration.
    fields: Map<String, Value>,
    /// Encoded once, and written with each record.
    bound: Vec<Tag>,
    settings: Arc<Settings>,
}

impl Logger {
    #[inline]
    fn offer(
        &self,
        level: Level,
        message: &Bound<'_, PyAny>,
        tags: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let (context, bound) = (self.context, &*self.bound);
        if tags.is_some_and(|tags| tags.contains(intern!(tags.py(), "exc_info")).unwrap_or(false)) {
            return self.offer_with_exception(level, message, tags);
        }
        offer(&self.part, Call { context, level, timestamp_ns: None, message, bound, tags })
    }

    /// With the tag `exception` in the place of `exc_info`, as the standard library knows it.
    #[cold]
    fn offer_with_exception(
        &self,
        level: Level,
        message: &Bound<'_, PyAny>,
        tags: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let py = message.py();
        let tags = tags.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
        let info = tags.get_item("exc_info")?;
        if info.is_some() {
            tags.del_item("exc_info")?;
        }
        match info.as_ref().map_or_else(|| traceback(py, None), |info| traceback(py, Some(info))) {
            Ok(Some(text)) => tags.set_item("exception", text)?,
            Ok(None) => {}
            Err(error) => told(py, error)?,
        }
        let (context, bound, tags) = (self.context, &*self.bound, Some(&tags));
        offer(&self.part, Call { context, level, timestamp_ns: None, message, bound, tags })
    }
}

/// The text of a traceback: of the exception that is handled now, or of what `exc_info` may be.
pub(crate) fn traceback(
    py: Python<'_>,
    info: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<String>> {
    let info = match info {
        Some(info) if !info.is_truthy()? => return Ok(None),
        Some(info) if info.is_instance_of::<PyTuple>() => info.clone(),
        Some(info) if info.hasattr("__traceback__")? => {
            let trace = info.getattr("__traceback__")?;
            (info.get_type(), info, trace).into_pyobject(py)?.into_any()
        }
        _ => py.import("sys")?.call_method0("exc_info")?,
    };
    let info = info.cast_into::<PyTuple>()?;
    if info.get_item(0)?.is_none() {
        return Ok(None);
    }
    let lines = py.import("traceback")?.call_method1("format_exception", info)?;
    let lines: Vec<String> = lines.extract()?;
    Ok(Some(lines.concat().trim_end_matches('\n').to_owned()))
}

#[pymethods]
impl Logger {
    #[new]
    #[pyo3(signature = (**arguments))]
    fn new(py: Python<'_>, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let settings = settings(arguments)?;
        let part = Part::open_run(py, &settings)?;
        let (context, settings) = (part.own_context(), Arc::new(settings));
        Ok(Self { part, context, fields: Map::new(), bound: Vec::new(), settings })
    }

    /// Logs a record of level TRACE.
    #[pyo3(signature = (msg, /, **tags))]
    fn trace(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Trace, msg, tags)
    }

    /// Logs a record of level DEBUG.
    #[pyo3(signature = (msg, /, **tags))]
    fn debug(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Debug, msg, tags)
    }

    /// Logs a record of level INFO.
    #[pyo3(signature = (msg, /, **tags))]
    fn info(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Info, msg, tags)
    }

    /// Logs a record of level WARNING.
    #[pyo3(signature = (msg, /, **tags))]
    fn warning(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Warning, msg, tags)
    }

    /// Logs a record of level ERROR.
    #[pyo3(signature = (msg, /, **tags))]
    fn error(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Error, msg, tags)
    }

    /// Logs a record of level CRITICAL.
    #[pyo3(signature = (msg, /, **tags))]
    fn critical(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer(Level::Critical, msg, tags)
    }

    /// Logs a record of level ERROR with the traceback of the exception that is handled now.
    #[pyo3(signature = (msg, /, **tags))]
    fn exception(&self, msg: &Bound<'_, PyAny>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.offer_with_exception(Level::Error, msg, tags)
    }

    /// Logs a record of any level.
    #[pyo3(signature = (level, msg, /, **tags))]
    fn log(
        &self,
        level: &Bound<'_, PyAny>,
        msg: &Bound<'_, PyAny>,
        tags: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        match level_of(level) {
            Ok(level) => self.offer(level, msg, tags),
            Err(error) => told(msg.py(), error),
        }
    }

    /// A logger of the same file whose records bear these fields, too.
    #[pyo3(signature = (**fields))]
    fn bind(&self, py: Python<'_>, fields: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut own = self.fields.clone();
        let mut bound = self.bound.clone();
        let mut changed = false;
        for (key, value) in fields.into_iter().flatten() {
            let key = key.to_string();
            if FIELDS.contains(&key.as_str()) {
                own.insert(key, to_json(&value, Others::AsText)?);
                changed = true;
            } else {
                let value = tags::Value::whatever(&value, &mut |error| told(py, error))?;
                bound.retain(|tag| tag.key != key);
                bound.push(Tag { key, value });
            }
        }
        let mut context = self.context;
        if changed {
            let json = json!(own).to_string();
            context = py.detach(|| self.part.own_context_with(json.as_bytes())).map_err(raised)?;
        }
        let (part, settings) = (self.part.clone(), self.settings.clone());
        Ok(Self { part, context, fields: own, bound, settings })
    }

    /// The log file.
    #[getter]
    fn path(&self) -> String {
        self.part.path().to_string_lossy().into_owned()
    }

    /// Waits until everything that was accepted before the call is in the file.
    #[pyo3(signature = (timeout=5.0))]
    fn flush(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds("timeout", timeout)?;
        py.detach(|| self.part.flush(timeout)).map_err(raised)
    }

    /// Ends this logger and those that were bound from it.
    #[pyo3(signature = (timeout=5.0))]
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds("timeout", timeout)?;
        py.detach(|| self.part.close(timeout)).map_err(raised)
    }

    /// The accounting of the process's core for this file.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.part.stats())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_error))]
    fn __exit__(&self, py: Python<'_>, _error: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py, 5.0)
    }

    /// As its configuration, with the run that it belongs to.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut settings = Settings::clone(&self.settings);
        let run_id = &self.part.identity().run_id;
        let output_dir = self.part.config().output_dir.to_string_lossy();
        settings.entry("run_id").or_insert_with(|| run_id.as_str().into());
        settings.insert("output_dir".into(), output_dir.into());
        let fields = PyDict::new(py);
        for tag in &self.bound {
            fields.set_item(&tag.key, tag.value.to_python(py)?)?;
        }
        let restore = py.import("lb_log._native")?.getattr("_restore")?;
        let (settings, own) = (json!(settings).to_string(), json!(self.fields).to_string());
        (restore, (settings, own, fields)).into_pyobject(py)
    }

    fn __repr__(&self) -> String {
        format!("<lb_log.Logger {}>", self.path())
    }
}

/// A logger from its pickle.
#[pyfunction]
#[pyo3(name = "_restore")]
pub(crate) fn restore<'py>(
    py: Python<'py>,
    settings: &str,
    own: &str,
    fields: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let loads = py.import("json")?.getattr("loads")?;
    let settings = loads.call1((settings,))?.cast_into::<PyDict>()?;
    let logger = py.get_type::<Logger>().call((), Some(&settings))?;
    fields.update(loads.call1((own,))?.cast::<PyMapping>()?)?;
    logger.call_method("bind", (), Some(fields))
}
