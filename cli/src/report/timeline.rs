//! Something over time, in a bounded number of buckets whose width adapts to how long it lasts.

use std::collections::BTreeMap;

use super::tally::Merge;

/// Widths that a bucket may have, milliseconds: each divides the next, so that buckets can be
/// joined, and bounds are round times of day.
pub(crate) const WIDTHS_MS: [i64; 14] = [
    100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
    21_600_000, 43_200_000, 86_400_000,
];
const MS: i64 = 1_000_000;

/// Buckets by time. Empty ones cost nothing, so that one record of another year does no harm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline<T> {
    /// An index into [`WIDTHS_MS`].
    width: usize,
    buckets: BTreeMap<i64, T>,
}

impl<T: Merge> Timeline<T> {
    /// Milliseconds.
    pub(crate) fn width_ms(&self) -> i64 {
        WIDTHS_MS[self.width]
    }

    pub(crate) fn len(&self) -> usize {
        self.buckets.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// The bucket of a moment, in nanoseconds since 1970.
    pub(crate) fn at(&mut self, ns: i64) -> &mut T {
        self.buckets.entry(ns.div_euclid(self.width_ms() * MS)).or_default()
    }

    /// Makes buckets wider until there are at most so many. The widest stay as they are.
    pub(crate) fn limit(&mut self, most: usize) {
        while self.buckets.len() > most && self.widen() {}
    }

    /// Makes buckets at least so wide, milliseconds.
    pub(crate) fn at_least(&mut self, ms: i64) {
        while self.width_ms() < ms && self.widen() {}
    }

    fn widen(&mut self) -> bool {
        let Some(wider) = WIDTHS_MS.get(self.width + 1) else { return false };
        let times = wider / self.width_ms();
        for (index, bucket) in std::mem::take(&mut self.buckets) {
            self.buckets.entry(index.div_euclid(times)).or_default().merge(&bucket);
        }
        self.width += 1;
        true
    }

    /// Adds up both; the wider buckets are the result's.
    pub(crate) fn merge(&mut self, mut other: Self) {
        self.at_least(other.width_ms());
        other.at_least(self.width_ms());
        for (index, bucket) in other.buckets {
            self.buckets.entry(index).or_default().merge(&bucket);
        }
    }

    /// Where each bucket begins, in milliseconds since 1970, and what it holds; in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        self.buckets.iter().map(|(index, bucket)| (index * self.width_ms(), bucket))
    }

    /// All of it.
    pub(crate) fn total(&self) -> T {
        let mut total = T::default();
        self.buckets.values().for_each(|bucket| total.merge(bucket));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Merge for u64 {
        fn merge(&mut self, other: &Self) {
            *self += other;
        }
    }

    #[test]
    fn widths_divide_each_other() {
        assert!(WIDTHS_MS.windows(2).all(|pair| pair[1] % pair[0] == 0 && pair[1] > pair[0]));
    }

    #[test]
    fn nothing_is_lost_when_buckets_become_wider() {
        let mut timeline: Timeline<u64> = Timeline::default();
        // A sample each 73 ms for 20 minutes, and one of before 1970.
        let moments: Vec<i64> = (0..16_438).map(|i| 1_795_342_272_000 * MS + i * 73 * MS).collect();
        for ns in moments.iter().chain(&[-5]) {
            *timeline.at(*ns) += 1;
            timeline.limit(600);
        }
        assert_eq!((timeline.width_ms(), timeline.total()), (5000, 16_439));
        assert_eq!(timeline.iter().next(), Some((-5000, &1)));
        for (start, count) in timeline.iter() {
            let inside = |ns: &&i64| (start * MS..(start + 5000) * MS).contains(*ns);
            assert_eq!(moments.iter().chain(&[-5]).filter(inside).count() as u64, *count);
        }
        timeline.limit(0);
        assert_eq!((timeline.width_ms(), timeline.total()), (86_400_000, 16_439));
    }

    #[test]
    fn two_are_added_at_the_wider_width() {
        let (mut fine, mut coarse): (Timeline<u64>, Timeline<u64>) = Default::default();
        for second in 0..30 {
            *fine.at(second * 1000 * MS) += 1;
            *coarse.at(second * 1000 * MS) += 10;
        }
        coarse.at_least(7000);
        for (a, b) in [(fine.clone(), coarse.clone()), (coarse, fine)] {
            let mut sum = a;
            sum.merge(b);
            assert_eq!(sum.iter().collect::<Vec<_>>(), [(0, &110), (10_000, &110), (20_000, &110)]);
        }
    }
}
