//! Which lines of a batch Loki holds, byte for byte and nanosecond for nanosecond.
//!
//! A nanosecond with more lines than a page is narrowed by filters (`narrow`). Of equal lines of one
//! nanosecond Loki shows one.

use std::collections::{BTreeMap, HashMap};

use super::ask::{Ask, LookUpError, Pager, Reading};
use super::batch::Batch;
use super::narrow::narrow;
use super::page::Page;
use super::stream::Stream;

/// Lines that lie further apart are asked for apart: what lies between them is not ours to read.
const MAX_GAP_NS: i64 = 60 * 1_000_000_000;

/// Which lines of a batch Loki holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Found {
    held: Vec<bool>,
}

impl Found {
    /// One answer for each line of the batch.
    pub(crate) fn new(held: Vec<bool>) -> Self {
        Self { held }
    }

    /// Whether Loki holds the line of this index. Of equal lines of one nanosecond Loki shows one:
    /// then it holds them all.
    pub(crate) fn holds(&self, index: usize) -> bool {
        self.held.get(index).copied().unwrap_or(false)
    }

    /// How many lines of the batch Loki holds.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.held.iter().filter(|held| **held).count()
    }
}

/// Which lines of the batch Loki holds.
pub(crate) fn look_up(loki: &mut dyn Ask, batch: &Batch) -> Result<Found, LookUpError> {
    let mut search = Search::new(batch);
    let bytes: usize = batch.lines().map(|(_, line)| line.len()).sum();
    let mut pager = Pager::new(bytes / batch.len().max(1));
    for range in search.ranges() {
        pager.read(loki, batch.stream().selector(), range, &mut search)?;
    }
    Ok(Found::new(search.held))
}

/// A look-up under way.
struct Search<'b> {
    stream: &'b Stream,
    /// The lines by time, each with its indexes: more than one when lines are equal.
    wanted: BTreeMap<i64, HashMap<&'b [u8], Vec<usize>>>,
    held: Vec<bool>,
}

impl<'b> Search<'b> {
    fn new(batch: &'b Batch) -> Self {
        let mut wanted: BTreeMap<i64, HashMap<&[u8], Vec<usize>>> = BTreeMap::new();
        for (index, (ns, line)) in batch.lines().enumerate() {
            wanted.entry(ns).or_default().entry(line).or_default().push(index);
        }
        Self { stream: batch.stream(), wanted, held: vec![false; batch.len()] }
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

impl Reading for Search<'_> {
    fn take(&mut self, page: &Page) {
        for (ns, line) in page.of(self.stream) {
            let wanted = self.wanted.get(&ns).and_then(|lines| lines.get(line.as_bytes()));
            for index in wanted.into_iter().flatten() {
                self.held[*index] = true;
            }
        }
    }

    /// Reads the lines that are wanted and not found yet, in groups that a filter tells apart.
    fn crowded(
        &mut self,
        loki: &mut dyn Ask,
        pager: &mut Pager,
        ns: i64,
    ) -> Result<(), LookUpError> {
        let missing = self.missing(ns);
        // Lines that are not ours share the filter: room for as many.
        let mut groups = narrow(missing, (pager.limit() / 2).max(1));
        while let Some(group) = groups.pop() {
            let query = format!("{}{}", self.stream.selector(), group.filter);
            let (page, full) = pager.page(loki, &query, (ns, ns))?;
            self.take(&page);
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
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
