//! What values a key takes: from text (environment, command line) and from typed JSON or TOML, to
//! one canonical JSON value.
//!
//! Canonical: sizes in bytes, durations in milliseconds (in seconds for keys that say so in their
//! name), off = 0, levels by their names in the schema.

use serde_json::{Map, Number, Value};

use super::format::Format;
use super::units::{
    are_headers, hide_in_url, is_label, is_url, parse_boolean, parse_duration, parse_pairs,
    parse_size, show_duration, show_size, words, write_size,
};
use crate::record::Level;

/// Most bytes of a name in a record's identity.
pub const MAX_IDENTITY_BYTES: usize = 1024;

/// What stands in the place of what must not be shown.
pub const HIDDEN: &str = "***";

/// Most bytes of a path.
const MAX_PATH_BYTES: usize = 4095;

/// The unit of a key that is a duration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// `…_ms`: bare numbers are milliseconds, and so is the canonical value.
    Milliseconds,
    /// `…_seconds`: bare numbers are seconds, and so is the canonical value.
    Seconds,
    /// No unit in the name: bare numbers are seconds, the canonical value is milliseconds.
    Unnamed,
}

/// The type of a key, with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A name in a record: not empty, at most [`MAX_IDENTITY_BYTES`].
    Name,
    /// A path or a template of one: not empty.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A level, in any case.
    Level,
    /// true or false; in text also yes, no, on, off, 1, 0.
    Boolean,
    /// A whole number.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A number.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Bytes: a number, or text such as `64KiB`.
    Size {
        /// Smallest, bytes.
        min: u64,
        /// Largest, bytes.
        max: u64,
        /// Whether `off` and 0 are understood.
        off: bool,
    },
    /// Bytes, a power of two.
    PowerOfTwo {
        /// Smallest, bytes.
        min: u64,
        /// Largest, bytes.
        max: u64,
    },
    /// A duration: text such as `500ms` or `1m30s`, or a number.
    Duration {
        /// Shortest, milliseconds.
        min_ms: u64,
        /// Longest, milliseconds.
        max_ms: u64,
        /// Whether `off` and 0 are understood.
        off: bool,
        /// What a number without a unit means, and what the canonical value counts.
        unit: Unit,
    },
    /// Words; in text with commas between them.
    List,
    /// Names and values; in text `name=value` with commas between them.
    Labels,
    /// Names and values of HTTP headers; in text as labels. Values are never shown.
    Headers,
    /// Blocks of values, by name; in text JSON. What is in them is for others to check.
    Blocks,
    /// An http or https URL.
    Url,
    /// Text that is never shown.
    Secret,
}

impl Kind {
    /// What the user should write, for messages.
    #[must_use]
    pub fn expects(&self) -> String {
        let or_off = |off: &bool| if *off { ", or off" } else { "" };
        match self {
            Self::Name => format!("text of 1 to {MAX_IDENTITY_BYTES} bytes"),
            Self::Path => format!("a path of 1 to {MAX_PATH_BYTES} bytes"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Level => format!("one of {}", Level::ALL.map(Level::name).join(", ")),
            Self::Boolean => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Size { min, max, off } => {
                format!("a size from {} to {}{}", show_size(*min), show_size(*max), or_off(off))
            }
            Self::PowerOfTwo { min, max } => {
                format!("a power of two from {} to {}", show_size(*min), show_size(*max))
            }
            Self::Duration { min_ms, max_ms, off, .. } => {
                let (min, max) = (show_duration(*min_ms), show_duration(*max_ms));
                format!("a duration from {min} to {max}{}", or_off(off))
            }
            Self::List => "a list of words".to_owned(),
            Self::Labels => "names of letters, digits and _ with values, name=value".to_owned(),
            Self::Headers => "HTTP headers, name=value".to_owned(),
            Self::Blocks => "a block of settings for each name".to_owned(),
            Self::Url => "a URL that begins with http:// or https://".to_owned(),
            Self::Secret => "text".to_owned(),
        }
    }

    /// The canonical value of a text, as from the environment.
    ///
    /// # Errors
    /// What was expected and, unless it is a secret, what was found.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        let value = match self {
            Self::Name | Self::Path | Self::Secret | Self::Url => return self.check_text(text),
            Self::Choice(_) | Self::Level => return self.check_text(trimmed),
            Self::Boolean => parse_boolean(trimmed).map(Value::Bool),
            Self::Integer { .. } => {
                trimmed.parse().ok().and_then(|n| self.in_bounds(n)).map(Value::from)
            }
            Self::Number { .. } => trimmed.parse().ok().and_then(|n| self.number(n)),
            Self::Size { .. } | Self::PowerOfTwo { .. } => {
                self.parse_off(trimmed).or_else(|| parse_size(trimmed).and_then(|n| self.size(n)))
            }
            Self::Duration { .. } => self
                .parse_off(trimmed)
                .or_else(|| parse_duration(trimmed, self.bare_ms()).and_then(|n| self.duration(n))),
            Self::List => Some(words(trimmed).map(Value::from).collect()),
            Self::Blocks => Format::Json.read(text.as_bytes()).ok().and_then(blocks),
            Self::Labels | Self::Headers => parse_pairs(trimmed).and_then(|map| self.pairs(map)),
        };
        value.ok_or_else(|| self.mismatch(&Value::from(text)))
    }

    /// The canonical value of a typed value, as from a file. Nothing is converted between types.
    ///
    /// # Errors
    /// What was expected and, unless it is a secret, what was found.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        let checked = match (self, value) {
            (
                Self::Name | Self::Path | Self::Secret | Self::Url | Self::Choice(_) | Self::Level,
                Value::String(text),
            ) => return self.check_text(text),
            (Self::Boolean, Value::Bool(_)) => Some(value.clone()),
            (Self::Integer { .. }, Value::Number(n)) => {
                n.as_u64().and_then(|n| self.in_bounds(n)).map(Value::from)
            }
            (Self::Number { .. }, Value::Number(n)) => n.as_f64().and_then(|n| self.number(n)),
            (
                Self::Size { .. } | Self::PowerOfTwo { .. } | Self::Duration { .. },
                Value::String(text),
            ) => {
                return self.parse(text);
            }
            (
                Self::Size { off: true, .. } | Self::Duration { off: true, .. },
                Value::Bool(false),
            ) => Some(Value::from(0)),
            (Self::Size { .. } | Self::PowerOfTwo { .. }, Value::Number(n)) => {
                n.as_u64().and_then(|n| self.parse_off(&n.to_string()).or_else(|| self.size(n)))
            }
            (Self::Duration { .. }, Value::Number(n)) => return self.parse(&n.to_string()),
            (Self::List, Value::Array(items)) => items
                .iter()
                .all(|item| item.as_str().is_some_and(|s| !s.is_empty()))
                .then(|| value.clone()),
            (Self::Labels | Self::Headers, Value::Object(map)) => self.pairs(map.clone()),
            (Self::Blocks, Value::Object(map)) => blocks(map.clone()),
            _ => None,
        };
        checked.ok_or_else(|| self.mismatch(value))
    }

    /// A canonical value as text that [`Kind::parse`] reads back; empty for null.
    #[must_use]
    pub fn show(&self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Null) => String::new(),
            (Self::Size { off: true, .. } | Self::Duration { off: true, .. }, Value::Number(n))
                if n.as_u64() == Some(0) =>
            {
                "off".to_owned()
            }
            (Self::Size { .. } | Self::PowerOfTwo { .. }, Value::Number(n)) => {
                write_size(n.as_u64().unwrap_or(0))
            }
            (Self::Duration { unit, .. }, Value::Number(n)) => {
                match (unit, n.as_u64().unwrap_or(0)) {
                    (Unit::Seconds, n) => format!("{n}s"),
                    (Unit::Unnamed, n) if n >= 1000 && n.is_multiple_of(1000) => {
                        format!("{}s", n / 1000)
                    }
                    (_, n) => format!("{n}ms"),
                }
            }
            (Self::List, Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            (Self::Labels | Self::Headers, Value::Object(map)) => {
                let pair = |(name, value): (&String, &Value)| {
                    format!("{name}={}", value.as_str().unwrap_or_default())
                };
                map.iter().map(pair).collect::<Vec<_>>().join(",")
            }
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }

    /// A canonical value without what must not be shown.
    #[must_use]
    pub fn hide(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Secret, Value::String(_)) => HIDDEN.into(),
            (Self::Headers, Value::Object(map)) => {
                map.keys().map(|name| (name.clone(), Value::from(HIDDEN))).collect()
            }
            (Self::Url, url) => hide_in_url(url),
            (Self::Blocks, blocks) => hide_in_urls(blocks),
            (_, open) => open.clone(),
        }
    }

    fn mismatch(&self, found: &Value) -> String {
        let expected = self.expects();
        if matches!(self, Self::Secret | Self::Headers) {
            return format!("expected {expected}");
        }
        let mut shown = self.hide(found).to_string();
        if let Some((at, _)) = shown.char_indices().nth(60) {
            shown.truncate(at);
            shown.push('…');
        }
        format!("expected {expected}, found {shown}")
    }

    fn check_text(&self, text: &str) -> Result<Value, String> {
        let canonical = match self {
            Self::Level => Level::from_name(text).map(Level::name),
            Self::Choice(words) => words.iter().find(|word| **word == text).copied(),
            Self::Name => (1..=MAX_IDENTITY_BYTES).contains(&text.len()).then_some(text),
            Self::Path => {
                ((1..=MAX_PATH_BYTES).contains(&text.len()) && !text.contains('\0')).then_some(text)
            }
            Self::Url => is_url(text).then_some(text),
            _ => (!text.is_empty()).then_some(text),
        };
        canonical.map(Value::from).ok_or_else(|| self.mismatch(&Value::from(text)))
    }

    fn pairs(&self, map: Map<String, Value>) -> Option<Value> {
        let fit = match self {
            Self::Headers => are_headers(&map),
            _ => map.iter().all(|(name, value)| is_label(name) && value.is_string()),
        };
        fit.then_some(Value::Object(map))
    }

    fn in_bounds(&self, n: u64) -> Option<u64> {
        matches!(self, Self::Integer { min, max } if (*min..=*max).contains(&n)).then_some(n)
    }

    fn number(&self, n: f64) -> Option<Value> {
        match self {
            Self::Number { min, max } if (*min..=*max).contains(&n) => {
                Number::from_f64(n).map(Value::Number)
            }
            _ => None,
        }
    }

    fn parse_off(&self, text: &str) -> Option<Value> {
        let off = matches!(self, Self::Size { off: true, .. } | Self::Duration { off: true, .. });
        (off && matches!(text, "off" | "0")).then(|| Value::from(0))
    }

    fn size(&self, n: u64) -> Option<Value> {
        let fits = match self {
            Self::Size { min, max, .. } => (*min..=*max).contains(&n),
            Self::PowerOfTwo { min, max } => (*min..=*max).contains(&n) && n.is_power_of_two(),
            _ => false,
        };
        fits.then(|| Value::from(n))
    }

    /// Milliseconds of a number without a unit.
    const fn bare_ms(&self) -> u64 {
        match self {
            Self::Duration { unit: Unit::Milliseconds, .. } => 1,
            _ => 1000,
        }
    }

    fn duration(&self, ms: u64) -> Option<Value> {
        match self {
            Self::Duration { min_ms, max_ms, unit, .. } => {
                let unit = if *unit == Unit::Seconds { 1000 } else { 1 };
                ((*min_ms..=*max_ms).contains(&ms) && ms.is_multiple_of(unit))
                    .then(|| Value::from(ms / unit))
            }
            _ => None,
        }
    }
}

/// Nothing but blocks.
fn blocks(map: Map<String, Value>) -> Option<Value> {
    map.values().all(Value::is_object).then_some(Value::Object(map))
}

/// The same for every text in a value that looks like a URL.
fn hide_in_urls(value: &Value) -> Value {
    match value {
        Value::String(text) if text.contains("://") => hide_in_url(value),
        Value::Array(items) => items.iter().map(hide_in_urls).collect(),
        Value::Object(map) => {
            map.iter().map(|(name, value)| (name.clone(), hide_in_urls(value))).collect()
        }
        open => open.clone(),
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
