//! `Core`: one opener's part in the core of a log.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lb_core::config::Config;
use lb_core::shared::Shared;
use lb_core::stats::{Delivery, RingsIn, Stats};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};

use crate::arguments::{Settings, load, load_tolerant, settings_of};
use crate::json::{Others, to_json};
use crate::observing;
use crate::offer::{Call, level_of, offer};
use crate::trouble::raised;

/// The longest wait that a number of seconds can mean.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// What one opener has of a core, and whether it was told that it has closed it.
pub(crate) struct Part {
    shared: Shared,
    /// That it was closed was said to who goes on.
    pub(crate) complained: AtomicBool,
}

impl Part {
    pub(crate) fn new(shared: Shared) -> Arc<Self> {
        let part = Arc::new(Self { shared, complained: AtomicBool::new(false) });
        observing::note(&part);
        part
    }
}

impl Part {
    /// Opens the log of a configuration, or joins those who have its path open already.
    pub(crate) fn open(py: Python<'_>, settings: &Settings) -> PyResult<Arc<Self>> {
        Self::with(py, load(py, settings)?)
    }

    fn with(py: Python<'_>, config: Config) -> PyResult<Arc<Self>> {
        Ok(Self::new(py.detach(|| Shared::open(config)).map_err(raised)?))
    }

    /// As [`Part::open`]; programs that this one starts belong to the same run.
    pub(crate) fn open_run(py: Python<'_>, settings: &Settings) -> PyResult<Arc<Self>> {
        let part = Self::open(py, settings)?;
        let environment = py.import("os")?.getattr("environ")?;
        environment.call_method1("setdefault", ("LB_RUN_ID", &part.identity().run_id))?;
        Ok(part)
    }
}

impl Deref for Part {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// One opener's part in the core of a log file: what a process has open for one path.
#[pyclass(frozen, module = "lb_log._native", weakref)]
pub(crate) struct Core {
    pub(crate) part: Arc<Part>,
}

#[pymethods]
impl Core {
    /// Opens the log of a configuration, or joins those who have its path open already.
    #[staticmethod]
    #[pyo3(signature = (config=None, *, tolerant=false))]
    fn open(
        py: Python<'_>,
        config: Option<&Bound<'_, PyMapping>>,
        tolerant: bool,
    ) -> PyResult<Self> {
        let load = if tolerant { load_tolerant } else { load };
        let config = load(py, &settings_of(config)?)?;
        Ok(Self { part: Part::with(py, config)? })
    }

    /// The log file.
    #[getter]
    fn path(&self) -> String {
        self.part.path().to_string_lossy().into_owned()
    }

    /// The fields that records of this part have unless they bring their own.
    #[getter]
    fn identity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let identity = self.part.identity();
        let text = serde_json::to_string(identity).map_err(|error| {
            PyValueError::new_err(format!("the identity cannot be told: {error}"))
        })?;
        py.import("json")?.call_method1("loads", (text,))
    }

    /// Whether this opener has closed or released its part.
    #[getter]
    fn closed(&self) -> bool {
        self.part.is_closed()
    }

    /// The id of a context.
    fn context(&self, py: Python<'_>, fields: &Bound<'_, PyMapping>) -> PyResult<u32> {
        let json = to_json(fields, Others::AsText)?.to_string();
        py.detach(|| self.part.own_context_with(json.as_bytes())).map_err(raised)
    }

    /// Logs one record.
    #[pyo3(signature = (context, level, message, timestamp_ns=None, tags=None))]
    fn log(
        &self,
        context: u32,
        level: &Bound<'_, PyAny>,
        message: &Bound<'_, PyAny>,
        timestamp_ns: Option<i64>,
        tags: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let level = level_of(level)?;
        offer(&self.part, Call { context, level, timestamp_ns, message, bound: &[], tags })
    }

    /// Waits until everything that was accepted before the call is in the file.
    #[pyo3(signature = (timeout=5.0))]
    fn flush(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds("timeout", timeout)?;
        py.detach(|| self.part.flush(timeout)).map_err(raised)
    }

    /// Gives up this part; waits for file and Loki where nobody else has the core.
    #[pyo3(signature = (timeout=5.0))]
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds("timeout", timeout)?;
        py.detach(|| self.part.close(timeout)).map_err(raised)
    }

    /// Gives up this part; where nobody else has the core, it lingers for the next opener.
    #[pyo3(signature = (linger=5.0, timeout=5.0))]
    fn release(&self, py: Python<'_>, linger: f64, timeout: f64) -> PyResult<()> {
        let (linger, timeout) = (seconds("linger", linger)?, seconds("timeout", timeout)?);
        py.detach(|| self.part.release(linger, timeout)).map_err(raised)
    }

    /// Pushes the lines of this log to Loki from now on.
    #[pyo3(signature = (loki, *, tolerant=false))]
    fn ship(&self, py: Python<'_>, loki: &Bound<'_, PyMapping>, tolerant: bool) -> PyResult<()> {
        if observing::is_on() {
            return Ok(());
        }
        let load = if tolerant { load_tolerant } else { load };
        let mut loki = settings_of(Some(loki))?;
        loki.insert("enabled".to_owned(), true.into());
        let settings = [("loki".to_owned(), loki.into())].into_iter().collect();
        let config = load(py, &settings)?;
        py.detach(|| self.part.ship(&config)).map_err(raised)
    }

    /// The open cores that were opened with these.
    #[staticmethod]
    #[pyo3(signature = (component=None, host=None, run_id=None))]
    fn opened(
        py: Python<'_>,
        component: Option<&str>,
        host: Option<&str>,
        run_id: Option<&str>,
    ) -> Vec<Self> {
        let opened = py.detach(|| Shared::opened(component, host, run_id));
        opened.into_iter().map(|shared| Self { part: Part::new(shared) }).collect()
    }

    /// The accounting.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        stats_dict(py, &self.part.stats())
    }
}

/// A time-out.
pub(crate) fn seconds(argument: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        let text = format!("{argument}: expected seconds, 0 or more, found {seconds}");
        return Err(PyValueError::new_err(text));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(FOREVER).min(FOREVER))
}

/// The accounting as Python has it.
pub(crate) fn stats_dict<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let counts = [
        ("offered", stats.offered),
        ("written", stats.written),
        ("queued", stats.queued),
        ("dropped", stats.dropped),
        ("rejected", stats.rejected),
        ("truncated", stats.truncated),
        ("nonfinite", stats.nonfinite),
        ("shared", stats.shared),
        ("recovered", stats.recovered),
        ("damaged", stats.damaged),
        ("write_errors", stats.write_errors),
        ("rotations", stats.rotations),
        ("file_bytes", stats.file_bytes),
        ("syncs", stats.syncs),
        ("sync_errors", stats.sync_errors),
        ("segments_deleted", stats.segments_deleted),
    ];
    for (name, count) in counts {
        dict.set_item(name, count)?;
    }
    let rings_in = match stats.rings_in {
        RingsIn::Shm => "shm",
        RingsIn::Log => "log",
        RingsIn::Memory => "memory",
    };
    dict.set_item("rings_in", rings_in)?;
    dict.set_item("apart", stats.apart)?;
    dict.set_item("loki", stats.loki.as_ref().map(|loki| delivery_dict(py, loki)).transpose()?)?;
    Ok(dict)
}

fn delivery_dict<'py>(py: Python<'py>, loki: &Delivery) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let counts = [
        ("lines", loki.lines),
        ("acknowledged", loki.acknowledged),
        ("below_level", loki.below_level),
        ("pending", loki.pending),
        ("parked", loki.parked),
        ("quarantined", loki.quarantined),
        ("replayed", loki.replayed),
        ("missing", loki.missing),
    ];
    for (name, count) in counts {
        dict.set_item(name, count)?;
    }
    Ok(dict)
}
