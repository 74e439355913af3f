//! The nouns of a record: its level, its tags, and the context that many records share.

use serde::{Deserialize, Serialize};

/// What the line of a record begins with, so that other programs' JSON lines are left alone.
pub const BEGINNING: &[u8] = br#"{"timestamp":""#;

/// Severity, in the order of the schema. The numbers are those of the C ABI.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Level {
    /// `TRACE`
    Trace = 1,
    /// `DEBUG`
    Debug = 2,
    /// `INFO`
    Info = 3,
    /// `WARNING`
    Warning = 4,
    /// `ERROR`
    Error = 5,
    /// `CRITICAL`
    Critical = 6,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 6] =
        [Self::Trace, Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Critical];

    /// The level of a number of the C ABI.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Trace),
            2 => Some(Self::Debug),
            3 => Some(Self::Info),
            4 => Some(Self::Warning),
            5 => Some(Self::Error),
            6 => Some(Self::Critical),
            _ => None,
        }
    }

    /// The level of a name, in any case; `WARN` and `FATAL` are understood too.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "TRACE" => Some(Self::Trace),
            "DEBUG" => Some(Self::Debug),
            "INFO" => Some(Self::Info),
            "WARNING" | "WARN" => Some(Self::Warning),
            "ERROR" => Some(Self::Error),
            "CRITICAL" | "FATAL" => Some(Self::Critical),
            _ => None,
        }
    }

    /// The name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// The value of a tag: what JSON knows, flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TagValue<'a> {
    /// Any bytes; invalid UTF-8 becomes U+FFFD in the line.
    String(&'a [u8]),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A number; NaN and infinities become null and are counted.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// Null.
    Null,
}

/// The constant fields of many records: identity, logger, event type, and tags of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// `runner`, `generator`, `k6`, …
    pub component: String,
    /// Host name.
    pub host: String,
    /// The run.
    pub run_id: String,
    /// `lb_runner.engine`, `k6.console`, …
    pub logger: String,
    /// `log` unless said otherwise.
    pub event_type: String,
    /// `none` unless said otherwise.
    pub workload: String,
    /// 1-based.
    pub repetition: u64,
    /// Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Tags that every record of this context bears.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub tags: serde_json::Map<String, serde_json::Value>,
}

#[cfg(test)]
pub(crate) mod tests_support {
    /// A small context for tests.
    pub(crate) fn context() -> super::Context {
        super::Context {
            component: "c".into(),
            host: "h".into(),
            run_id: "r".into(),
            logger: "l".into(),
            event_type: "log".into(),
            workload: "w".into(),
            repetition: 1,
            scenario: None,
            package: None,
            plugin: None,
            tags: serde_json::Map::new(),
        }
    }
}
