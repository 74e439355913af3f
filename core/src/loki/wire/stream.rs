//! The nouns of Loki: a stream with its labels, and the structured metadata of an entry.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use super::limits;
use super::protobuf;

/// A set of labels. Equal when the labels are.
#[derive(Debug)]
pub(crate) struct Stream {
    pairs: Vec<(Box<str>, Box<str>)>,
    labels: Box<str>,
    selector: Box<str>,
}

impl Stream {
    /// A stream with these labels; those without a value are left out, as for Loki they are none.
    pub(crate) fn new(labels: &BTreeMap<&str, &str>) -> Self {
        let mut text = String::from("{");
        let mut pairs = Vec::new();
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            pairs.push(((*name).into(), (*value).into()));
            if text.len() > 1 {
                text.push_str(", ");
            }
            text.push_str(name);
            text.push('=');
            quote(&mut text, value);
        }
        // A selector without a word about the scenario would find streams with one, too.
        let other = if labels.contains_key("scenario") { "" } else { ", scenario=\"\"" };
        let selector = format!("{text}{other}}}");
        text.push('}');
        Self { pairs, labels: text.into(), selector: selector.into() }
    }

    /// `{component="k6", host="…", …}`, sorted by name: what a push names it by.
    pub(crate) fn labels(&self) -> &str {
        &self.labels
    }

    /// Names and values, sorted by name.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// What a query finds it by.
    pub(crate) fn selector(&self) -> &str {
        &self.selector
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.labels == other.labels
    }
}

impl Eq for Stream {}

impl Hash for Stream {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels.hash(state);
    }
}

/// The digit of the lowest four bits.
fn hex(number: u32) -> char {
    char::from_digit(number & 15, 16).unwrap_or('0')
}

/// Appends a string of `LogQL`, that is of Go: what Loki's parsers read back to the same bytes.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            // The parsers refuse some controls (NUL) and a byte order mark at some places.
            letter if letter.is_control() || letter == '\u{FEFF}' => {
                out.push_str("\\u");
                let code = u32::from(letter);
                out.extend([12, 8, 4, 0].map(|shift| hex(code >> shift)));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// The names of what an entry bears as structured metadata, in the order in which it is sent.
pub(crate) const METADATA: [&str; 6] =
    ["level", "event_type", "logger", "phase", "package", "plugin"];

/// The structured metadata of an entry: names and values, in the order in which they are sent.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    pairs: Vec<(&'static str, Box<str>)>,
    protobuf: Box<[u8]>,
    fault: Option<String>,
}

impl Metadata {
    /// Pairs without a value are left out.
    pub(crate) fn new(pairs: &[(&'static str, &str)]) -> Self {
        let pairs: Vec<(&'static str, Box<str>)> = pairs
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (*name, (*value).into()))
            .collect();
        Self {
            protobuf: protobuf::metadata(&pairs),
            fault: limits::fault_of_metadata(&pairs),
            pairs,
        }
    }

    pub(crate) fn pairs(&self) -> &[(&'static str, Box<str>)] {
        &self.pairs
    }

    /// As it stands in an entry of a push.
    pub(crate) fn protobuf(&self) -> &[u8] {
        &self.protobuf
    }

    /// Why a Loki with its default limits would refuse a line that has it.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_quoted_for_go() {
        let stream = Stream::new(&BTreeMap::from([
            ("workload", "a\"b\\c\nd"),
            ("component", "\u{0}\u{7f}\u{feff}ä\u{2028}🦀"),
            ("team", ""),
        ]));
        let labels =
            "{component=\"\\u0000\\u007f\\ufeffä\u{2028}🦀\", workload=\"a\\\"b\\\\c\\nd\"}";
        assert_eq!(stream.labels(), labels);
        assert_eq!(stream.selector(), labels.replace('}', ", scenario=\"\"}"));
        let with = Stream::new(&BTreeMap::from([("scenario", "s")]));
        assert_eq!((with.labels(), with.selector()), ("{scenario=\"s\"}", "{scenario=\"s\"}"));
    }

    #[test]
    fn streams_are_equal_when_their_labels_are() {
        let one = Stream::new(&BTreeMap::from([("a", "b")]));
        let same = Stream::new(&BTreeMap::from([("a", "b"), ("c", "")]));
        let other = Stream::new(&BTreeMap::from([("a", "c")]));
        assert!(one == same && one != other);
    }

    #[test]
    fn metadata_without_a_value_is_left_out() {
        let metadata = Metadata::new(&[("level", "INFO"), ("logger", "")]);
        assert_eq!(metadata.pairs(), [("level", "INFO".into())]);
    }
}
