//! What Loki lacks, in rows: lines of one stream that follow each other in one file.

use std::collections::{BTreeMap, HashMap};

use super::compare::Place;
use crate::loki::ship::ranges::Ranges;

/// A row of lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) first_line: u64,
    pub(super) last_line: u64,
    pub(super) lines: u64,
    pub(super) first_ns: i64,
    pub(super) last_ns: i64,
}

impl Row {
    fn join(&mut self, other: &Self) {
        self.first_line = self.first_line.min(other.first_line);
        self.last_line = self.last_line.max(other.last_line);
        self.lines += other.lines;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

/// All rows, by file and stream (their indexes), and where the lines of each file stand.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// By the numbers of their first and last lines among those of file and stream.
    rows: BTreeMap<(usize, usize), BTreeMap<u64, (u64, Row)>>,
    bytes: HashMap<usize, Ranges>,
}

impl Gaps {
    pub(super) fn add(&mut self, stream: usize, place: &Place) {
        let Place { spot, sequence, ns } = *place;
        self.bytes.entry(spot.file).or_default().insert(spot.start, spot.end);
        let rows = self.rows.entry((spot.file, stream)).or_default();
        let number = spot.number;
        let mut row =
            Row { first_line: number, last_line: number, lines: 1, first_ns: ns, last_ns: ns };
        let (mut first, mut last) = (sequence, sequence);
        if let Some((&before, &(end, joined))) = rows.range(..sequence).next_back()
            && end + 1 == sequence
        {
            first = before;
            row.join(&joined);
        }
        if let Some((end, joined)) = rows.remove(&(sequence + 1)) {
            last = end;
            row.join(&joined);
        }
        rows.insert(first, (last, row));
    }

    /// File, stream and row, in the order of the files.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, usize, Row)> {
        let all = self.rows.iter();
        all.flat_map(|((file, stream), rows)| {
            rows.values().map(move |(_, row)| (*file, *stream, *row))
        })
    }

    /// Where the lines of a file stand.
    pub(super) fn bytes(&self, file: usize) -> Option<&Ranges> {
        self.bytes.get(&file)
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::Spot;
    use super::*;

    #[test]
    fn neighbours_of_a_stream_are_one_gap_in_whatever_order_they_come() {
        // Lines 10, 12, 14, …, for a line of another stream stands between each two.
        let place = |sequence: u64| {
            let number = 8 + 2 * sequence;
            let spot = Spot { file: 0, number, start: number * 100, end: number * 100 + 50 };
            Place { spot, sequence, ns: i64::try_from(sequence).unwrap_or(0) }
        };
        let row = |first: u64, last: u64| {
            let ns = |n: u64| i64::try_from(n).unwrap_or(0);
            let (first_line, last_line) = (8 + 2 * first, 8 + 2 * last);
            let lines = last - first + 1;
            Row { first_line, last_line, lines, first_ns: ns(first), last_ns: ns(last) }
        };
        for order in [[1, 2, 3, 6, 7], [7, 6, 3, 2, 1], [3, 1, 7, 2, 6], [6, 3, 2, 7, 1]] {
            let mut gaps = Gaps::default();
            for sequence in order {
                gaps.add(5, &place(sequence));
            }
            gaps.add(4, &place(4));
            let found: Vec<_> = gaps.rows().collect();
            assert_eq!(found, [(0, 4, row(4, 4)), (0, 5, row(1, 3)), (0, 5, row(6, 7))]);
            let bytes: Vec<_> = gaps.bytes(0).into_iter().flat_map(Ranges::iter).collect();
            assert_eq!(bytes.len(), 6);
        }
    }
}
