//! Which lines a 400 of Loki names.
//!
//! A 400 is mostly partial: what it does not name is stored. Its text comes from one of two places
//! (Loki 3.7), and nothing else in the answer tells:
//!
//! - The *distributor* looks at each line alone: too old, too far ahead, too long. It groups equal
//!   messages, `12 errors like: entry for stream '{…}' has timestamp too old: …; max entry size …`,
//!   names times to the second, and names every group. What it lets pass is stored.
//! - The *ingester* compares with the stream's newest line. It names the first ten lines to the
//!   nanosecond and counts all: `total ignored: 17 out of 1000`. Its answer hides that of the
//!   distributor, but the second number betrays it.
//!
//! The text comes from outside and holds labels that users chose: whatever cannot be read, or does
//! not fit to the lines that were sent, leaves the rest unknown.

use std::collections::HashSet;
use std::sync::Arc;

use super::batch::Batch;
use super::moment::{self, SECOND_NS};
use super::stream::Metadata;
use crate::http::reply::one_line;

/// A refusal with what it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// What Loki said, shortened; one line.
    pub(crate) why: String,
    named: Vec<Named>,
    /// What becomes of the lines that are not named, so far as the text tells.
    rest: Rest,
    /// How many lines the ingester saw, and how many of them it refused.
    counted: Option<(usize, usize)>,
}

/// What became of the lines of a refused push that the refusal does not name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rest {
    /// They were stored.
    Stored,
    /// Some may have been stored: look them up.
    Unknown,
    /// None was stored.
    NotStored,
}

/// Why a line was refused.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Reason {
    // In the order in which Loki looks: a line is named for the first that applies.
    /// Older than Loki's limit: final.
    TooOld,
    /// Ahead of Loki's clock: temporary.
    TooFarAhead,
    /// Longer than Loki's limit: final.
    TooLong,
    /// Its structured metadata, or something else in it: final.
    Content,
    /// Behind its stream's newest line: temporary, until the stream is idle.
    TooFarBehind,
    /// The stream's rate limit: to be sent again soon.
    RateLimited,
}

/// A line of the batch that was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RefusedLine {
    /// Its index in the batch.
    pub(crate) index: usize,
    /// Why.
    pub(crate) reason: Reason,
    /// What Loki said of it; one line.
    pub(crate) why: String,
}

/// Lines that a refusal names together.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Named {
    reason: Reason,
    which: Which,
    count: usize,
    why: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Which {
    /// Of this nanosecond.
    At(i64),
    /// Within the second that begins here.
    Second(i64),
    /// Of so many bytes.
    Bytes(usize),
    /// With so many bytes of structured metadata.
    MetadataBytes(usize),
    /// With so many pairs of structured metadata.
    MetadataPairs(usize),
}

impl Refusal {
    /// Reads the text of a 400 or a 422.
    pub(super) fn read(status: u16, body: &str, why: String) -> Self {
        let mut refusal = Self { why, named: Vec::new(), rest: Rest::Unknown, counted: None };
        if status == 422 {
            refusal.rest = Rest::NotStored;
        } else if body.contains("entry with timestamp ") {
            refusal.read_ingester(body);
        } else {
            refusal.read_distributor(body);
        }
        refusal
    }

    /// The lines of the batch that were refused, in its order, and what became of the others.
    pub(crate) fn refused(&self, batch: &Batch) -> (Vec<RefusedLine>, Rest) {
        let mut lines: Vec<Sent<'_>> = batch.entries().map(Sent::new).collect();
        let mut fits = true;
        for named in &self.named {
            fits &= name(&mut lines, named);
        }
        fits &= !forget_doubtful(&mut lines);
        let refused: Vec<_> = lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| {
                let named = line.named?;
                Some(RefusedLine { index, reason: named.reason, why: named.why.clone() })
            })
            .collect();
        let all_counted = self
            .counted
            .is_none_or(|(ignored, seen)| ignored == refused.len() && seen == lines.len());
        let rest = if fits && all_counted { self.rest } else { Rest::Unknown };
        (refused, rest)
    }

    fn read_ingester(&mut self, body: &str) {
        self.rest = Rest::Stored;
        for line in body.lines() {
            if let Some(named) = line.strip_prefix("entry with timestamp ") {
                match ignored(named) {
                    Some(named) => self.named.push(named),
                    None => self.rest = Rest::Unknown,
                }
            } else if let Some((_, counts)) = line.split_once(", total ignored: ") {
                self.counted = counts.split_once(" for stream: ").and_then(|(counts, _)| {
                    let (ignored, seen) = counts.split_once(" out of ")?;
                    ignored.parse().ok().zip(seen.parse().ok())
                });
            }
        }
        if self.counted.is_none() {
            self.rest = Rest::Unknown;
        }
    }

    fn read_distributor(&mut self, body: &str) {
        let mut text = Text(body.trim_end());
        loop {
            let Some(named) = text.group() else { return };
            self.named.push(named);
            if text.0.is_empty() {
                break;
            }
            if text.skip("; ").is_none() {
                return;
            }
        }
        self.rest = Rest::Stored;
        // A line that is too old is not measured any more.
        self.named.sort_by_key(|named| named.reason);
    }
}

/// A line that was sent, and for what it was named.
struct Sent<'s> {
    ns: i64,
    bytes: usize,
    metadata_pairs: usize,
    metadata_bytes: usize,
    named: Option<&'s Named>,
}

impl Sent<'_> {
    fn new((ns, line, metadata): (i64, &[u8], &Arc<Metadata>)) -> Self {
        let pairs = metadata.pairs();
        let metadata_bytes = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        Self { ns, bytes: line.len(), metadata_pairs: pairs.len(), metadata_bytes, named: None }
    }

    fn is(&self, which: Which) -> bool {
        match which {
            Which::At(ns) => self.ns == ns,
            Which::Second(start) => (start..start.saturating_add(SECOND_NS)).contains(&self.ns),
            Which::Bytes(bytes) => self.bytes == bytes,
            Which::MetadataBytes(bytes) => self.metadata_bytes == bytes,
            Which::MetadataPairs(pairs) => self.metadata_pairs == pairs,
        }
    }
}

/// Gives the lines that are meant their name. False when it is not sure which ones are.
fn name<'s>(lines: &mut [Sent<'s>], named: &'s Named) -> bool {
    let mut meant: Vec<usize> = (0..lines.len())
        .filter(|index| lines[*index].named.is_none() && lines[*index].is(named.which))
        .collect();
    // Of a second, the limit of age cuts off the beginning, and that of the future the end.
    match (named.which, named.reason) {
        (Which::Second(_), Reason::TooFarAhead) => meant.sort_by_key(|i| -i128::from(lines[*i].ns)),
        (Which::Second(_), _) => meant.sort_by_key(|index| lines[*index].ns),
        _ => {}
    }
    let count = named.count;
    let exact = match named.which {
        // One message for each line: equal times come one after the other.
        Which::At(_) => !meant.is_empty(),
        Which::Second(_) => {
            let tied = count > 0
                && count < meant.len()
                && lines[meant[count - 1]].ns == lines[meant[count]].ns;
            count <= meant.len() && !tied
        }
        _ => count == meant.len(),
    };
    if exact {
        for index in meant.into_iter().take(count) {
            lines[index].named = Some(named);
        }
    }
    exact
}

/// Takes the name away again from lines of one nanosecond of which not all were named: no telling
/// which ones were meant. True when there were such.
fn forget_doubtful(lines: &mut [Sent<'_>]) -> bool {
    let at = |line: &Sent<'_>| line.named.is_some_and(|named| matches!(named.which, Which::At(_)));
    let unnamed: HashSet<i64> =
        lines.iter().filter(|line| line.named.is_none()).map(|line| line.ns).collect();
    let mut doubtful = false;
    for line in lines.iter_mut().filter(|line| at(line) && unnamed.contains(&line.ns)) {
        line.named = None;
        doubtful = true;
    }
    doubtful
}

/// The rest of `entry with timestamp {time} ignored, reason: '{reason}',`.
fn ignored(text: &str) -> Option<Named> {
    let (time, reason) = text.split_once(" ignored, reason: '")?;
    let reason = reason.strip_suffix(',').unwrap_or(reason).strip_suffix('\'')?;
    let kind = if reason.starts_with("entry too far behind") || reason == "entry out of order" {
        Reason::TooFarBehind
    } else if reason.starts_with("Per stream rate limit exceeded") {
        Reason::RateLimited
    } else {
        Reason::Content
    };
    let which = Which::At(moment::of_go(time)?);
    Some(Named { reason: kind, which, count: 1, why: one_line(reason) })
}

/// What is still to be read of a distributor's messages.
struct Text<'t>(&'t str);

impl<'t> Text<'t> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Everything before `end`, which is stepped over too.
    fn until(&mut self, end: &str) -> Option<&'t str> {
        let (text, rest) = self.0.split_once(end)?;
        self.0 = rest;
        Some(text)
    }

    /// A text without blanks, up to a comma, a semicolon or the end.
    fn word(&mut self) -> &'t str {
        let end = self.0.find([',', ';', ' ']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        word
    }

    /// `'123'`.
    fn number(&mut self) -> Option<usize> {
        self.skip("'")?;
        self.until("'")?.parse().ok()
    }

    /// `'{name="value", …}'`; a value may hold anything, escaped as in Go.
    fn labels(&mut self) -> Option<()> {
        self.skip("'{")?;
        let (mut quoted, mut escaped) = (false, false);
        let end = self.0.bytes().position(|byte| {
            let end = byte == b'}' && !quoted;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ => {}
            }
            end
        })?;
        self.0 = &self.0[end + 1..];
        self.skip("'")
    }

    /// One message, with how often it was meant.
    fn group(&mut self) -> Option<Named> {
        let digits = self.0.len() - self.0.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut count = 1;
        if let Some(rest) = self.0[digits..].strip_prefix(" errors like: ") {
            count = self.0[..digits].parse().ok()?;
            self.0 = rest;
        }
        let start = self.0;
        let (reason, which) = self.message()?;
        let why = one_line(&start[..start.len() - self.0.len()]);
        Some(Named { reason, which, count, why })
    }

    fn message(&mut self) -> Option<(Reason, Which)> {
        if self.skip("max entry size ").is_some() {
            self.number()?;
            self.skip(" bytes exceeded for stream ")?;
            self.labels()?;
            self.skip(" while adding an entry with length ")?;
            let bytes = self.number()?;
            self.skip(" bytes")?;
            return Some((Reason::TooLong, Which::Bytes(bytes)));
        }
        if self.skip("entry for stream ").is_some() {
            self.labels()?;
            if self.skip(" has timestamp too new: ").is_some() {
                return Some((
                    Reason::TooFarAhead,
                    Which::Second(moment::of_rfc3339(self.word())?),
                ));
            }
            self.skip(" has timestamp too old: ")?;
            let second = moment::of_rfc3339(self.word())?;
            self.skip(", oldest acceptable timestamp is: ")?;
            moment::of_rfc3339(self.word())?;
            return Some((Reason::TooOld, Which::Second(second)));
        }
        self.skip("stream ")?;
        self.labels()?;
        let which = if self.skip(" has structured metadata too large: ").is_some() {
            Which::MetadataBytes(self.number()?)
        } else {
            self.skip(" has too many structured metadata labels: ")?;
            Which::MetadataPairs(self.number()?)
        };
        // Advice to the user, up to the next message.
        self.until("to increase it")?;
        Some((Reason::Content, which))
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
