//! A stand-in for Loki that answers questions out of lines that it holds.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::ask::{Ask, AskError, MAX_LINES, Question, Wanted};

/// The lines of each stream, by its selector.
pub(crate) struct Held {
    streams: BTreeMap<String, Vec<(i64, String)>>,
    /// Most lines and most bytes of a page.
    pub(super) most_lines: usize,
    pub(super) most_bytes: usize,
    /// How often each line is counted by metric queries.
    pub(crate) counted: usize,
    pub(super) asked: usize,
    pub(super) largest: usize,
    /// Answers before those of Loki.
    pub(crate) failures: Vec<AskError>,
}

impl Held {
    pub(crate) fn new(streams: &[(&str, &[(i64, String)])]) -> Self {
        let sorted = |lines: &[(i64, String)]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines.dedup();
            lines
        };
        Self {
            streams: streams.iter().map(|(s, lines)| ((*s).to_owned(), sorted(lines))).collect(),
            most_lines: MAX_LINES,
            most_bytes: 4 << 20,
            counted: 1,
            asked: 0,
            largest: 0,
            failures: Vec::new(),
        }
    }

    fn page(
        &mut self,
        query: &str,
        (from, to): (i64, i64),
        limit: usize,
    ) -> Result<Value, AskError> {
        assert!(limit <= MAX_LINES && limit > 0);
        if limit > self.most_lines {
            return Err(AskError::TooMuch);
        }
        let found = self.streams.iter().find(|(selector, _)| query.starts_with(selector.as_str()));
        let Some((selector, lines)) = found else { return Ok(json!([])) };
        let filter = &query[selector.len()..];
        // The filters' texts are strings of Go, and these are strings of JSON too.
        let text = |text: &str| serde_json::from_str::<String>(text).unwrap();
        let (pattern, literal) = filter.split_once(" |= ").unwrap_or((filter, "\"\""));
        let pattern = pattern.strip_prefix(" |~ ").map_or_else(String::new, text);
        let literal = text(literal);
        let passes = |line: &str| matches(&pattern, line) && line.contains(&literal);
        let within = from..to;
        let found = lines.iter().filter(|(ns, line)| within.contains(ns) && passes(line));
        let page: Vec<Value> = found
            .take(limit)
            .map(|(ns, line)| json!([ns.to_string(), line, {"structuredMetadata": {"a": "b"}}]))
            .collect();
        let bytes: usize = page.iter().map(|entry| entry[1].as_str().unwrap().len()).sum();
        self.largest = self.largest.max(bytes);
        if bytes > self.most_bytes {
            return Err(AskError::TooMuch);
        }
        let mut labels = labels(selector);
        labels["service_name"] = "x".into();
        Ok(json!([{"stream": labels, "values": page}]))
    }

    fn count(&self, query: &str) -> Value {
        assert!(query.starts_with("sum(count_over_time({") && query.ends_with("s]))"), "{query}");
        assert!(!query.ends_with("ns]))"), "Loki knows no nanoseconds here: {query}");
        let of = |selector: &str| query.contains(selector);
        let lines = self.streams.iter().filter(|(selector, _)| of(selector)).map(|(_, l)| l.len());
        let count = lines.sum::<usize>() * self.counted;
        json!([{"metric": {}, "value": [1.0, count.to_string()]}])
    }
}

/// The labels of a selector without an empty scenario.
fn labels(selector: &str) -> Value {
    let inner = selector.trim_start_matches('{').trim_end_matches('}');
    let pairs = inner.split(", ").filter_map(|pair| pair.split_once('='));
    let text = |value: &str| serde_json::from_str::<Value>(value).unwrap();
    let pairs = pairs.map(|(name, value)| (name.to_owned(), text(value)));
    Value::Object(pairs.filter(|(_, value)| value != "").collect())
}

impl Ask for Held {
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError> {
        self.asked += 1;
        assert!(self.asked < 20_000, "no end of questions");
        if let Some(failure) = self.failures.pop() {
            return Err(failure);
        }
        let result = match question.wanted {
            Wanted::Lines { from_ns, to_ns, limit } => {
                self.page(question.query, (from_ns, to_ns), limit)?
            }
            Wanted::Value { .. } => self.count(question.query),
        };
        Ok(json!({"status": "success", "data": {"result": result}}).to_string().into_bytes())
    }
}

/// Whether a line matches `^shared`, `^shared[letters]` or `shared[letters]`, which is all that we
/// ask.
fn matches(pattern: &str, line: &str) -> bool {
    let anchored = pattern.starts_with('^');
    let mut letters = Vec::new();
    let (mut shared, mut class, mut escaped) = (String::new(), None::<usize>, false);
    for letter in pattern.chars().skip(usize::from(anchored)) {
        match letter {
            '\\' if !escaped => escaped = true,
            '[' if !escaped && class.is_none() => class = Some(0),
            ']' if !escaped => break,
            letter => {
                escaped = false;
                if class.is_some() { letters.push(letter) } else { shared.push(letter) }
            }
        }
    }
    let behind = |at: usize| {
        line[at + shared.len()..]
            .chars()
            .next()
            .map_or(class.is_none(), |c| class.is_none() || letters.contains(&c))
    };
    if anchored {
        line.starts_with(&shared) && behind(0)
    } else {
        line.match_indices(&shared).any(|(at, _)| behind(at))
    }
}
