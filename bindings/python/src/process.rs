//! What the module does at the turns of a process: its end, and its forks.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::{Duration, Instant};

use lb_core::shared::Shared;
use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The longest wait for Loki at the exit of the interpreter.
const LOKI_AT_EXIT: Duration = Duration::from_secs(1);

/// At the exit of the interpreter: everything into the files, and for a second to Loki.
#[pyfunction]
#[pyo3(name = "_end")]
pub(crate) fn end(py: Python<'_>) {
    // What is left was said where it can be mended, and is there for the next program.
    let _ = py.detach(|| Shared::end_all(LOKI_AT_EXIT));
}

/// The longest wait for threads of ours before a fork.
const BEFORE_FORK: Duration = Duration::from_millis(100);

/// Before a fork: our threads end, so that none is forked in the middle of something.
#[pyfunction]
#[pyo3(name = "_before_fork")]
pub(crate) fn before_fork(py: Python<'_>) {
    py.detach(|| Shared::rest_all(Instant::now() + BEFORE_FORK));
}

/// Behind a fork, in the parent: they go on. A child starts its own at its first record.
#[pyfunction]
#[pyo3(name = "_after_fork")]
pub(crate) fn after_fork(py: Python<'_>) -> PyResult<()> {
    if !counts_behind(py) || !is_main_thread(py)? || !soon(go_on) {
        py.detach(Shared::go_on_all);
    }
    Ok(())
}

/// Whether the interpreter counts threads behind this call, to warn of forks with several.
fn counts_behind(py: Python<'_>) -> bool {
    py.version_info() >= (3, 13)
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    main.eq(threading.call_method0("get_ident")?)
}

/// Has the main thread call this as soon as it has left what it is in.
fn soon(call: extern "C" fn(*mut c_void) -> c_int) -> bool {
    // SAFETY: the interpreter's lock is held, and the function takes no argument.
    #[allow(unsafe_code)]
    let refused = unsafe { ffi::Py_AddPendingCall(Some(call), ptr::null_mut()) };
    refused == 0
}

extern "C" fn go_on(_: *mut c_void) -> c_int {
    Python::attach(|py| py.detach(Shared::go_on_all));
    0
}

/// Refuses interpreters in which the module would not keep its promises.
pub(crate) fn check(py: Python<'_>) -> PyResult<()> {
    // SAFETY: the interpreter's lock is held, and both calls only look.
    #[allow(unsafe_code)]
    let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if id != 0 {
        let text = "lb_log works in the main interpreter only: log there, or use processes";
        return Err(PyImportError::new_err(text));
    }
    let flags: String = py.import("sys")?.getattr("abiflags")?.extract()?;
    if flags.contains('t') {
        let text = "lb_log needs the interpreter's lock: use a Python that is not free-threaded";
        return Err(PyImportError::new_err(text));
    }
    Ok(())
}

/// Asks the interpreter to tell us.
pub(crate) fn attend(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    py.import("atexit")?.call_method1("register", (module.getattr("_end")?,))?;
    let hooks = PyDict::new(py);
    hooks.set_item("before", module.getattr("_before_fork")?)?;
    hooks.set_item("after_in_parent", module.getattr("_after_fork")?)?;
    py.import("os")?.call_method("register_at_fork", (), Some(&hooks))?;
    Ok(())
}
