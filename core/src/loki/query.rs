//! What Loki holds, read back: which lines of a batch are there, byte for byte and nanosecond for
//! nanosecond.
//!
//! Loki answers in pages: of at most 5,000 lines, and of at most 4 MiB inside, beyond which it answers
//! 500 after 17 s, or, to those who ask for structured metadata apart (`categorize-labels`), 200 with
//! no lines at all: so we don't. A page that is full says nothing of what follows in its last nanosecond, so that
//! one is asked for again; and one that holds a single nanosecond is narrowed by filters
//! (`narrow`). Of equal lines of one nanosecond Loki shows one.

use std::collections::{BTreeMap, HashMap};

use super::batch::Batch;
use super::narrow::narrow;
use super::page::Page;
use super::stream::Stream;

/// Most lines of a page, at Loki's defaults.
const MAX_LINES: usize = 5000;

/// What the lines of a page should come to, bytes: far below what Loki can carry.
const PAGE_BYTES: usize = 1 << 20;

/// Lines that lie further apart are asked for apart: what lies between them is not ours to read.
const MAX_GAP_NS: i64 = 60 * 1_000_000_000;

/// Which lines of a batch Loki holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Found {
    held: Vec<bool>,
    equal: usize,
}

impl Found {
    /// One answer for each line of the batch, and how many lines have an equal one of the same
    /// nanosecond before them.
    pub(crate) fn new(held: Vec<bool>, equal: usize) -> Self {
        Self { held, equal }
    }

    /// Whether Loki holds the line of this index. Of equal lines of one nanosecond Loki shows one:
    /// then it holds them all.
    pub(crate) fn holds(&self, index: usize) -> bool {
        self.held.get(index).copied().unwrap_or(false)
    }

    /// How many lines of the batch Loki holds.
    pub(crate) fn count(&self) -> usize {
        self.held.iter().filter(|held| **held).count()
    }

    /// How many lines of the batch have an equal one of the same nanosecond before them: of those
    /// nobody can say whether Loki holds one or several.
    pub(crate) fn equal(&self) -> usize {
        self.equal
    }
}

/// Why a look-up has no result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LookUpError {
    /// We may write but not read, or nothing answers such a question there: it will stay so.
    Refused {
        /// One line for a user.
        why: String,
    },
    /// For now: try again.
    Failed {
        /// One line for a user.
        why: String,
    },
}

/// Somebody who can be asked what Loki holds.
pub(crate) trait Ask {
    /// The body of the answer.
    fn ask(&mut self, question: &Question<'_>) -> Result<Vec<u8>, AskError>;
}

/// Why a question has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum AskError {
    /// Fewer lines have to be asked for.
    TooMuch,
    /// As [`LookUpError::Refused`].
    Refused { why: String },
    /// As [`LookUpError::Failed`].
    Failed { why: String },
}

/// A question: at most `limit` lines of a query, from the earliest on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    query: &'q str,
    from_ns: i64,
    /// Not included.
    to_ns: i64,
    limit: usize,
}

impl Question<'_> {
    /// What goes into a URL or a form.
    pub(super) fn pairs(&self) -> [(&'static str, String); 5] {
        [
            ("query", self.query.to_owned()),
            ("start", self.from_ns.to_string()),
            ("end", self.to_ns.to_string()),
            ("limit", self.limit.to_string()),
            ("direction", "forward".to_owned()),
        ]
    }
}

/// What a status other than 200 means.
pub(super) fn trouble(status: u16, body: &str, why: String) -> AskError {
    match status {
        400 if body.contains("max entries limit per query exceeded") => AskError::TooMuch,
        500 if body.contains("larger than max") => AskError::TooMuch,
        408 | 425 | 429 | 499 | 500 | 502..=504 => AskError::Failed { why },
        _ => AskError::Refused { why },
    }
}

/// Which lines of the batch Loki holds.
pub(crate) fn look_up(loki: &mut dyn Ask, batch: &Batch) -> Result<Found, LookUpError> {
    let mut search = Search::new(batch);
    for range in search.ranges() {
        search.read(loki, range)?;
    }
    Ok(Found::new(search.held, search.equal))
}

/// A look-up under way.
struct Search<'b> {
    stream: &'b Stream,
    /// The lines by time, each with its indexes: more than one when lines are equal.
    wanted: BTreeMap<i64, HashMap<&'b [u8], Vec<usize>>>,
    held: Vec<bool>,
    equal: usize,
    /// Lines of a page.
    limit: usize,
}

impl<'b> Search<'b> {
    fn new(batch: &'b Batch) -> Self {
        let mut wanted: BTreeMap<i64, HashMap<&[u8], Vec<usize>>> = BTreeMap::new();
        let (mut equal, mut bytes) = (0, 0);
        for (index, (ns, line)) in batch.lines().enumerate() {
            let indexes = wanted.entry(ns).or_default().entry(line).or_default();
            equal += usize::from(!indexes.is_empty());
            indexes.push(index);
            bytes += line.len();
        }
        let average = bytes / batch.len().max(1) + 1;
        let limit = (PAGE_BYTES / average).clamp(1, MAX_LINES);
        Self { stream: batch.stream(), wanted, held: vec![false; batch.len()], equal, limit }
    }

    /// The times of the lines, first and last, cut where nothing is for long.
    fn ranges(&self) -> Vec<(i64, i64)> {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for ns in self.wanted.keys() {
            match ranges.last_mut() {
                Some((_, last)) if ns.saturating_sub(*last) <= MAX_GAP_NS => *last = *ns,
                _ => ranges.push((*ns, *ns)),
            }
        }
        ranges
    }

    /// Reads all pages of a range, both ends included.
    fn read(&mut self, loki: &mut dyn Ask, (first, last): (i64, i64)) -> Result<(), LookUpError> {
        let mut from = first;
        loop {
            let (newest, full) = self.page(loki, self.stream.selector(), from, last)?;
            let Some(newest) = newest.filter(|_| full) else { return Ok(()) };
            if newest > from {
                from = newest;
                continue;
            }
            self.read_moment(loki, from)?;
            if from >= last {
                return Ok(());
            }
            from += 1;
        }
    }

    /// Reads a nanosecond that has more lines than a page: those that are wanted and not found yet,
    /// in groups that a filter tells apart.
    fn read_moment(&mut self, loki: &mut dyn Ask, ns: i64) -> Result<(), LookUpError> {
        let missing = self.missing(ns);
        // Lines that are not ours share the filter: room for as many.
        let mut groups = narrow(missing, (self.limit / 2).max(1));
        while let Some(group) = groups.pop() {
            let query = format!("{}{}", self.stream.selector(), group.filter);
            let (_, full) = self.page(loki, &query, ns, ns)?;
            let left: Vec<&[u8]> =
                group.lines.into_iter().filter(|line| !self.is_held(ns, line)).collect();
            // A single line is asked for as a whole: what is full then holds it or not.
            if full && !left.is_empty() && group.splits {
                let most = (left.len() / 2).max(1);
                groups.extend(narrow(left, most));
            }
        }
        Ok(())
    }

    /// Reads a page. The time of its newest line, and whether there may be more than it holds.
    fn page(
        &mut self,
        loki: &mut dyn Ask,
        query: &str,
        first: i64,
        last: i64,
    ) -> Result<(Option<i64>, bool), LookUpError> {
        loop {
            let limit = self.limit;
            let question = Question { query, from_ns: first, to_ns: last.saturating_add(1), limit };
            match loki.ask(&question) {
                Ok(body) => {
                    let page = Page::read(&body).map_err(|why| LookUpError::Refused { why })?;
                    let newest = page.newest();
                    let full = page.lines() >= limit;
                    for (ns, line) in page.of(self.stream) {
                        self.mark(ns, line);
                    }
                    return Ok((newest, full));
                }
                Err(AskError::TooMuch) if limit > 1 => self.limit = limit.div_ceil(8),
                Err(AskError::TooMuch) => {
                    let why = "a single line is more than Loki can answer".to_owned();
                    return Err(LookUpError::Failed { why });
                }
                Err(AskError::Refused { why }) => return Err(LookUpError::Refused { why }),
                Err(AskError::Failed { why }) => return Err(LookUpError::Failed { why }),
            }
        }
    }

    fn mark(&mut self, ns: i64, line: &str) {
        let wanted = self.wanted.get(&ns).and_then(|lines| lines.get(line.as_bytes()));
        for index in wanted.into_iter().flatten() {
            self.held[*index] = true;
        }
    }

    fn is_held(&self, ns: i64, line: &[u8]) -> bool {
        let indexes = self.wanted.get(&ns).and_then(|lines| lines.get(line));
        indexes.is_some_and(|indexes| indexes.iter().all(|index| self.held[*index]))
    }

    /// The lines of this time that are not found yet.
    fn missing(&self, ns: i64) -> Vec<&'b [u8]> {
        let lines = self.wanted.get(&ns).into_iter().flatten();
        lines.map(|(line, _)| *line).filter(|line| !self.is_held(ns, line)).collect()
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
