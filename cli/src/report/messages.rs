//! Warnings and errors: those that say the same are one entry, with some of them in full.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::record::{Record, Severity};

/// Entries of one severity, at most.
const MOST_ENTRIES: usize = 1000;
/// Records that an entry has in full, at most: of what was said, and of samples.
const MOST_EXAMPLES: usize = 25;
const MOST_SAMPLES: usize = 5;
/// Workloads that an entry names, at most.
const MOST_WORKLOADS: usize = 4;
/// Text of one severity, bytes: a report stays small whatever was logged.
const ERROR_BYTES: usize = 400_000;
const WARNING_BYTES: usize = 300_000;
/// Of one record: its message, and all of its tags.
const MESSAGE_BYTES: usize = 4000;
const TAGS_BYTES: usize = 4000;
/// Of a message, for telling whether two say the same.
const PATTERN_CHARS: usize = 200;

/// What was said once or many times.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    #[serde(skip)]
    severity: Severity,
    level: String,
    component: String,
    logger: String,
    event_type: String,
    count: u64,
    /// The first few that it was said in.
    workloads: Vec<String>,
    /// Milliseconds since 1970.
    first: i64,
    last: i64,
    examples: Vec<Example>,
}

/// One record of an entry.
#[derive(Clone, Debug, Serialize)]
struct Example {
    at: i64,
    host: String,
    workload: String,
    repetition: u64,
    message: String,
    tags: Vec<(String, String)>,
}

/// All warnings and errors of a run, in bounded memory.
#[derive(Debug)]
pub(crate) struct Messages {
    entries: HashMap<String, Entry>,
    key: String,
    /// What is left of the bounds, errors first, then warnings: entries, bytes.
    room: [(usize, usize); 2],
    /// How many records have no entry: errors, warnings.
    pub(crate) left_out: [u64; 2],
}

impl Messages {
    /// `share`: how many runs share a report.
    pub(crate) fn new(share: usize) -> Self {
        let room = [ERROR_BYTES, WARNING_BYTES].map(|bytes| (MOST_ENTRIES, bytes / share.max(1)));
        Self { entries: HashMap::new(), key: String::new(), room, left_out: [0; 2] }
    }

    pub(crate) fn add(&mut self, record: &Record<'_>) {
        let severity = record.severity();
        let which = match severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Other => return,
        };
        let message = told(record);
        self.set_key(record, &message);
        let at = record.at_ns.div_euclid(1_000_000);
        let (entries, bytes) = &mut self.room[which];
        if !self.entries.contains_key(&self.key) {
            if *entries == 0 || *bytes == 0 {
                self.left_out[which] += 1;
                return;
            }
            *entries -= 1;
            self.entries.insert(self.key.clone(), Entry::new(record, severity, at));
        }
        let Some(entry) = self.entries.get_mut(&self.key) else { return };
        entry.count += 1;
        let known = entry.workloads.iter().any(|workload| *workload == record.workload);
        if !known && entry.workloads.len() < MOST_WORKLOADS {
            entry.workloads.push(short(&record.workload, 200));
        }
        entry.first = entry.first.min(at);
        entry.last = entry.last.max(at);
        let most = if record.is_measurement() { MOST_SAMPLES } else { MOST_EXAMPLES };
        if entry.examples.is_empty() || (entry.examples.len() < most && *bytes > 0) {
            let example = Example::new(record, at, &message);
            *bytes = bytes.saturating_sub(example.bytes());
            entry.examples.push(example);
        }
    }

    /// Two records say the same when only numbers tell them apart.
    fn set_key(&mut self, record: &Record<'_>, message: &str) {
        self.key.clear();
        let crate::record::Record { level, component, logger, event_type, .. } = &**record;
        let _ = write!(self.key, "{level}\0{component}\0{logger}\0{event_type}\0");
        let mut number = false;
        for c in message.chars().take(PATTERN_CHARS) {
            let digit = c.is_ascii_digit();
            if !(digit && number) {
                self.key.push(if digit { '#' } else { c });
            }
            number = digit;
        }
    }

    /// The worst first, each in the order of time.
    pub(crate) fn sorted(&self) -> Vec<&Entry> {
        let mut entries: Vec<(&String, &Entry)> = self.entries.iter().collect();
        entries.sort_by_key(|(key, entry)| (entry.severity, entry.first, *key));
        entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// The message, and for samples what it does not say itself.
fn told(record: &Record<'_>) -> String {
    let more = match &*record.event_type {
        "check" => record.tags.text("check"),
        "http_req" => record.tags.text("error"),
        _ => None,
    };
    match more {
        Some(more) => format!("{}: {more}", record.message),
        None => record.message.to_string(),
    }
}

impl Entry {
    fn new(record: &Record<'_>, severity: Severity, at: i64) -> Self {
        Self {
            severity,
            level: short(&record.level, 20),
            component: short(&record.component, 200),
            logger: short(&record.logger, 200),
            event_type: short(&record.event_type, 200),
            count: 0,
            workloads: Vec::new(),
            first: at,
            last: at,
            examples: Vec::new(),
        }
    }
}

impl Example {
    fn new(record: &Record<'_>, at: i64, message: &str) -> Self {
        let mut room = TAGS_BYTES;
        let mut tags = Vec::new();
        for (name, value) in record.tags.iter() {
            let (name, value) = (short(name, room), short(&value.to_string(), room));
            room = room.saturating_sub(name.len() + value.len());
            if room == 0 {
                break;
            }
            tags.push((name, value));
        }
        Self {
            at,
            host: short(&record.host, 200),
            workload: short(&record.workload, 200),
            repetition: record.repetition,
            message: short(message, MESSAGE_BYTES),
            tags,
        }
    }

    /// About what it takes in the page.
    fn bytes(&self) -> usize {
        let tags = self.tags.iter().flat_map(|(name, value)| [name, value]);
        let texts = tags.chain([&self.host, &self.workload, &self.message]);
        texts.map(|text| weight(text) + 8).sum::<usize>() + 80
    }
}

/// At most so many bytes of a text, with a sign where it was cut.
pub(crate) fn short(text: &str, bytes: usize) -> String {
    if text.len() <= bytes { text.to_owned() } else { format!("{}…", cut(text, bytes)) }
}

/// At most so many bytes of a text.
pub(crate) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Bytes of a text in the page, where some have to be written as `\u003c`.
fn weight(text: &str) -> usize {
    let of = |byte| match byte {
        b'<' | 0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    text.bytes().map(of).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::record::tests::line;
    use super::*;

    fn add(messages: &mut Messages, level: &str, event_type: &str, message: &str, tags: &str) {
        let text = line(12, level, event_type, message, tags);
        messages.add(&Record::of_line(text.as_bytes()).unwrap());
    }

    #[test]
    fn what_differs_in_numbers_only_is_one_entry() {
        let mut messages = Messages::new(1);
        for basket in 1..=100 {
            add(&mut messages, "WARNING", "console", &format!("basket {basket} failed"), "");
        }
        add(&mut messages, "ERROR", "console", "basket 7 failed", "");
        add(&mut messages, "INFO", "console", "basket 8 failed", "");
        add(&mut messages, "WARNING", "check", "check failed", "\"check\":\"is there\"");
        let entries = messages.sorted();
        let seen: Vec<_> = entries.iter().map(|e| (e.level.as_str(), e.count)).collect();
        assert_eq!(seen, [("ERROR", 1), ("WARNING", 1), ("WARNING", 100)]);
        assert_eq!(entries[2].examples.len(), MOST_EXAMPLES);
        assert_eq!(entries[1].examples[0].message, "check failed: is there");
        assert_eq!(messages.left_out, [0, 0]);
    }

    #[test]
    fn memory_is_bounded_and_what_is_left_out_is_counted() {
        let mut messages = Messages::new(1);
        let word =
            |n: usize| n.to_string().bytes().map(|d| (d - b'0' + b'a') as char).collect::<String>();
        let long = "<".repeat(20_000);
        for n in 0..300 {
            add(
                &mut messages,
                "WARNING",
                "log",
                &format!("{} {long}", word(n)),
                &format!("\"a\":\"{long}\""),
            );
        }
        for n in 0..MOST_ENTRIES + 5 {
            add(&mut messages, "ERROR", "log", &word(n), "");
        }
        let bytes: usize =
            messages.sorted().iter().flat_map(|e| &e.examples).map(Example::bytes).sum();
        assert!(bytes < ERROR_BYTES + WARNING_BYTES + 20_000, "{bytes}");
        let kept = messages.sorted().len() as u64;
        assert_eq!(messages.left_out[0], 5);
        assert_eq!(
            kept + messages.left_out[0] + messages.left_out[1],
            300 + MOST_ENTRIES as u64 + 5
        );
    }

    #[test]
    fn a_cut_text_is_still_text() {
        assert_eq!(short("größe", 3), "gr…");
        assert_eq!(short("größe", 4), "grö…");
        assert_eq!(short("größe", 7), "größe");
    }
}
