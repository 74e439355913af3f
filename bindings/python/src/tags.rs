//! Tags as Python has them, on their way into a record.

use lb_core::logger::TagList;
use lb_core::record::TagValue;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::json::{Others, text_of, to_json};

/// A tag of our own.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Value,
}

/// Its value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    Boolean(bool),
    Null,
}

impl Value {
    fn borrowed(&self) -> TagValue<'_> {
        match self {
            Self::Text(text) => TagValue::String(text.as_bytes()),
            Self::Integer(number) => TagValue::Integer(*number),
            Self::Unsigned(number) => TagValue::Unsigned(*number),
            Self::Number(number) => TagValue::Number(*number),
            Self::Boolean(flag) => TagValue::Boolean(*flag),
            Self::Null => TagValue::Null,
        }
    }

    /// As [`Value::of`]; of what cannot be converted a text that says so, and `tell` gets the error.
    pub(crate) fn whatever(
        value: &Bound<'_, PyAny>,
        tell: &mut dyn FnMut(PyErr) -> PyResult<()>,
    ) -> PyResult<Self> {
        Self::of(value).or_else(|error| {
            tell(error)?;
            let kind = value.get_type().name().map(|name| name.to_string());
            Ok(Self::Text(format!("<unprintable {}>", kind.unwrap_or_default())))
        })
    }

    /// As Python has it.
    pub(crate) fn to_python<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Text(text) => text.into_bound_py_any(py),
            Self::Integer(number) => number.into_bound_py_any(py),
            Self::Unsigned(number) => number.into_bound_py_any(py),
            Self::Number(number) => number.into_bound_py_any(py),
            Self::Boolean(flag) => flag.into_bound_py_any(py),
            Self::Null => Ok(py.None().into_bound(py)),
        }
    }

    /// What a record can bear of any value: nested ones as JSON text, all others as their `str`.
    fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(match plain(value) {
            Some(TagValue::Integer(number)) => Self::Integer(number),
            Some(TagValue::Number(number)) => Self::Number(number),
            Some(TagValue::Boolean(flag)) => Self::Boolean(flag),
            Some(TagValue::Null) => Self::Null,
            _ => match to_json(value, Others::AsText)? {
                serde_json::Value::String(text) => Self::Text(text),
                serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                    (Some(number), _) => Self::Integer(number),
                    (None, Some(number)) => Self::Unsigned(number),
                    (None, None) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
                },
                serde_json::Value::Bool(flag) => Self::Boolean(flag),
                serde_json::Value::Null => Self::Null,
                nested => Self::Text(nested.to_string()),
            },
        })
    }
}

/// A value that a record bears as it is, borrowed; `None` for all that has to be converted.
#[inline]
fn plain<'a>(value: &'a Bound<'_, PyAny>) -> Option<TagValue<'a>> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return text.to_str().ok().map(|text| TagValue::String(text.as_bytes()));
    }
    if value.is_exact_instance_of::<PyInt>() {
        return value.extract().ok().map(TagValue::Integer);
    }
    if let Ok(number) = value.cast_exact::<PyFloat>() {
        return Some(TagValue::Number(number.value()));
    }
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        return Some(TagValue::Boolean(flag.is_true()));
    }
    value.is_none().then_some(TagValue::Null)
}

/// Whether every tag can be borrowed.
pub(crate) fn all_plain(tags: &Bound<'_, PyDict>) -> bool {
    tags.iter().all(|(key, value)| {
        key.cast_exact::<PyString>().is_ok_and(|key| key.to_str().is_ok())
            && plain(&value).is_some()
    })
}

/// Tags of a bound logger, and those of a call, all plain.
#[derive(Clone, Copy)]
pub(crate) struct Borrowed<'a, 'py> {
    pub(crate) bound: &'a [Tag],
    pub(crate) given: Option<&'a Bound<'py, PyDict>>,
}

impl TagList for Borrowed<'_, '_> {
    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        if !visit(self.bound, each) {
            return;
        }
        for (key, value) in self.given.into_iter().flatten() {
            let key = key.cast_exact::<PyString>().ok().and_then(|key| key.to_str().ok());
            let (Some(key), Some(value)) = (key, plain(&value)) else { continue };
            if !each(key.as_bytes(), value) {
                return;
            }
        }
    }
}

fn visit(tags: &[Tag], each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) -> bool {
    tags.iter().all(|tag| each(tag.key.as_bytes(), tag.value.borrowed()))
}

/// Tags that need no Python any more.
#[derive(Clone, Copy)]
pub(crate) struct Owned<'a>(pub(crate) &'a [Tag]);

impl TagList for Owned<'_> {
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        visit(self.0, each);
    }
}

/// Tags of their own of any values. What cannot be converted becomes a text that says so, and
/// `tell` gets the error.
pub(crate) fn owned(
    tags: &Bound<'_, PyDict>,
    tell: &mut dyn FnMut(PyErr) -> PyResult<()>,
) -> PyResult<Vec<Tag>> {
    let mut owned = Vec::with_capacity(tags.len());
    for (key, value) in tags {
        let key = text_of(&key).or_else(|error| tell(error).map(|()| "unprintable".into()))?;
        owned.push(Tag { key, value: Value::whatever(&value, tell)? });
    }
    Ok(owned)
}
