//! Which records are shown. A line is looked at as bytes first; only one that can pass is parsed.

use std::borrow::Cow;
use std::ops::Range;

use lb_core::record::Level;
use memchr::memmem::Finder;
use memchr::{memchr, memrchr};
use regex::{Regex, bytes};
use regex_syntax::hir::{Hir, HirKind, Literal, Repetition};

use crate::record::{Record, Stamp, level_of_line};

/// What a record must be like.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) since: Option<Stamp>,
    pub(super) until: Option<Stamp>,
    pub(super) level: Option<Level>,
    /// Every one must hold.
    pub(super) fields: Vec<Wanted>,
    pub(super) text: Option<Text>,
}

/// One of several values of a field.
#[derive(Debug)]
pub(super) struct Wanted {
    field: Field,
    values: Vec<String>,
    /// What stands in the line of a record that has the value; in others it may stand by chance.
    marks: Vec<Finder<'static>>,
}

/// A field that is filtered by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    Component,
    Host,
    Workload,
    Repetition,
    Phase,
}

impl Wanted {
    pub(super) fn new(field: Field, values: Vec<String>) -> Self {
        let mark = |value: &String| {
            let (name, value) = match field {
                Field::Component => ("component", quoted(value)),
                Field::Host => ("host", quoted(value)),
                Field::Workload => ("workload", quoted(value)),
                Field::Repetition => ("repetition", value.clone()),
                Field::Phase => ("phase", quoted(value)),
            };
            Finder::new(&format!("\"{name}\":{value}")).into_owned()
        };
        Self { field, marks: values.iter().map(mark).collect(), values }
    }

    fn may_hold(&self, line: &[u8]) -> bool {
        self.marks.iter().any(|mark| mark.find(line).is_some())
    }

    fn holds(&self, record: &Record<'_>) -> bool {
        let value: Cow<'_, str> = match self.field {
            Field::Component => record.component.as_ref().into(),
            Field::Host => record.host.as_ref().into(),
            Field::Workload => record.workload.as_ref().into(),
            Field::Repetition => record.repetition.to_string().into(),
            Field::Phase => record.tag("phase").unwrap_or_default(),
        };
        self.values.iter().any(|wanted| *wanted == value)
    }
}

/// As our encoder writes it.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// What must be found in the message, the event type, or the value of a tag.
#[derive(Debug)]
pub(super) struct Text {
    pattern: Regex,
    /// Where the pattern is a text that JSON writes as it is.
    mark: Option<Finder<'static>>,
    /// The pattern without what it asks of what stands around a match. Where it is not found in a
    /// line without escapes, the pattern itself is in none of the line's values.
    in_line: bytes::Regex,
}

impl Text {
    pub(super) fn new(pattern: &str) -> Result<Self, regex::Error> {
        let is_special = |c: char| r"\.+*?()|[]{}^$".contains(c);
        let is_plain = |c: char| !is_special(c) && c != '"' && !c.is_ascii_control();
        let plain = !pattern.is_empty() && pattern.chars().all(is_plain);
        let mark = plain.then(|| Finder::new(pattern).into_owned());
        let parsed = regex_syntax::parse(pattern).map(without_looks);
        let in_line = parsed.map_or_else(|_| pattern.to_owned(), |parsed| parsed.to_string());
        Ok(Self { pattern: Regex::new(pattern)?, mark, in_line: bytes::Regex::new(&in_line)? })
    }

    fn may_be_in(&self, line: &[u8]) -> bool {
        if let Some(mark) = &self.mark {
            return mark.find(line).is_some();
        }
        memchr(b'\\', line).is_some() || self.in_line.is_match(line)
    }

    fn is_in(&self, record: &Record<'_>) -> bool {
        self.pattern.is_match(&record.message)
            || self.pattern.is_match(&record.event_type)
            || record.tags().iter().any(|(_, value)| self.pattern.is_match(&value.text()))
    }
}

/// The pattern with nothing in the place of `^`, `\b` and the like: it matches whatever it did, and
/// more.
fn without_looks(pattern: Hir) -> Hir {
    let each = |patterns: Vec<Hir>| patterns.into_iter().map(without_looks).collect();
    match pattern.into_kind() {
        HirKind::Look(_) | HirKind::Empty => Hir::empty(),
        HirKind::Literal(Literal(bytes)) => Hir::literal(bytes),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Repetition(Repetition { min, max, greedy, sub }) => {
            let sub = Box::new(without_looks(*sub));
            Hir::repetition(Repetition { min, max, greedy, sub })
        }
        // What was captured is not asked for.
        HirKind::Capture(capture) => without_looks(*capture.sub),
        HirKind::Concat(patterns) => Hir::concat(each(patterns)),
        HirKind::Alternation(patterns) => Hir::alternation(each(patterns)),
    }
}

impl Filter {
    /// The time of a record that passes.
    fn passes(&self, line: &[u8]) -> Verdict {
        let Some(stamp) = Stamp::of_line(line) else { return Verdict::Strange };
        let in_time = self.since.is_none_or(|since| since <= stamp)
            && self.until.is_none_or(|until| stamp <= until);
        if !in_time || self.level.is_some_and(|least| level_of_line(line) < Some(least)) {
            return Verdict::Fails;
        }
        if self.fields.is_empty() && self.text.is_none() {
            return Verdict::Passes(stamp);
        }
        let may = self.fields.iter().all(|wanted| wanted.may_hold(line))
            && self.text.as_ref().is_none_or(|text| text.may_be_in(line));
        if !may {
            return Verdict::Fails;
        }
        let Some(record) = Record::of_line(line) else { return Verdict::Strange };
        let holds = self.fields.iter().all(|wanted| wanted.holds(&record))
            && self.text.as_ref().is_none_or(|text| text.is_in(&record));
        if holds { Verdict::Passes(stamp) } else { Verdict::Fails }
    }

    /// Gives each line of a block that passes, without its newline.
    pub(super) fn pick(&self, block: &[u8], mut each: impl FnMut(Stamp, Range<usize>)) -> Picked {
        let mut picked = Picked { all: true, strange: 0 };
        let mut at = 0;
        while at < block.len() {
            let start = match self.rarest() {
                // Lines without the mark are skipped unseen.
                Some(mark) => match mark.find(&block[at..]) {
                    None => {
                        picked.all = false;
                        break;
                    }
                    Some(found) => memrchr(b'\n', &block[at..at + found])
                        .map_or(at, |newline| at + newline + 1),
                },
                None => at,
            };
            picked.all &= start == at;
            let end = memchr(b'\n', &block[start..]).map_or(block.len(), |len| start + len);
            match self.passes(&block[start..end]) {
                Verdict::Passes(stamp) => each(stamp, start..end),
                Verdict::Fails => picked.all = false,
                Verdict::Strange => {
                    picked.all = false;
                    picked.strange += 1;
                }
            }
            at = end + 1;
        }
        picked
    }

    /// What is in every line that passes, and probably in few others.
    fn rarest(&self) -> Option<&Finder<'static>> {
        let of_field = |wanted: &&Wanted| wanted.marks.len() == 1;
        let text = self.text.as_ref().and_then(|text| text.mark.as_ref());
        text.or_else(|| Some(&self.fields.iter().rev().find(of_field)?.marks[0]))
    }
}

enum Verdict {
    Passes(Stamp),
    Fails,
    /// The line is no record of ours.
    Strange,
}

/// What became of a block's lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Picked {
    /// Every line passes.
    pub(super) all: bool,
    /// Lines that are no records of ours, of those that were looked at.
    pub(super) strange: u64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(second: u8, level: &str, component: &str, message: &str, tags: &str) -> String {
        let message = quoted(message);
        format!(
            "{{\"timestamp\":\"2026-11-22T10:11:{second:02}.000000000Z\",\"level\":\"{level}\",\
             \"component\":{},\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\
             \"message\":{message},\"event_type\":\"log\",\"workload\":\"cpu\",\"repetition\":12\
             {tags}}}\n",
            quoted(component)
        )
    }

    fn block() -> String {
        [
            line(1, "INFO", "k6", "up", ""),
            line(2, "ERROR", "k6", "no \"disk\"\nleft", r#","tags":{"phase":"setup","n":503}"#),
            line(3, "DEBUG", "run\"ner", r#"is "component":"k6" here"#, r#","tags":{"phase":1}"#),
            "no record\n".to_owned(),
            line(4, "WARNING", "k6", "slow", r#","tags":{"component":"x","phase":"run"}"#),
        ]
        .concat()
    }

    fn seconds(filter: &Filter) -> (Vec<usize>, Picked) {
        let block = block();
        let mut seconds = Vec::new();
        let picked = filter.pick(block.as_bytes(), |stamp, range| {
            assert!(!block[range.clone()].contains('\n') && block.as_bytes()[range.end] == b'\n');
            seconds.push(stamp.text()[17..19].parse().unwrap());
        });
        (seconds, picked)
    }

    fn fields(field: Field, values: &[&str]) -> Filter {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Filter { fields: vec![Wanted::new(field, values)], ..Filter::default() }
    }

    fn grep(pattern: &str) -> Filter {
        Filter { text: Some(Text::new(pattern).unwrap()), ..Filter::default() }
    }

    #[test]
    fn nothing_wanted() {
        assert_eq!(
            seconds(&Filter::default()),
            (vec![1, 2, 3, 4], Picked { all: false, strange: 1 })
        );
        let whole = line(1, "INFO", "k6", "up", "");
        let picked = Filter::default().pick(whole.as_bytes(), |_, _| {});
        assert_eq!(picked, Picked { all: true, strange: 0 });
    }

    #[test]
    fn times_and_levels() {
        let stamp = |second: &str| Stamp::of_text(&format!("2026-11-22T10:11:{second}Z"));
        let since = Filter { since: stamp("02.000000000"), ..Filter::default() };
        assert_eq!(seconds(&since).0, [2, 3, 4]);
        let until = Filter { until: stamp("02.000000000"), ..Filter::default() };
        assert_eq!(seconds(&until).0, [1, 2]);
        for (level, expected) in [(Level::Trace, vec![1, 2, 3, 4]), (Level::Warning, vec![2, 4])] {
            let filter = Filter { level: Some(level), ..Filter::default() };
            assert_eq!(seconds(&filter).0, expected);
        }
    }

    #[test]
    fn values_of_fields() {
        for (field, values, expected) in [
            (Field::Component, &["k6"][..], vec![1, 2, 4]),
            (Field::Component, &["run\"ner"], vec![3]),
            (Field::Component, &["x"], vec![]),
            (Field::Component, &["k6", "run\"ner"], vec![1, 2, 3, 4]),
            (Field::Host, &["h"], vec![1, 2, 3, 4]),
            (Field::Workload, &["cp"], vec![]),
            (Field::Repetition, &["1"], vec![]),
            (Field::Repetition, &["12"], vec![1, 2, 3, 4]),
            (Field::Phase, &["setup", "run"], vec![2, 4]),
            (Field::Phase, &["setup"], vec![2]),
        ] {
            assert_eq!(seconds(&fields(field, values)).0, expected, "{field:?} {values:?}");
        }
        let mut both = fields(Field::Component, &["k6"]);
        both.fields.push(Wanted::new(Field::Phase, vec!["run".to_owned()]));
        assert_eq!(seconds(&both).0, [4]);
    }

    #[test]
    fn texts() {
        for (pattern, expected) in [
            ("slow", vec![4]),
            ("503", vec![2]),
            ("\"disk\"\\nleft", vec![2]),
            ("^up$", vec![1]),
            ("(?i)SLOW|^UP$", vec![1, 4]),
            ("k6", vec![3]),
            ("log", vec![1, 2, 3, 4]),
            ("setup", vec![2]),
            ("message", vec![]),
            ("message|x{9}", vec![]),
            ("[s]low", vec![4]),
            ("no .disk", vec![2]),
            (r"\bslow\b", vec![4]),
            (r"(?m)^left$", vec![2]),
            (r"(^is|(?:^|x)slo[w]){1,2}\B", vec![]),
            (r"(^is|(?:^|x)slo[w]){1,2}", vec![3, 4]),
            (r"disk.\s", vec![2]),
            ("", vec![1, 2, 3, 4]),
        ] {
            assert_eq!(seconds(&grep(pattern)).0, expected, "{pattern:?}");
        }
        assert!(Text::new("(").is_err());
    }
}
