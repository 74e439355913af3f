//! What the module does at the turns of a process: its end, and its forks.

use std::time::Duration;

use lb_core::shared::Shared;
use pyo3::prelude::*;

/// The longest wait for Loki at the exit of the interpreter.
const LOKI_AT_EXIT: Duration = Duration::from_secs(1);

/// At the exit of the interpreter: everything into the files, and for a second to Loki.
#[pyfunction]
#[pyo3(name = "_end")]
pub(crate) fn end(py: Python<'_>) {
    // What is left was said where it can be mended, and is there for the next program.
    let _ = py.detach(|| Shared::end_all(LOKI_AT_EXIT));
}

/// Asks the interpreter to tell us.
pub(crate) fn attend(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    py.import("atexit")?.call_method1("register", (module.getattr("_end")?,))?;
    Ok(())
}
