//! What the drop-in for existing runners asks of the core beside a log.

use lb_core::config;
use lb_core::names::{self, Names};
use lb_core::record::Context;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use serde_json::Map;

use crate::core::level_of_number;
use crate::json::{Others, text_of, to_json};
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
