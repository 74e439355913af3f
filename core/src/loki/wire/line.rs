//! A line of a log file, as Loki sees it: its time, its stream, its structured metadata.
//!
//! A line is read in four pieces, as our encoder writes it: the timestamp; from the level to the
//! logger; the message; from the event type to the last field before the tags; the tags. Many lines
//! share the second and the fourth piece byte for byte: what such a piece says is read once and
//! remembered. So a line costs a look at its bytes, and no allocation.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::recent::Recent;
use super::stream::{Metadata, Stream};
use super::text::{self, Scan};
use crate::encode::TimeReader;
use crate::record::Level;

/// What the shipper has to know of a line. Cloning it allocates nothing.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Nanoseconds since 1970.
    pub(crate) ns: i64,
    pub(crate) level: Level,
    pub(crate) stream: Arc<Stream>,
    pub(crate) metadata: Arc<Metadata>,
}

/// Event types whose records are samples: many, and seldom looked at one by one.
const SAMPLES: [&str; 4] = ["http_req", "iteration", "check", "metric"];

/// What begins every line, up to the timestamp.
const START: &[u8] = b"{\"timestamp\":\"";
/// Bytes of a timestamp with its `Z`.
const TIMESTAMP: usize = "2026-11-22T10:11:12.123456789Z".len();

/// Most streams that are remembered; beyond it all are forgotten, and read anew where needed.
const MAX_STREAMS: usize = 4096;
/// Most entries' identities that are remembered for one fourth piece.
const MAX_PAIRS: usize = 64;

/// Reads lines; remembers the identities that it has seen, in bounded memory.
#[derive(Debug)]
pub(crate) struct LineReader {
    static_labels: BTreeMap<String, String>,
    times: TimeReader,
    heads: Recent<Head>,
    tails: Recent<Tail>,
    streams: HashMap<Box<str>, Arc<Stream>>,
    /// Numbers the heads: a head that is forgotten and read again is another one.
    heads_read: u64,
}

/// What stands from the level to the logger.
#[derive(Debug)]
struct Head {
    number: u64,
    level: Level,
    component: Box<str>,
    host: Box<str>,
    run_id: Box<str>,
    logger: Box<str>,
}

/// What stands from the event type to the last field before the tags.
#[derive(Debug)]
struct Tail {
    has_tags: bool,
    event_type: Box<str>,
    workload: Box<str>,
    repetition: Box<str>,
    scenario: Option<Box<str>>,
    package: Option<Box<str>>,
    plugin: Option<Box<str>>,
    /// With which heads and phases it was seen, and what they come to together.
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    head: u64,
    phase: Box<[u8]>,
    stream: Arc<Stream>,
    metadata: Arc<Metadata>,
}

impl Seen {
    fn line(&self, ns: i64, level: Level) -> Line {
        let (stream, metadata) = (Arc::clone(&self.stream), Arc::clone(&self.metadata));
        Line { ns, level, stream, metadata }
    }
}

impl LineReader {
    /// `labels` are the static labels of every stream.
    pub(crate) fn new(labels: &BTreeMap<String, String>) -> Self {
        Self {
            static_labels: labels.clone(),
            times: TimeReader::default(),
            heads: Recent::new(),
            tails: Recent::new(),
            streams: HashMap::new(),
            heads_read: 0,
        }
    }

    /// Reads a line (without its newline). An error says, in a few words, why it is not a record.
    pub(crate) fn read(&mut self, line: &[u8]) -> Result<Line, &'static str> {
        if !text::is_plain(line) {
            return Err("it is not UTF-8 text");
        }
        let timestamp = line.strip_prefix(START).and_then(|rest| rest.split_at_checked(TIMESTAMP));
        let (timestamp, rest) = timestamp.ok_or("it does not begin with a timestamp")?;
        let ns = self.times.read(timestamp).ok_or("its timestamp is none")?;

        let (head, length) = match self.heads.find(rest) {
            Some(found) => found,
            None => self.heads.add(rest, read_head(rest, &mut self.heads_read)?),
        };
        let mut scan = Scan::new(&rest[length..]);
        scan.string_body().ok_or("its message has no end")?;
        let rest = scan.rest();
        let (tail, length) = match self.tails.find(rest) {
            Some(found) => found,
            None => self.tails.add(rest, read_tail(rest)?),
        };
        let rest = &rest[length..];
        let phase = match (tail.has_tags, rest) {
            (false, []) => b"\"\"",
            (false, _) => return Err("something follows its end"),
            (true, tags) => text::tags(tags)?.unwrap_or(b"\"\""),
        };

        let known = tail.seen.iter().find(|seen| seen.head == head.number && *seen.phase == *phase);
        if let Some(seen) = known {
            return Ok(seen.line(ns, head.level));
        }
        let seen = Self::join(&self.static_labels, &mut self.streams, head, tail, phase)?;
        let line = seen.line(ns, head.level);
        if tail.seen.len() == MAX_PAIRS {
            tail.seen.clear();
        }
        tail.seen.push(seen);
        Ok(line)
    }

    /// What a head, a tail and a phase (a JSON string) come to together.
    fn join(
        static_labels: &BTreeMap<String, String>,
        streams: &mut HashMap<Box<str>, Arc<Stream>>,
        head: &Head,
        tail: &Tail,
        phase: &[u8],
    ) -> Result<Seen, &'static str> {
        let kind = if SAMPLES.contains(&&*tail.event_type) { "sample" } else { "log" };
        let mut labels: BTreeMap<&str, &str> =
            static_labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        labels.extend([
            ("component", &*head.component),
            ("host", &*head.host),
            ("kind", kind),
            ("repetition", &*tail.repetition),
            ("run_id", &*head.run_id),
            ("workload", &*tail.workload),
        ]);
        labels.extend(tail.scenario.as_deref().map(|scenario| ("scenario", scenario)));
        let stream = Stream::new(&labels);
        if streams.len() >= MAX_STREAMS {
            streams.clear();
        }
        let key: Box<str> = stream.labels().into();
        let stream = Arc::clone(streams.entry(key).or_insert_with(|| Arc::new(stream)));

        let decoded = text::decode(phase).ok_or("its phase is no text")?;
        let metadata = Metadata::new(&[
            ("level", head.level.name()),
            ("event_type", &tail.event_type),
            ("logger", &head.logger),
            ("phase", &decoded),
            ("package", tail.package.as_deref().unwrap_or_default()),
            ("plugin", tail.plugin.as_deref().unwrap_or_default()),
        ]);
        let metadata = Arc::new(metadata);
        Ok(Seen { head: head.number, phase: phase.into(), stream, metadata })
    }
}

/// Reads what stands before the message, and how many bytes that is.
fn read_head(text: &[u8], heads_read: &mut u64) -> Result<(Head, usize), &'static str> {
    let wrong = "it has not the fields of a record in their order";
    let mut scan = Scan::new(text);
    let mut field = |before: &[u8]| {
        scan.literal(before).and_then(|()| scan.string()).filter(|text| !text.is_empty())
    };
    let level = field(b"\",\"level\":").ok_or(wrong)?;
    let level = Level::ALL.into_iter().find(|known| known.name() == &*level);
    let level = level.ok_or("its level is none")?;
    let component = field(b",\"component\":").ok_or(wrong)?;
    let host = field(b",\"host\":").ok_or(wrong)?;
    let run_id = field(b",\"run_id\":").ok_or(wrong)?;
    let logger = scan.literal(b",\"logger\":").and_then(|()| scan.string()).ok_or(wrong)?;
    scan.literal(b",\"message\":\"").ok_or(wrong)?;
    *heads_read += 1;
    let number = *heads_read;
    Ok((Head { number, level, component, host, run_id, logger }, scan.position()))
}

/// Reads what stands behind the message, and how many bytes that is, the end of the line or the
/// beginning of its tags included.
fn read_tail(text: &[u8]) -> Result<(Tail, usize), &'static str> {
    let wrong = "it has not the fields of a record in their order";
    let mut scan = Scan::new(text);
    let mut field = |before: &[u8]| {
        scan.literal(before).and_then(|()| scan.string()).filter(|text| !text.is_empty())
    };
    let event_type = field(b",\"event_type\":").ok_or(wrong)?;
    let workload = field(b",\"workload\":").ok_or(wrong)?;
    scan.literal(b",\"repetition\":").ok_or(wrong)?;
    let repetition = scan.count().ok_or("its repetition is none")?;
    let mut optional = |before: &[u8]| match scan.literal(before) {
        None => Ok(None),
        Some(()) => scan.string().filter(|text| !text.is_empty()).map(Some).ok_or(wrong),
    };
    let scenario = optional(b",\"scenario\":")?;
    let package = optional(b",\"package\":")?;
    let plugin = optional(b",\"plugin\":")?;
    let has_tags = scan.literal(b",\"tags\":{").is_some();
    if !has_tags {
        scan.literal(b"}").ok_or(wrong)?;
    }
    let seen = Vec::new();
    let tail = Tail { has_tags, event_type, workload, repetition, scenario, package, plugin, seen };
    Ok((tail, scan.position()))
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
