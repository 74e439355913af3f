//! Python values as JSON: nested tags, and configurations.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PyMapping, PySet,
    PyString, PyTuple,
};
use serde_json::{Map, Number, Value};

/// How deep a value may be nested.
const DEPTH: usize = 32;

/// What becomes of objects that JSON does not know.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Others {
    /// Their `str`.
    AsText,
    /// An error, except for paths.
    Refused,
}

/// A value as JSON; what is nested too deep, or contains itself, becomes `"…"`.
pub(crate) fn to_json(value: &Bound<'_, PyAny>, others: Others) -> PyResult<Value> {
    convert(value, others, &mut Vec::new())
}

fn convert(value: &Bound<'_, PyAny>, others: Others, within: &mut Vec<usize>) -> PyResult<Value> {
    if let Some(scalar) = scalar(value)? {
        return Ok(scalar);
    }
    let here = value.as_ptr() as usize;
    if within.len() == DEPTH || within.contains(&here) {
        return match others {
            Others::AsText => Ok("…".into()),
            Others::Refused => {
                Err(PyValueError::new_err("a value contains itself, or is too deep"))
            }
        };
    }
    within.push(here);
    let converted = nested(value, others, within);
    within.pop();
    converted
}

fn scalar(value: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    if value.is_none() {
        return Ok(Some(Value::Null));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Some(text.to_string_lossy().into()));
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Some(flag.is_true().into()));
    }
    if value.is_instance_of::<PyInt>() {
        let number = value.extract::<i64>().map(Value::from);
        return match number.or_else(|_| value.extract::<u64>().map(Value::from)) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Ok(Some(text_of(value)?.into())),
        };
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        return Ok(Some(Number::from_f64(number.value()).map_or(Value::Null, Value::Number)));
    }
    Ok(None)
}

fn nested(value: &Bound<'_, PyAny>, others: Others, within: &mut Vec<usize>) -> PyResult<Value> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return object(dict.iter(), others, within);
    }
    let is_list = value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>();
    if is_list || value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>() {
        let items = value.try_iter()?.map(|item| convert(&item?, others, within));
        return items.collect::<PyResult<Vec<_>>>().map(Value::Array);
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(String::from_utf8_lossy(bytes.as_bytes()).into());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(String::from_utf8_lossy(&bytes.to_vec()).into());
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let items = mapping.items()?;
        let pairs = items.iter().map(|pair| pair.extract());
        return object(pairs.collect::<PyResult<Vec<_>>>()?.into_iter(), others, within);
    }
    match others {
        Others::AsText => text_of(value).map(Value::from),
        Others::Refused => path_of(value).map(Value::from),
    }
}

fn object<'py>(
    items: impl Iterator<Item = (Bound<'py, PyAny>, Bound<'py, PyAny>)>,
    others: Others,
    within: &mut Vec<usize>,
) -> PyResult<Value> {
    let mut map = Map::new();
    for (key, value) in items {
        map.insert(text_of(&key)?, convert(&value, others, within)?);
    }
    Ok(Value::Object(map))
}

/// `str(value)`, with U+FFFD for what is no text.
pub(crate) fn text_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    Ok(value.str()?.to_string_lossy().into_owned())
}

fn path_of(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let os = value.py().import("os")?;
    if let Ok(path) = os.call_method1("fspath", (value,)) {
        return text_of(&path);
    }
    let kind = value.get_type().name()?;
    Err(PyTypeError::new_err(format!("expected text, a number or a path, found {kind}")))
}
