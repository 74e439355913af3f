//! A record as a report wants it: its moment as a number, its tags by the kind of their values.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::record;

/// A record, with its tags read.
pub(crate) struct Record<'a> {
    fields: record::Record<'a>,
    pub(crate) tags: Tags<'a>,
    /// Nanoseconds since 1970.
    pub(crate) at_ns: i64,
}

impl<'a> Deref for Record<'a> {
    type Target = record::Record<'a>;

    fn deref(&self) -> &Self::Target {
        &self.fields
    }
}

impl<'a> Record<'a> {
    /// None where the line is no record.
    pub(crate) fn of_line(line: &'a [u8]) -> Option<Self> {
        let fields = record::Record::of_line(line)?;
        let at_ns = lb_core::parse_timestamp(fields.timestamp.as_bytes())?;
        let tags = fields.tags.map(|tags| serde_json::from_str(tags.get()));
        Some(Self { tags: tags.transpose().ok()?.unwrap_or_default(), fields, at_ns })
    }

    /// Whether this is one of very many measurements, and not something that was said.
    pub(crate) fn is_measurement(&self) -> bool {
        matches!(
            &*self.event_type,
            "http_req" | "iteration" | "check" | "metric" | "metric_summary"
        )
    }

    pub(crate) fn severity(&self) -> Severity {
        match &*self.level {
            "ERROR" | "CRITICAL" => Severity::Error,
            "WARNING" => Severity::Warning,
            _ => Severity::Other,
        }
    }
}

/// How bad a record says that it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Severity {
    Error,
    Warning,
    Other,
}

/// The value of a tag.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Cow<'a, str>),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The tags, in their order. A caller may use a name of ours for something else: each look says
/// which kind of value it wants, and finds nothing in another.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tags<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Tags<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A count: a number that is none counts as 0.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn count(&self, name: &str) -> u64 {
        // The conversion saturates.
        self.number(name).unwrap_or(0.0) as u64
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Value::Bool(true))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Cow<'a, str>, Value<'a>)> {
        self.0.iter()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Tags<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tags")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut tags = Vec::with_capacity(20);
        while let Some((Name(name), value)) = map.next_entry()? {
            tags.push((name, value));
        }
        Ok(Tags(tags))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Tags::default())
    }
}

struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ValueVisitor)? {
            Value::Text(name) => Ok(Self(name)),
            other => Ok(Self(other.to_string().into())),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag's value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        #[allow(clippy::cast_precision_loss)]
        Ok(Value::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        #[allow(clippy::cast_precision_loss)]
        Ok(Value::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    /// No record of ours has nested values.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Null)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A line of the given second, with what is not said here left plain.
    pub(crate) fn line(
        second: u32,
        level: &str,
        event_type: &str,
        message: &str,
        tags: &str,
    ) -> String {
        format!(
            r#"{{"timestamp":"2026-11-22T10:{:02}:{:02}.000000000Z","level":"{level}","component":"c","host":"h","run_id":"r","logger":"l","message":"{message}","event_type":"{event_type}","workload":"w","repetition":2,"tags":{{{tags}}}}}"#,
            second / 60,
            second % 60
        )
    }

    #[test]
    fn every_golden_line_is_a_record() {
        for line in include_str!("../../../schema/golden/records.jsonl").lines() {
            let record = Record::of_line(line.as_bytes()).unwrap();
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(record.message, value["message"].as_str().unwrap());
            let tags = value["tags"].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(record.tags.iter().count(), tags);
        }
    }

    #[test]
    fn tags_of_another_kind_are_not_found() {
        let tags = r#""duration_ms":"long","n":2,"nested":{"a":[1]},"list":[1,{"b":2}],"a\"b":"c\nd","ok":true"#;
        let text = line(72, "INFO", "log", "m", tags);
        let record = Record::of_line(text.as_bytes()).unwrap();
        assert_eq!(record.at_ns, 1_795_341_672_000_000_000);
        assert_eq!((record.tags.number("duration_ms"), record.tags.number("n")), (None, Some(2.0)));
        assert_eq!(record.tags.get("nested"), Some(&Value::Null));
        assert_eq!(record.tags.text("a\"b"), Some("c\nd"));
        assert!(record.tags.is_true("ok") && !record.tags.is_true("n"));
        let other = text.replace("10:01:12", "10:61:12");
        let list = text.replace("\"tags\":{", "\"tags\":[{").replace("}}", "}]}");
        for line in ["", "{}", "[]", "null", "{\"timest", &text[..text.len() - 1], &other, &list] {
            assert!(Record::of_line(line.as_bytes()).is_none(), "{line}");
        }
    }
}
