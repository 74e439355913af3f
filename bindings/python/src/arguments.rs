//! From the arguments of a constructor to a configuration.

use lb_core::config::{self, Config, Surroundings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use serde_json::{Map, Value};

use crate::json::{Others, to_json};
use crate::observing::redirected;
use crate::trouble::raised;

/// Explicit settings, in the form of the core: nested or dotted keys, and `config`.
pub(crate) type Settings = Map<String, Value>;

/// The settings of keyword arguments. What is None counts as not given. `config` is a file, or a
/// mapping of settings that the other arguments win over.
pub(crate) fn settings(arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Settings> {
    let mut settings = Settings::new();
    let mut mistakes = Vec::new();
    for (name, value) in arguments.into_iter().flatten() {
        let name = name.to_string();
        match to_json(&value, Others::Refused) {
            Ok(Value::Null) => {}
            Ok(Value::Object(more)) if name == "config" => {
                for (key, value) in more {
                    settings.entry(key).or_insert(value);
                }
            }
            Ok(value) => drop(settings.insert(name, value)),
            Err(error) => mistakes.push(format!("argument: {name}: {}", error.value(value.py()))),
        }
    }
    if mistakes.is_empty() {
        return Ok(settings);
    }
    // All mistakes at once.
    let others = config::load(Value::Object(settings).to_string().as_bytes());
    mistakes.extend(others.err().map(|error| error.to_string()));
    Err(PyValueError::new_err(mistakes.join("\n")))
}

/// As [`settings`], from a mapping.
pub(crate) fn settings_of(mapping: Option<&Bound<'_, PyMapping>>) -> PyResult<Settings> {
    let Some(mapping) = mapping else { return Ok(Settings::new()) };
    let dict = PyDict::new(mapping.py());
    dict.update(mapping)?;
    settings(Some(&dict))
}

/// The configuration that counts: settings over environment over file over defaults.
pub(crate) fn load(py: Python<'_>, settings: &Settings) -> PyResult<Config> {
    loaded(py, settings, Surroundings::of_process())
}

/// The same for programs that have `LB_*` variables of their own.
pub(crate) fn load_tolerant(py: Python<'_>, settings: &Settings) -> PyResult<Config> {
    loaded(py, settings, Surroundings::of_process().map(Surroundings::tolerant))
}

fn loaded(
    py: Python<'_>,
    settings: &Settings,
    around: lb_core::Result<Surroundings>,
) -> PyResult<Config> {
    let json = Value::Object(settings.clone()).to_string();
    let around = around.map_err(raised)?;
    py.detach(|| config::load_with(json.as_bytes(), &around).map(redirected)).map_err(raised)
}
