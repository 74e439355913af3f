//! Lines for one append, and where the rings stand behind each of them.

use crate::ring::Position;

/// What is appended at once: whole lines, from one ring file.
#[derive(Default)]
pub(crate) struct Block {
    lines: Vec<u8>,
    marks: Vec<Mark>,
    skips: Vec<Skip>,
    /// Where the rings stand behind the last line.
    end: Vec<(usize, Position)>,
    /// Where they stood before the first.
    start: Vec<(usize, Position)>,
}

/// The end of a line and what its record's ring had given until then.
struct Mark {
    end: usize,
    ring: usize,
    head: u64,
    last_ns: i64,
}

/// Damaged records that were passed over.
struct Skip {
    /// How many lines come before them.
    behind: usize,
    ring: usize,
    head: u64,
    records: u64,
    damaged: u64,
}

impl Block {
    /// Begins anew, with rings that stand at `positions`.
    pub(crate) fn begin(&mut self, positions: impl Iterator<Item = (usize, Position)>) {
        self.lines.clear();
        self.marks.clear();
        self.skips.clear();
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
        self.marks.push(Mark { end: self.lines.len(), ring, head, last_ns });
        if let Some((_, position)) = self.end.get_mut(ring) {
            *position = Position { head, records: position.records + 1, last_ns };
        }
    }

    /// Moves a ring's end by `records` without a line; `damaged` of them can have been there.
    pub(crate) fn skip(&mut self, ring: usize, head: u64, records: u64, damaged: u64) {
        let skip = Skip { behind: self.marks.len(), ring, head, records, damaged };
        pass_over(&mut self.end, &skip);
        self.skips.push(skip);
    }

    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Number of lines.
    pub(crate) fn count(&self) -> u64 {
        self.marks.len() as u64
    }

    /// Number of records that were passed over because they were damaged.
    pub(crate) fn damaged(&self) -> u64 {
        self.skips.iter().map(|skip| skip.damaged).sum()
    }

    /// True when it neither holds a line nor moves a ring.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.start == self.end
    }

    /// The rings' positions behind the last line.
    pub(crate) fn end(&self) -> &[(usize, Position)] {
        &self.end
    }

    /// Keeps the lines that end within the first `bytes` bytes, what was passed over before the
    /// last of them, and the positions behind it.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let kept = self.marks.partition_point(|mark| mark.end <= bytes);
        self.marks.truncate(kept);
        self.lines.truncate(self.marks.last().map_or(0, |mark| mark.end));
        self.skips.retain(|skip| skip.behind < kept);
        self.end.clear();
        self.end.extend_from_slice(&self.start);
        let mut skips = self.skips.iter().peekable();
        for (lines, mark) in self.marks.iter().enumerate() {
            while let Some(skip) = skips.next_if(|skip| skip.behind <= lines) {
                pass_over(&mut self.end, skip);
            }
            if let Some((_, position)) = self.end.get_mut(mark.ring) {
                let records = position.records + 1;
                *position = Position { head: mark.head, records, last_ns: mark.last_ns };
            }
        }
    }
}

fn pass_over(positions: &mut [(usize, Position)], skip: &Skip) {
    if let Some((_, position)) = positions.get_mut(skip.ring) {
        position.head = skip.head;
        position.records += skip.records;
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
    fn what_is_passed_over_counts_once() {
        let at = |head, records, last_ns| Position { head, records, last_ns };
        let mut block = Block::default();
        let fill = |block: &mut Block| {
            block.begin([(4, at(100, 10, 0)), (9, at(0, 0, 0))].into_iter());
            block.skip(0, 108, 1, 1);
            block.lines_mut().extend_from_slice(b"0123456789");
            block.mark(0, 140, 1);
            block.skip(1, 800, 3, 2);
            block.skip(0, 148, 1, 1);
            block.lines_mut().extend_from_slice(b"0123456789");
            block.mark(0, 180, 3);
            block.skip(0, 188, 1, 1);
        };
        fill(&mut block);
        assert_eq!((block.count(), block.damaged()), (2, 5));
        assert_eq!(block.end(), [(4, at(188, 15, 3)), (9, at(800, 3, 0))]);
        block.keep(20);
        assert_eq!((block.count(), block.damaged()), (2, 4));
        assert_eq!(block.end(), [(4, at(180, 14, 3)), (9, at(800, 3, 0))]);
        fill(&mut block);
        block.keep(19);
        assert_eq!((block.count(), block.damaged()), (1, 1));
        assert_eq!(block.end(), [(4, at(140, 12, 1)), (9, at(0, 0, 0))]);
        block.keep(0);
        assert!(block.is_empty() && block.damaged() == 0);
    }
}
