//! A page of lines as Loki's query API writes it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::stream::{METADATA, Stream};
use crate::http::reply::one_line;

/// What Loki adds to the labels of a stream, and to the structured metadata, which it shows among
/// them.
const ADDED: [&str; 3] = ["service_name", "__stream_shard__", "detected_level"];

/// A page.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    result: Vec<Found>,
}

/// What a metric query comes to that sums everything up: 0 where there is nothing.
pub(crate) fn counted(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Answer {
        data: Vector,
    }
    #[derive(Deserialize)]
    struct Vector {
        result: Vec<Sum>,
    }
    #[derive(Deserialize)]
    struct Sum {
        value: (f64, String),
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.data.result.first().map_or(Some(0), |sum| sum.value.1.parse().ok())
}

/// The lines of a stream.
#[derive(Debug, Deserialize)]
struct Found {
    stream: BTreeMap<String, String>,
    values: Vec<Entry>,
}

/// `["1795342272123456789", "line", …]`.
#[derive(Debug)]
struct Entry {
    ns: i64,
    line: String,
}

impl Page {
    /// Reads the body of a 200.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| {
            let start = String::from_utf8_lossy(&body[..body.len().min(100)]);
            format!("what answers there is not Loki ({error}): {}", one_line(&start))
        })
    }

    /// How many lines it has, of all streams.
    pub(crate) fn lines(&self) -> usize {
        self.data.result.iter().map(|found| found.values.len()).sum()
    }

    /// The time of its newest line.
    pub(super) fn newest(&self) -> Option<i64> {
        self.data.result.iter().flat_map(|found| &found.values).map(|entry| entry.ns).max()
    }

    /// The lines of one stream. A selector finds streams with more labels, too.
    pub(crate) fn of<'p>(&'p self, stream: &'p Stream) -> impl Iterator<Item = (i64, &'p str)> {
        let ours: BTreeMap<&str, &str> = stream.pairs().collect();
        let is_ours = move |found: &&Found| {
            let labels = &found.stream;
            let known = |name: &str| ours.contains_key(name) || is_added(name);
            labels.keys().all(|name| known(name))
                && ours.iter().all(|(name, value)| labels.get(*name).is_some_and(|v| v == value))
        };
        let found = self.data.result.iter().filter(is_ours);
        found.flat_map(|found| &found.values).map(|entry| (entry.ns, &*entry.line))
    }
}

fn is_added(name: &str) -> bool {
    ADDED.contains(&name) || METADATA.contains(&name)
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time, a line, and whatever follows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entry, A::Error> {
                let time: Option<String> = items.next_element()?;
                let ns = time.and_then(|time| time.parse().ok());
                let line: Option<String> = items.next_element()?;
                while items.next_element::<IgnoredAny>()?.is_some() {}
                match (ns, line) {
                    (Some(ns), Some(line)) => Ok(Entry { ns, line }),
                    _ => Err(A::Error::custom("a line without its time")),
                }
            }
        }

        deserializer.deserialize_seq(Items)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream() -> Stream {
        Stream::new(&BTreeMap::from([("host", "h"), ("team", "x")]))
    }

    #[test]
    fn what_loki_adds_is_ignored_and_other_streams_are_left_out() {
        let body = r#"{"status":"success","data":{"resultType":"streams","result":[
            {"stream":{"host":"h","team":"x","service_name":"c","__stream_shard__":"2"},
             "values":[["1","a\n"],["3","c",{"structuredMetadata":{"level":"INFO"}}]]},
            {"stream":{"host":"h","team":"x","detected_level":"info","level":"INFO"},"values":[["2","b"]]},
            {"stream":{"host":"h","team":"y"},"values":[["9","other"]]},
            {"stream":{"host":"h"},"values":[["9","other"]]},
            {"stream":{"host":"h","team":"x","more":"z"},"values":[["9","other"]]}
            ],"stats":{"summary":{}}}}"#;
        let page = Page::read(body.as_bytes()).unwrap();
        assert_eq!((page.lines(), page.newest()), (6, Some(9)));
        assert_eq!(page.of(&stream()).collect::<Vec<_>>(), [(1, "a\n"), (3, "c"), (2, "b")]);
    }

    #[test]
    fn sums() {
        let sum = r#"{"data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,"42"]}]}}"#;
        let nothing = r#"{"data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(counted(sum.as_bytes()), Some(42));
        assert_eq!(counted(nothing.as_bytes()), Some(0));
        assert_eq!(counted(b"{}"), None);
    }

    #[test]
    fn what_is_no_page() {
        for body in [
            "",
            "<html>login</html>",
            "{}",
            r#"{"data":{"result":[{"stream":{},"values":[["x","line"]]}]}}"#,
            r#"{"data":{"result":[{"stream":{},"values":[["1"]]}]}}"#,
            r#"{"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}"#,
        ] {
            let why = Page::read(body.as_bytes()).unwrap_err();
            assert!(why.starts_with("what answers there is not Loki ("), "{why}");
        }
        let empty = r#"{"data":{"result":[]}}"#;
        assert_eq!(Page::read(empty.as_bytes()).unwrap().newest(), None);
    }
}
