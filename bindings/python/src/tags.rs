//! Tags as Python has them, on their way into a record.

use lb_core::logger::TagList;
use lb_core::record::TagValue;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use smallvec::SmallVec;

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

/// Tags of a bound logger, and those of a call, all borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Borrowed<'a> {
    bound: &'a [Tag],
    given: &'a [(&'a [u8], TagValue<'a>)],
}

/// Hands over tags as they are, each looked at once; `None` where one of them has to be converted.
#[inline]
pub(crate) fn borrowed<R>(
    bound: &[Tag],
    given: Option<&Bound<'_, PyDict>>,
    then: impl FnOnce(Borrowed<'_>) -> R,
) -> Option<R> {
    let Some(given) = given else { return Some(then(Borrowed { bound, given: &[] })) };
    let held: SmallVec<[_; 8]> = given.iter().collect();
    let mut tags = SmallVec::<[_; 8]>::new();
    for (key, value) in &held {
        let key = key.cast_exact::<PyString>().ok()?.to_str().ok()?;
        tags.push((key.as_bytes(), plain(value)?));
    }
    Some(then(Borrowed { bound, given: &tags }))
}

impl TagList for Borrowed<'_> {
    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&[u8], TagValue<'_>) -> bool) {
        if visit(self.bound, each) {
            self.given.visit(each);
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
