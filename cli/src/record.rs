//! A record as its line has it.

use std::borrow::Cow;
use std::fmt;

use lb_core::record::{BEGINNING, Level};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const STAMP_BYTES: usize = "2026-11-22T10:11:12.123456789Z".len();
const BETWEEN: &[u8] = br#"","level":""#;
const LEVEL_AT: usize = BEGINNING.len() + STAMP_BYTES + BETWEEN.len();

/// When a record was made, as text. All have the same form, in UTC: as texts they are in the order
/// of time.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Stamp([u8; STAMP_BYTES]);

impl Stamp {
    /// None where the text has another form.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        Some(Self(text.as_bytes().try_into().ok()?)).filter(|stamp| stamp.0.ends_with(b"Z"))
    }

    /// None where this is no line of ours.
    #[inline]
    pub(crate) fn of_line(line: &[u8]) -> Option<Self> {
        let (stamp, rest) = line.strip_prefix(BEGINNING)?.split_first_chunk()?;
        (rest.starts_with(BETWEEN) && stamp.ends_with(b"Z")).then_some(Self(*stamp))
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// The level in a line that has a [`Stamp`].
#[inline]
pub(crate) fn level_of_line(line: &[u8]) -> Option<Level> {
    let rest = line.get(LEVEL_AT..)?;
    Level::ALL.into_iter().find(|level| {
        rest.strip_prefix(level.name().as_bytes()).is_some_and(|rest| rest.starts_with(b"\""))
    })
}

/// The fields of a record.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Record<'a> {
    #[serde(borrow)]
    pub(crate) timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) level: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) component: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) host: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) run_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) logger: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) workload: Cow<'a, str>,
    pub(crate) repetition: u64,
    pub(crate) scenario: Option<Cow<'a, str>>,
    pub(crate) package: Option<Cow<'a, str>>,
    pub(crate) plugin: Option<Cow<'a, str>>,
    /// A JSON object.
    #[serde(borrow)]
    pub(crate) tags: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    /// None where the line is none of the schema's.
    pub(crate) fn of_line(line: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Names and values, in the line's order; none where they cannot be read.
    pub(crate) fn tags(&self) -> Vec<(Cow<'a, str>, TagText<'a>)> {
        let tags = self.tags.and_then(|tags| serde_json::from_str::<Tags<'a>>(tags.get()).ok());
        tags.unwrap_or_default().0
    }

    pub(crate) fn tag(&self, name: &str) -> Option<Cow<'a, str>> {
        self.tags().into_iter().find(|(key, _)| key == name).map(|(_, value)| value.text())
    }
}

/// The value of a tag as its line has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TagText<'a>(&'a RawValue);

impl<'a> TagText<'a> {
    /// A text without its quotes, anything else as it is written.
    pub(crate) fn text(self) -> Cow<'a, str> {
        let raw = self.0.get();
        let Some(inner) = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return raw.into();
        };
        if inner.contains('\\') {
            return serde_json::from_str::<String>(raw).map_or(raw.into(), Cow::Owned);
        }
        inner.into()
    }
}

#[derive(Default)]
struct Tags<'a>(Vec<(Cow<'a, str>, TagText<'a>)>);

impl<'de> Deserialize<'de> for Tags<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Tags<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags<'de>, A::Error> {
                let mut tags = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    tags.push((name.0, TagText(value)));
                }
                Ok(Tags(tags))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// So that a name is borrowed where it can be.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LINE: &str = concat!(
        r#"{"timestamp":"2026-11-22T10:11:12.123456789Z","level":"WARNING","component":"c","#,
        r#""host":"h","run_id":"r","logger":"l","message":"a\nb","event_type":"log","#,
        r#""workload":"w","repetition":3,"tags":{"phase":"run","d\"":1.50,"n":null,"e":"\u001b"}}"#
    );

    #[test]
    fn a_line_read() {
        let line = LINE.as_bytes();
        assert_eq!(Stamp::of_line(line).unwrap().text(), "2026-11-22T10:11:12.123456789Z");
        assert_eq!(level_of_line(line), Some(Level::Warning));
        let record = Record::of_line(line).unwrap();
        assert_eq!((&*record.message, record.repetition), ("a\nb", 3));
        assert!(matches!(record.host, Cow::Borrowed("h")));
        let tags = record.tags();
        let tags: Vec<_> = tags.iter().map(|(name, value)| (&**name, value.text())).collect();
        let expected = [("phase", "run"), ("d\"", "1.50"), ("n", "null"), ("e", "\u{1b}")];
        assert_eq!(tags, expected.map(|(name, value)| (name, value.into())));
        assert_eq!(record.tag("phase").unwrap(), "run");
    }

    #[test]
    fn other_lines_are_none() {
        for line in ["", "{", "x", r#"{"timestamp":"2026"}"#, r#"{"timestamp":1}"#] {
            assert!(Stamp::of_line(line.as_bytes()).is_none(), "{line}");
            assert!(Record::of_line(line.as_bytes()).is_none(), "{line}");
        }
        let other = LINE.replace("WARNING", "WARNINGS");
        assert_eq!(level_of_line(other.as_bytes()), None);
        assert_eq!(Stamp::of_line(LINE.replace("789Z", "7890").as_bytes()), None);
    }
}
