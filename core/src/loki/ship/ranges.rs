//! A set of byte ranges.

use serde::{Deserialize, Serialize};

/// Byte ranges in order, none empty, none touching the next. In a file: `[[start, end], …]`.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(crate) struct Ranges {
    list: Vec<(u64, u64)>,
}

/// What somebody wrote into a file may be in any order.
impl From<Vec<(u64, u64)>> for Ranges {
    fn from(list: Vec<(u64, u64)>) -> Self {
        let mut ranges = Self::default();
        for (start, end) in list {
            ranges.insert(start, end);
        }
        ranges
    }
}

impl From<Ranges> for Vec<(u64, u64)> {
    fn from(ranges: Ranges) -> Self {
        ranges.list
    }
}

impl Ranges {
    /// Adds `start..end`.
    pub(crate) fn insert(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let from = self.list.partition_point(|range| range.1 < start);
        let to = self.list.partition_point(|range| range.0 <= end);
        if from == to {
            self.list.insert(from, (start, end));
            return;
        }
        let merged = (start.min(self.list[from].0), end.max(self.list[to - 1].1));
        self.list[from] = merged;
        self.list.drain(from + 1..to);
    }

    /// Takes `start..end` out.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        let from = self.list.partition_point(|range| range.1 <= start);
        let to = self.list.partition_point(|range| range.0 < end);
        if from >= to || start >= end {
            return;
        }
        let (first, last) = (self.list[from], self.list[to - 1]);
        let rests = [(first.0, start), (end, last.1)];
        self.list.splice(from..to, rests.into_iter().filter(|rest| rest.0 < rest.1));
    }

    /// The end of the range that holds the byte at `at`.
    pub(crate) fn end_at(&self, at: u64) -> Option<u64> {
        let next = self.list.partition_point(|range| range.1 <= at);
        self.list.get(next).filter(|range| range.0 <= at).map(|range| range.1)
    }

    /// The ranges in order: start, end.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.list.iter().copied()
    }

    /// How many ranges there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_set_of_bytes() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let (mut ranges, mut bytes) = (Ranges::default(), [false; 40]);
            for _ in 0..20 {
                let start = random(40);
                let end = (start + random(12)).min(40);
                let add = random(3) > 0;
                if add {
                    ranges.insert(start, end);
                } else {
                    ranges.remove(start, end);
                }
                (start..end).for_each(|at| bytes[usize::try_from(at).unwrap_or(0)] = add);
                let held = |at: u64| bytes.get(usize::try_from(at).unwrap_or(99)) == Some(&true);
                for at in 0..40 {
                    let end = held(at).then(|| (at..=40).find(|&to| !held(to))).flatten();
                    assert_eq!(ranges.end_at(at), end, "{at} in {ranges:?}");
                }
                let list: Vec<_> = ranges.iter().collect();
                assert!(list.iter().all(|range| range.0 < range.1), "{list:?}");
                assert!(list.windows(2).all(|pair| pair[0].1 < pair[1].0), "{list:?}");
                assert_eq!(Ranges::from(list.iter().rev().copied().collect::<Vec<_>>()), ranges);
            }
        }
    }
}
