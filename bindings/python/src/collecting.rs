//! Collection.

use lb_core::collect::Request;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};

use crate::arguments::settings_of;
use crate::trouble::raised;

/// Collects the logs of a run, and returns the report.
#[pyfunction]
pub(crate) fn collect<'py>(
    py: Python<'py>,
    request: &Bound<'py, PyMapping>,
) -> PyResult<Bound<'py, PyAny>> {
    let request = serde_json::Value::Object(settings_of(Some(request))?).to_string();
    let report = py.detach(|| {
        let report = lb_core::collect::collect(&Request::from_json(request.as_bytes())?, &|_| {})?;
        serde_json::to_string(&report).map_err(|error| {
            lb_core::Error::Argument(format!("the report cannot be told: {error}"))
        })
    });
    let text = report.map_err(raised)?;
    py.import("json")?.call_method("loads", (text,), None::<&Bound<'_, PyDict>>)
}
