//! What `python -m lb_log` does, and finding the files that `lb_log.read` reads.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lb_core::command::{self, Collecting, Said, words};
use lb_core::config::Flags;
use lb_core::loki::{Failure, PushOptions};
use lb_core::runs::log::{Log, in_real_folder};
use lb_core::runs::run;
use lb_core::stats::Delivery;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::trouble::raised;

/// What a command has to tell: `outcome` is its exit status, `text` and `document` are its data in
/// both forms, `said` are pairs of a kind (`error`, `warning`, `remark`) and a sentence.
#[pyclass(frozen, get_all, module = "lb_log._native")]
pub(crate) struct Told {
    outcome: u8,
    heading: Option<String>,
    text: String,
    document: String,
    said: Vec<(&'static str, String)>,
}

impl From<command::Told> for Told {
    fn from(told: command::Told) -> Self {
        let said = |said| match said {
            Said::Mistake(text) => ("error", text),
            Said::Warning(text) => ("warning", text),
            Said::Remark(text) => ("remark", text),
        };
        Self {
            outcome: told.outcome as u8,
            heading: told.heading,
            text: told.text,
            document: format!("{:#}", told.document),
            said: told.said.into_iter().map(said).collect(),
        }
    }
}

/// Looks at a run's files.
#[pyfunction]
#[pyo3(signature = (run, *, config=None, output_dir=None, loki_endpoint=None))]
pub(crate) fn status(
    py: Python<'_>,
    run: &str,
    config: Option<PathBuf>,
    output_dir: Option<PathBuf>,
    loki_endpoint: Option<String>,
) -> PyResult<Told> {
    let flags = Flags { config, output_dir, loki_endpoint };
    Ok(py.detach(|| command::status(Some(run), &flags)).map_err(raised)?.into())
}

/// Moves what dead processes left in their rings into their files.
#[pyfunction]
#[pyo3(signature = (folder=None, *, config=None, output_dir=None, loki_endpoint=None))]
#[allow(clippy::needless_pass_by_value)] // As arguments come from Python.
pub(crate) fn drain(
    py: Python<'_>,
    folder: Option<PathBuf>,
    config: Option<PathBuf>,
    output_dir: Option<PathBuf>,
    loki_endpoint: Option<String>,
) -> PyResult<Told> {
    let flags = Flags { config, output_dir, loki_endpoint };
    Ok(py.detach(|| command::drain(folder.as_deref(), &flags)).map_err(raised)?.into())
}

/// Pushes what Loki has not acknowledged, until `goes_on` (log, lines, pending, why) says no.
#[pyfunction]
#[pyo3(signature = (runs, from_start, timeout, goes_on, *, config=None, output_dir=None, loki_endpoint=None))]
#[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)] // As Python has them.
pub(crate) fn push(
    py: Python<'_>,
    runs: Vec<String>,
    from_start: bool,
    timeout: Option<f64>,
    goes_on: Py<PyAny>,
    config: Option<PathBuf>,
    output_dir: Option<PathBuf>,
    loki_endpoint: Option<String>,
) -> PyResult<Told> {
    let flags = Flags { config, output_dir, loki_endpoint };
    let timeout = timeout.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut failed = None;
    let mut progress = |log: &Path, delivery: &Delivery, why: Option<&str>| {
        let told = (words::near(log), delivery.lines, delivery.pending, why);
        let goes_on = Python::attach(|py| goes_on.call1(py, told)?.is_truthy(py));
        match goes_on {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let options = PushOptions { from_start, deadline };
    let told = py.detach(|| command::push(&runs, &flags, options, &mut progress));
    match (failed, told) {
        (Some(error), _) => Err(error),
        (None, Ok(told)) => Ok(told.into()),
        (None, Err(Failure::File(error))) => Err(raised(error)),
        (None, Err(Failure::Loki(why))) => Err(PyRuntimeError::new_err(why)),
    }
}

/// Collects a run's logs.
#[pyfunction]
#[pyo3(signature = (run, sources, *, remove_source, timeout, jobs, dry_run, gzip_level, ssh, config=None, output_dir=None, loki_endpoint=None))]
#[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)] // They are the flags.
pub(crate) fn collect_told(
    py: Python<'_>,
    run: String,
    sources: Vec<String>,
    remove_source: bool,
    timeout: f64,
    jobs: usize,
    dry_run: bool,
    gzip_level: Option<u32>,
    ssh: Option<String>,
    config: Option<PathBuf>,
    output_dir: Option<PathBuf>,
    loki_endpoint: Option<String>,
) -> PyResult<Told> {
    let flags = Flags { config, output_dir, loki_endpoint };
    let from = sources;
    let what = Collecting { run, from, remove_source, timeout, jobs, dry_run, gzip_level, ssh };
    Ok(py.detach(|| command::collect(&what, &flags, &|_| {})).map_err(raised)?.into())
}

/// For each log of some runs the files that hold its records, oldest first; and what could not be
/// read.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // As arguments come from Python.
pub(crate) fn find_logs(
    py: Python<'_>,
    runs: Vec<String>,
    config: Option<PathBuf>,
    output_dir: Option<PathBuf>,
) -> PyResult<(Vec<Vec<OsString>>, Vec<String>)> {
    let flags = Flags { config, output_dir, loki_endpoint: None };
    py.detach(|| {
        let (mut logs, mut problems) = (Vec::new(), Vec::new());
        for name in &runs {
            let run = run::find(Some(name), &flags)?;
            logs.extend(run.logs.iter().map(files));
            problems.extend(run.problems);
        }
        // Runs may overlap.
        logs.sort();
        logs.dedup();
        Ok((logs, problems))
    })
    .map_err(raised)
}

fn files(log: &Log) -> Vec<OsString> {
    log.records().map(|path| in_real_folder(path).into_os_string()).collect()
}

/// Text that cannot steer a terminal.
#[pyfunction]
pub(crate) fn safe(text: &str) -> String {
    words::safe(text).into_owned()
}
