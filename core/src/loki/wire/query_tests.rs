#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::super::ask::{AskError, PAGE_BYTES, Question, trouble};
use super::super::held::Held;
use super::super::line::Line;
use super::super::stream::Metadata;
use super::*;
use crate::record::Level;

fn stream() -> Arc<Stream> {
    Arc::new(Stream::new(&BTreeMap::from([("host", "h")])))
}

fn loki_with(lines: &[(i64, String)]) -> Held {
    Held::new(&[(stream().selector(), lines)])
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
    let mut loki = loki_with(&held);
    adjust(&mut loki);
    let found = look_up(&mut loki, &batch(lines)).unwrap();
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(found.holds(index), there(index), "{index}: {line:?}");
    }
    assert_eq!(found.count(), (0..lines.len()).filter(|index| there(*index)).count());
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
    let mut loki = loki_with(&[lines.clone(), between].concat());
    let found = look_up(&mut loki, &batch(&lines)).unwrap();
    assert_eq!((found.count(), loki.asked), (2, 2));
}

#[test]
fn equal_lines_of_one_nanosecond_count_as_one() {
    let line = |ns| (ns, "same".to_owned());
    let lines = vec![line(1), line(1), line(2), line(1)];
    let mut loki = loki_with(&[line(1)]);
    let found = look_up(&mut loki, &batch(&lines)).unwrap();
    assert_eq!((0..4).map(|i| found.holds(i)).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(found.count(), 3);
}

#[test]
fn times_at_the_ends() {
    let lines = vec![(i64::MIN, "a".to_owned()), (i64::MAX - 1, "b".to_owned())];
    let mut loki = loki_with(&lines);
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
