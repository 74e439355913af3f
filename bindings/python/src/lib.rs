//! `lb_log._native`: the core of lb-log for Python.
//!
//! Nothing here calls Python from a thread of ours, and the interpreter's lock is released before
//! anything that may wait.

mod arguments;
mod collecting;
mod commands;
mod core;
mod dropin;
mod handler;
mod json;
mod logger;
mod observing;
mod offer;
mod process;
mod seen;
mod tags;
mod trouble;

use pyo3::prelude::*;

/// The core of lb-log.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::collecting::collect;
    #[pymodule_export]
    use crate::commands::{Told, collect_told, drain, find_logs, push, safe, status};
    #[pymodule_export]
    use crate::core::Core;
    #[pymodule_export]
    use crate::dropin::{Speaker, check_loki, line, resolve_path};
    #[pymodule_export]
    use crate::handler::HandlerBase;
    #[pymodule_export]
    use crate::logger::{Logger, restore};
    #[pymodule_export]
    use crate::observing::{end_observation, observe, take_observed};

    #[pymodule_export]
    use crate::process::{after_fork, before_fork, end};
    #[pymodule_export]
    use crate::seen::Seen;
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        crate::process::check(module.py())?;
        crate::process::attend(module)
    }
}
