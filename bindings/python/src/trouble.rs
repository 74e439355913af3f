//! What goes wrong: errors of the core as Python's, and what must not reach the program.

use lb_core::Error;
use pyo3::exceptions::{PyException, PyOSError, PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;

/// An error of the core as Python has it.
#[allow(clippy::needless_pass_by_value)] // For map_err.
pub(crate) fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Argument(_) | Error::Config(_) | Error::Rejected(_) => PyValueError::new_err(text),
        Error::Io { path, source, .. } => match source.raw_os_error() {
            Some(number) => PyOSError::new_err((number, text, path)),
            None => PyOSError::new_err(text),
        },
        Error::Timeout(_) => PyTimeoutError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// Tells of an error in a call that logs, as the standard library does: on stderr, unless
/// `logging.raiseExceptions` is false. Only what is no error but an end (such as
/// `KeyboardInterrupt`) comes back.
#[cold]
pub(crate) fn told(py: Python<'_>, error: PyErr) -> PyResult<()> {
    if !error.is_instance_of::<PyException>(py) {
        return Err(error);
    }
    if wants_to_know(py) {
        error.print(py);
    }
    Ok(())
}

fn wants_to_know(py: Python<'_>) -> bool {
    let modules = py.import(intern!(py, "sys")).and_then(|sys| sys.getattr(intern!(py, "modules")));
    let logging = modules.and_then(|modules| modules.get_item(intern!(py, "logging")));
    let flag = logging.and_then(|logging| logging.getattr(intern!(py, "raiseExceptions")));
    flag.and_then(|flag| flag.is_truthy()).unwrap_or(true)
}
