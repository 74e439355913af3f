//! Lines for one append, and where the rings stand behind each of them.

use crate::ring::Position;

/// What is appended at once: whole lines, from one ring file.
#[derive(Default)]
pub(crate) struct Block {
    lines: Vec<u8>,
    marks: Vec<Mark>,
    /// Where the rings stand behind the last line.
    end: Vec<(usize, Position)>,
    /// Where they stood before the first.
    start: Vec<(usize, Position)>,
}

/// A step of a ring, and where the lines ended behind it.
struct Mark {
    end: usize,
    ring: usize,
    /// Where the ring stands behind it.
    position: Position,
    what: Step,
}

enum Step {
    Line,
    /// Records that cannot be read.
    Lost(u64),
}

impl Block {
    /// Begins anew, with rings that stand at `positions`.
    pub(crate) fn begin(&mut self, positions: impl Iterator<Item = (usize, Position)>) {
        self.lines.clear();
        self.marks.clear();
        self.start.clear();
        self.start.extend(positions);
        self.end.clear();
        self.end.extend_from_slice(&self.start);
    }

    /// Where the next line goes.
    pub(crate) fn lines_mut(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Notes that the lines up to here hold the records of `ring` up to `head`.
    /// `ring` is a place in the list given to [`Block::begin`].
    #[inline]
    pub(crate) fn mark(&mut self, ring: usize, head: u64, last_ns: i64) {
        self.step(ring, 1, Step::Line, |position| Position { head, last_ns, ..position });
    }

    /// Moves a ring's end past `records` that were damaged and became no lines.
    pub(crate) fn skip(&mut self, ring: usize, head: u64, records: u64) {
        self.step(ring, records, Step::Lost(records), |position| Position { head, ..position });
    }

    #[inline]
    fn step(&mut self, ring: usize, records: u64, what: Step, to: impl Fn(Position) -> Position) {
        if let Some((_, position)) = self.end.get_mut(ring) {
            *position = Position { records: position.records + records, ..to(*position) };
            self.marks.push(Mark { end: self.lines.len(), ring, position: *position, what });
        }
    }

    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Number of lines.
    pub(crate) fn count(&self) -> u64 {
        self.marks.iter().filter(|mark| matches!(mark.what, Step::Line)).count() as u64
    }

    /// Number of records that were skipped.
    pub(crate) fn lost(&self) -> u64 {
        let lost = |mark: &Mark| if let Step::Lost(records) = mark.what { records } else { 0 };
        self.marks.iter().map(lost).sum()
    }

    /// True when it neither holds a line nor moves a ring.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The rings' positions behind the last line.
    pub(crate) fn end(&self) -> &[(usize, Position)] {
        &self.end
    }

    /// Keeps the lines that end within the first `bytes` bytes, and the positions behind them.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let kept = self.marks.partition_point(|mark| mark.end <= bytes);
        self.marks.truncate(kept);
        self.lines.truncate(self.marks.last().map_or(0, |mark| mark.end));
        self.end.clear();
        self.end.extend_from_slice(&self.start);
        for mark in &self.marks {
            if let Some((_, position)) = self.end.get_mut(mark.ring) {
                *position = mark.position;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_knows_its_positions() {
        let mut block = Block::default();
        let at = |head, records, last_ns| Position { head, records, last_ns };
        block.begin([(4, at(100, 10, 0)), (9, at(0, 0, 0))].into_iter());
        for (ring, head, ns) in [(0, 140, 1), (1, 40, 2), (0, 180, 3)] {
            block.lines_mut().extend_from_slice(b"0123456789");
            block.mark(ring, head, ns);
        }
        assert_eq!(block.end(), [(4, at(180, 12, 3)), (9, at(40, 1, 2))]);
        block.keep(29);
        assert_eq!((block.lines().len(), block.count()), (20, 2));
        assert_eq!(block.end(), [(4, at(140, 11, 1)), (9, at(40, 1, 2))]);
        block.keep(9);
        assert!(block.is_empty());
    }

    #[test]
    fn what_was_skipped_is_counted_with_what_is_kept() {
        let mut block = Block::default();
        let at = |head, records| Position { head, records, last_ns: 5 };
        block.begin(std::iter::once((0, at(0, 0))));
        block.skip(0, 40, 1);
        block.lines_mut().extend_from_slice(b"0123456789");
        block.mark(0, 80, 5);
        block.lines_mut().extend_from_slice(b"0123456789");
        block.mark(0, 120, 5);
        block.skip(0, 400, 7);
        assert_eq!((block.count(), block.lost(), block.end()), (2, 8, &[(0, at(400, 10))][..]));
        block.keep(15);
        assert_eq!((block.count(), block.lost(), block.end()), (1, 1, &[(0, at(80, 2))][..]));
        block.keep(0);
        assert_eq!((block.count(), block.lost(), block.end()), (0, 1, &[(0, at(40, 1))][..]));
    }
}
