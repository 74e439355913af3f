//! The text of a configuration file, as TOML, JSON or YAML. What cannot be read is told with line
//! and column, and without the text itself, which may hold a secret.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::yaml;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// One object.
    Json,
    /// YAML 1.2: one document, without anchors and tags.
    Yaml,
}

impl Format {
    /// The format of a file whose name ends in `.ending`; one without an ending is TOML.
    pub(super) fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "toml" | "" => Some(Self::Toml),
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }

    /// The values of a whole file.
    ///
    /// # Errors
    /// What cannot be read, with line and column.
    pub fn read(self, bytes: &[u8]) -> Result<Map<String, Value>, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| format!("{}: not UTF-8", place(bytes, e.valid_up_to())))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Toml => from_toml(text),
            Self::Json => from_json(text),
            Self::Yaml => yaml::read(text),
        }
    }
}

/// `line 3, column 5`, both from 1, of the byte at `at`; columns count characters.
fn place(bytes: &[u8], at: usize) -> String {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
    position(line, String::from_utf8_lossy(&before[start..]).chars().count() + 1)
}

pub(super) fn position(line: usize, column: usize) -> String {
    format!("line {line}, column {column}")
}

/// What is said of a name that one block has two times.
pub(super) fn twice(name: &str) -> String {
    format!("{name:?} is given twice in one block; keep one")
}

fn from_toml(text: &str) -> Result<Map<String, Value>, String> {
    let table: toml::Table = toml::from_str(text).map_err(|e| {
        let span = e.span().unwrap_or_default();
        let place = place(text.as_bytes(), span.start);
        match (e.message(), text.get(span)) {
            ("duplicate key", Some(name)) => {
                format!("{place}: {}", twice(name.trim_matches(['"', '\''])))
            }
            (why, _) => format!("{place}: not TOML: {why}"),
        }
    })?;
    Ok(table.into_iter().map(|(name, value)| (name, to_json(value))).collect())
}

fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(n) => n.into(),
        toml::Value::Boolean(b) => b.into(),
        // JSON knows no NaN and no infinity; as text they are a wrong type.
        toml::Value::Float(n) => {
            Number::from_f64(n).map_or_else(|| n.to_string().into(), Value::Number)
        }
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(name, value)| (name, to_json(value))).collect())
        }
    }
}

/// One JSON object; a name twice in one block is refused, where `serde_json` takes the last.
pub(super) fn from_json(text: &str) -> Result<Map<String, Value>, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Unique.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(_) => Err("expected one JSON object".to_owned()),
        Err(e) => {
            let text = e.to_string();
            let why = text.split(" at line ").next().unwrap_or(&text);
            // Mistakes of the grammar; what is left is what `Unique` refuses.
            let kind = if e.is_data() { "" } else { "not JSON: " };
            Err(format!("{}: {kind}{why}", position(e.line(), e.column().max(1))))
        }
    }
}

/// Reads any value, and no name twice.
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Unique)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(twice(&name)));
            }
            let value = entries.next_value_seed(Unique)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
