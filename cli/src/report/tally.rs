//! Requests, or iterations, of one stretch of time: how many, how many failed, how long they took.

use sketches_ddsketch::{Config, DDSketch};

/// Of a percentile, relative.
pub(crate) const PERCENTILE_ERROR: f64 = 0.01;
/// Bins of 2 % each: these span 17 orders of magnitude.
const BINS: u32 = 2048;
/// What takes less counts as zero, milliseconds.
const SHORTEST_MS: f64 = 1e-6;

/// The percentiles of a report.
pub(crate) const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];
/// The tags that hold them in a summary.
const SUMMARY_TAGS: [&str; 4] = ["p50", "p90", "p95", "p99"];

/// What can be added up.
pub(crate) trait Merge: Default {
    fn merge(&mut self, other: &Self);
}

/// Requests or iterations, in memory that does not grow with them.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) failed: u64,
    durations: DDSketch,
    /// Where only summaries are known: milliseconds that the percentiles do not exceed.
    bounds: Option<[f64; QUANTILES.len()]>,
}

impl Default for Tally {
    fn default() -> Self {
        let durations = DDSketch::new(Config::new(PERCENTILE_ERROR, BINS, SHORTEST_MS));
        Self { count: 0, failed: 0, durations, bounds: None }
    }
}

impl Tally {
    /// One more that took so many milliseconds. What is no time is left out.
    pub(crate) fn took(&mut self, ms: f64) {
        if ms.is_finite() && ms >= 0.0 {
            self.durations.add(ms);
        }
    }

    /// A summary of `count` that took `average` milliseconds, with these percentiles.
    pub(crate) fn summary(&mut self, count: u64, average: f64, bounds: [f64; QUANTILES.len()]) {
        self.durations.add_with_count(average, count);
        self.widen(&bounds);
    }

    /// The percentile of a whole is never above the largest of its parts'.
    fn widen(&mut self, bounds: &[f64; QUANTILES.len()]) {
        let widest = self.bounds.get_or_insert([0.0; QUANTILES.len()]);
        for (widest, bound) in widest.iter_mut().zip(bounds) {
            *widest = widest.max(*bound);
        }
    }

    /// Milliseconds, within [`PERCENTILE_ERROR`]; of a summary, at most so much. Each is the smallest
    /// duration that at least this share of them does not exceed.
    pub(crate) fn percentiles(&self) -> Option<[f64; QUANTILES.len()]> {
        if self.bounds.is_some() {
            return self.bounds;
        }
        let (least, most) = (self.durations.min()?, self.durations.max()?);
        let at = |q| {
            let rank = of_rank(q, self.durations.count());
            self.durations.quantile(rank).ok().flatten().map(|value| value.clamp(least, most))
        };
        let mut found = [0.0; QUANTILES.len()];
        for (value, q) in found.iter_mut().zip(QUANTILES) {
            *value = at(q)?;
        }
        Some(found)
    }

    /// Milliseconds.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn mean(&self) -> Option<f64> {
        Some(self.durations.sum()? / self.durations.count() as f64)
    }

    /// Milliseconds; unknown of summaries.
    pub(crate) fn extremes(&self) -> Option<[f64; 2]> {
        if self.bounds.is_some() {
            return None;
        }
        Some([self.durations.min()?, self.durations.max()?])
    }
}

impl Merge for Tally {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        // Only sketches of different settings cannot be merged.
        let _ = self.durations.merge(&other.durations);
        if let Some(bounds) = &other.bounds {
            self.widen(bounds);
        }
    }
}

/// What to ask a sketch of `n` values for. It takes the value at `floor(q * (n - 1))`, which of few
/// values is one too low.
#[allow(clippy::cast_precision_loss)]
fn of_rank(q: f64, n: usize) -> f64 {
    let (n, last) = (n as f64, n.saturating_sub(1) as f64);
    // The product may be a hair above the whole number that it is.
    let rank = (q * n - 1e-9).ceil() - 1.0;
    if rank >= last { 1.0 } else { (rank + 0.5) / last }
}

/// The percentiles that a `metric_summary` of a trend holds; None where one is missing.
pub(crate) fn summarised(number: impl Fn(&str) -> Option<f64>) -> Option<[f64; QUANTILES.len()]> {
    let mut found = [0.0; QUANTILES.len()];
    for (value, name) in found.iter_mut().zip(SUMMARY_TAGS) {
        *value = number(name)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    use super::*;

    /// Durations from microseconds to minutes, without luck.
    fn durations(count: u64, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from((state >> 32) as u32) / 4_294_967_296.0
        };
        (0..count).map(|_| (next() * 18.0 - 7.0).exp() + next() * 3.0).collect()
    }

    fn within(found: f64, sorted: &[f64], q: f64) -> bool {
        // As the definition has it: enough are not above it.
        let enough = |rank: &usize| (rank + 1) as f64 >= q * sorted.len() as f64 - 1e-9;
        let rank = (0..sorted.len()).find(enough).unwrap();
        (found - sorted[rank]).abs() <= sorted[rank] * PERCENTILE_ERROR * 1.000_001
    }

    #[test]
    fn percentiles_are_within_their_error_whole_and_merged() {
        for (count, seed) in [(1, 1), (2, 2), (3, 3), (20, 6), (100, 4), (101, 7), (20_000, 5)] {
            let mut values = durations(count, seed);
            let (mut whole, mut parts) = (Tally::default(), vec![Tally::default(); 7]);
            for (i, value) in values.iter().enumerate() {
                whole.took(*value);
                parts[i % 7].took(*value);
            }
            let mut merged = Tally::default();
            for part in &parts {
                merged.merge(part);
            }
            values.sort_by(f64::total_cmp);
            for tally in [&whole, &merged] {
                for (found, q) in tally.percentiles().unwrap().into_iter().zip(QUANTILES) {
                    assert!(within(found, &values, q), "{count} values, quantile {q}: {found}");
                }
                assert_eq!(tally.extremes(), Some([values[0], values[values.len() - 1]]));
                let mean = values.iter().sum::<f64>() / count as f64;
                assert!((tally.mean().unwrap() - mean).abs() < mean * 1e-9);
            }
        }
    }

    #[test]
    fn what_is_no_time_is_left_out_and_zero_is_a_time() {
        let mut tally = Tally::default();
        assert_eq!((tally.percentiles(), tally.mean(), tally.extremes()), (None, None, None));
        for value in [f64::NAN, f64::INFINITY, -1.0] {
            tally.took(value);
        }
        assert_eq!(tally.percentiles(), None);
        tally.took(0.0);
        assert_eq!(tally.percentiles(), Some([0.0; 4]));
    }

    #[test]
    fn of_summaries_the_largest_percentile_bounds() {
        let mut tally = Tally::default();
        tally.summary(3, 10.0, [9.0, 12.0, 13.0, 14.0]);
        let mut other = Tally::default();
        other.summary(1, 2.0, [2.0, 2.0, 2.0, 20.0]);
        tally.merge(&other);
        assert_eq!(tally.percentiles(), Some([9.0, 12.0, 13.0, 20.0]));
        assert_eq!((tally.mean(), tally.extremes()), (Some(8.0), None));
    }
}
