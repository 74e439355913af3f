#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::line::Line;
use super::super::stream::Metadata;
use super::*;
use crate::record::Level;

/// Answers as Loki does, out of lines that it holds of one stream.
#[derive(Default)]
struct Held {
    lines: Vec<(i64, String)>,
    /// Most lines and most bytes of a page.
    most_lines: usize,
    most_bytes: usize,
    asked: usize,
    largest: usize,
}

impl Held {
    fn new(lines: &[(i64, String)]) -> Self {
        let mut lines = lines.to_vec();
        lines.sort();
        lines.dedup();
        Self { lines, most_lines: MAX_LINES, most_bytes: 4 << 20, asked: 0, largest: 0 }
    }
}

impl Ask for Held {
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError> {
        self.asked += 1;
        assert!(self.asked < 20_000, "no end of questions");
        assert!(question.limit <= MAX_LINES && question.limit > 0);
        if question.limit > self.most_lines {
            return Err(AskError::TooMuch);
        }
        let filter = question.query.strip_prefix(stream().selector()).unwrap();
        // The filters' texts are strings of Go, and these are strings of JSON too.
        let text = |text: &str| serde_json::from_str::<String>(text).unwrap();
        let (pattern, literal) = filter.split_once(" |= ").unwrap_or((filter, "\"\""));
        let pattern = pattern.strip_prefix(" |~ ").map_or_else(String::new, text);
        let literal = text(literal);
        let passes = |line: &str| matches(&pattern, line) && line.contains(&literal);
        let within = question.from_ns..question.to_ns;
        let found = self.lines.iter().filter(|(ns, line)| within.contains(ns) && passes(line));
        let page: Vec<Value> = found
            .take(question.limit)
            .map(|(ns, line)| json!([ns.to_string(), line, {"structuredMetadata": {"a": "b"}}]))
            .collect();
        let bytes: usize = page.iter().map(|entry| entry[1].as_str().unwrap().len()).sum();
        self.largest = self.largest.max(bytes);
        if bytes > self.most_bytes {
            return Err(AskError::TooMuch);
        }
        let labels = json!({"host": "h", "service_name": "x"});
        let result = json!([{"stream": labels, "values": page}]);
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

fn stream() -> Arc<Stream> {
    Arc::new(Stream::new(&BTreeMap::from([("host", "h")])))
}

fn batch(lines: &[(i64, String)]) -> Batch {
    let mut batch = Batch::new(stream());
    for (ns, line) in lines {
        let metadata = Arc::new(Metadata::new(&[]));
        let info = Line { ns: *ns, level: Level::Info, stream: stream(), metadata };
        batch.push(&info, line.as_bytes());
    }
    batch
}

fn numbered(count: i64, ns: impl Fn(i64) -> i64) -> Vec<(i64, String)> {
    (0..count).map(|n| (ns(n), format!("{{\"n\":{n},\"text\":\"{:x<300}\"}}", n % 977))).collect()
}

/// Every third line is missing in Loki, and it has lines of others besides.
fn check(lines: &[(i64, String)], adjust: impl FnOnce(&mut Held)) -> Held {
    let there = |index: usize| index % 3 != 1;
    let mut held: Vec<_> =
        lines.iter().enumerate().filter(|(i, _)| there(*i)).map(|(_, l)| l.clone()).collect();
    held.extend(lines.iter().step_by(5).map(|(ns, line)| (*ns, format!("other {line}"))));
    held.extend(lines.iter().step_by(7).map(|(ns, line)| (*ns - 1, line.clone())));
    let mut loki = Held::new(&held);
    adjust(&mut loki);
    let found = look_up(&mut loki, &batch(lines)).unwrap();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(found.holds(index), there(index), "{index}: {line:?}");
    }
    assert_eq!(found.count(), (0..lines.len()).filter(|index| there(*index)).count());
    assert_eq!(found.equal(), 0);
    loki
}

#[test]
fn pages_by_time() {
    let lines = numbered(8_000, |n| 1_000_000 + n * 10);
    let loki = check(&lines, |_| {});
    assert!(loki.largest < 2 * PAGE_BYTES, "{}", loki.largest);
}

#[test]
fn many_lines_of_one_nanosecond() {
    check(&numbered(7_000, |_| 77), |_| {});
    // And others around them.
    check(&numbered(7_000, |n| if n % 4 == 0 { n * 3 } else { 9_000 }), |_| {});
}

#[test]
fn several_full_moments_one_after_the_other() {
    check(&numbered(3_000, |n| 500 + n / 1_300), |loki| loki.most_lines = 300);
}

#[test]
fn pages_by_bytes() {
    let mut lines = numbered(130, |n| n * 5);
    for (_, line) in lines.iter_mut().skip(90) {
        line.push_str(&"y".repeat(200_000));
    }
    let loki = check(&lines, |loki| loki.most_bytes = 1 << 20);
    assert!(loki.asked < 200, "{}", loki.asked);
}

#[test]
fn a_server_with_smaller_limits() {
    check(&numbered(3_000, |n| n / 10), |loki| loki.most_lines = 100);
}

#[test]
fn what_lies_between_distant_lines_is_not_read() {
    let far = 3_600_000_000_000;
    let lines = vec![(0, "first".to_owned()), (far, "second".to_owned())];
    let between: Vec<_> = (1..20_000).map(|n| (n * far / 20_000, "x".repeat(100))).collect();
    let mut loki = Held::new(&[lines.clone(), between].concat());
    let found = look_up(&mut loki, &batch(&lines)).unwrap();
    assert_eq!((found.count(), loki.asked), (2, 2));
}

#[test]
fn equal_lines_of_one_nanosecond_count_as_one() {
    let line = |ns| (ns, "same".to_owned());
    let lines = vec![line(1), line(1), line(2), line(1)];
    let mut loki = Held::new(&[line(1)]);
    let found = look_up(&mut loki, &batch(&lines)).unwrap();
    assert_eq!((0..4).map(|i| found.holds(i)).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!((found.equal(), found.count()), (2, 3));
}

#[test]
fn times_at_the_ends() {
    let lines = vec![(i64::MIN, "a".to_owned()), (i64::MAX - 1, "b".to_owned())];
    let mut loki = Held::new(&lines);
    assert_eq!(look_up(&mut loki, &batch(&lines)).unwrap().count(), 2);
    assert_eq!(look_up(&mut loki, &batch(&[])).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_asked() {
    struct Answers(AskError);
    impl Ask for Answers {
        fn ask(&mut self, _: &Question<'_>) -> Result<Vec<u8>, AskError> {
            Err(self.0.clone())
        }
    }
    let batch = batch(&[(1, "a".to_owned())]);
    let ask = |error| look_up(&mut Answers(error), &batch).unwrap_err();
    assert!(matches!(ask(AskError::TooMuch), LookUpError::Failed { .. }));
    assert!(matches!(ask(AskError::Failed { why: String::new() }), LookUpError::Failed { .. }));
    assert!(matches!(ask(AskError::Refused { why: String::new() }), LookUpError::Refused { .. }));
    for (status, body, expected) in [
        (400, "max entries limit per query exceeded, limit > max_entries_limit_per_query", "much"),
        (
            500,
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (8004162 vs. 4194304)",
            "much",
        ),
        (500, "", "failed"),
        (503, "", "failed"),
        (429, "", "failed"),
        (400, "parse error", "refused"),
        (401, "", "refused"),
        (302, "", "refused"),
        (404, "", "refused"),
    ] {
        let kind = match trouble(status, body, String::new()) {
            AskError::TooMuch => "much",
            AskError::Failed { .. } => "failed",
            AskError::Refused { .. } => "refused",
        };
        assert_eq!(kind, expected, "{status} {body}");
    }
}
