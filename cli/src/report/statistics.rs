//! What repetitions come to: mean, spread, and how far to trust them.

use distrs::StudentsT;
use serde::Serialize;

/// Of all intervals of confidence.
const CONFIDENCE: f64 = 0.95;

/// Some measurements of the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) n: usize,
    pub(crate) mean: f64,
    /// The standard deviation of a sample (n - 1); None for one value.
    pub(crate) deviation: Option<f64>,
    /// The mean's 95 % confidence interval, by Student's t; None for one value.
    pub(crate) interval: Option<[f64; 2]>,
}

impl Spread {
    /// None without values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let moments = Moments::of(values)?;
        let interval = moments.variance.map(|variance| {
            let half = quantile(moments.n - 1.0) * (variance / moments.n).sqrt();
            [moments.mean - half, moments.mean + half]
        });
        let deviation = moments.variance.map(f64::sqrt);
        Some(Self { n: values.len(), mean: moments.mean, deviation, interval })
    }
}

/// How many times as large some measurements are as others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// Of the geometric means.
    pub(crate) ratio: f64,
    /// Its 95 % confidence interval, by Welch's t on the logarithms; None where a side has only
    /// one value.
    pub(crate) interval: Option<[f64; 2]>,
}

impl Ratio {
    /// None unless both sides have values, all of them above zero.
    pub(crate) fn of(values: &[f64], baseline: &[f64]) -> Option<Self> {
        let (above, below) =
            (Moments::of(&logarithms(values)?)?, Moments::of(&logarithms(baseline)?)?);
        let difference = above.mean - below.mean;
        let interval = above.variance.zip(below.variance).map(|(a, b)| {
            let (a, b) = (a / above.n, b / below.n);
            let half = if a + b > 0.0 {
                // Welch and Satterthwaite; with two values a side it can fall to 1, not below.
                let freedom = (a + b).powi(2) / (a * a / (above.n - 1.0) + b * b / (below.n - 1.0));
                quantile(freedom) * (a + b).sqrt()
            } else {
                0.0
            };
            [(difference - half).exp(), (difference + half).exp()]
        });
        Some(Self { ratio: difference.exp(), interval })
    }
}

fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    values.iter().map(|value| (*value > 0.0).then(|| value.ln())).collect()
}

struct Moments {
    n: f64,
    mean: f64,
    variance: Option<f64>,
}

impl Moments {
    #[allow(clippy::cast_precision_loss)]
    fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { n, mean, variance: (values.len() > 1).then(|| squares / (n - 1.0)) })
    }
}

/// Of Student's t, two-sided.
fn quantile(freedom: f64) -> f64 {
    StudentsT::ppf(f64::midpoint(1.0, CONFIDENCE), freedom.max(1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-3 * expected.abs().max(1e-9)
    }

    #[test]
    fn quantiles_of_the_published_table() {
        for (freedom, expected) in [
            (1.0, 12.7062),
            (2.0, 4.302_65),
            (3.0, 3.182_45),
            (4.0, 2.776_45),
            (9.0, 2.262_16),
            (29.0, 2.045_23),
            (100.0, 1.983_97),
            (1e6, 1.959_97),
        ] {
            assert!(near(quantile(freedom), expected), "{freedom}: {}", quantile(freedom));
        }
    }

    #[test]
    fn a_mean_and_its_interval() {
        // R: t.test(c(10, 12, 11, 13, 14)) says 12, from 10.03676 to 13.96324.
        let spread = Spread::of(&[10.0, 12.0, 11.0, 13.0, 14.0]).unwrap();
        assert!(near(spread.mean, 12.0) && near(spread.deviation.unwrap(), 2.5f64.sqrt()));
        let [low, high] = spread.interval.unwrap();
        assert!(near(low, 10.036_76) && near(high, 13.963_24), "{low} {high}");
        let one = Spread::of(&[3.0]).unwrap();
        assert_eq!((one.n, one.mean, one.deviation, one.interval), (1, 3.0, None, None));
        assert_eq!(Spread::of(&[]), None);
        let same = Spread::of(&[2.0, 2.0]).unwrap();
        assert_eq!((same.deviation, same.interval), (Some(0.0), Some([2.0, 2.0])));
    }

    #[test]
    fn a_ratio_and_its_interval() {
        // exp() of Welch's t-test on logarithms, worked by hand: means of ln 3.688879 and 2.995732,
        // variances 0.0415, 0.0415 (each side is ±20 % about its mean), freedom 4.
        let ratio = Ratio::of(&[32.0, 40.0, 50.0], &[16.0, 20.0, 25.0]).unwrap();
        assert!(near(ratio.ratio, 2.0), "{ratio:?}");
        let half = 2.776_45 * (2.0 * 1.25f64.ln().powi(2) / 3.0).sqrt();
        let [low, high] = ratio.interval.unwrap();
        assert!(near(low, 2.0 * (-half).exp()) && near(high, 2.0 * half.exp()), "{low} {high}");
        assert_eq!(Ratio::of(&[0.0, 1.0], &[1.0, 1.0]), None);
        assert_eq!(Ratio::of(&[], &[1.0]), None);
        assert_eq!(Ratio::of(&[3.0], &[1.0, 2.0]).unwrap().interval, None);
        assert_eq!(Ratio::of(&[2.0, 2.0], &[1.0, 1.0]).unwrap().interval, Some([2.0, 2.0]));
    }

    /// What a confidence interval promises: it holds the true value in 95 of 100 cases.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut state = 7u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 32).unwrap()) / 4_294_967_296.0
        };
        // Twelve uniform numbers less six: as good as normal.
        let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        let (mut held, mut ratios) = (0, 0);
        for _ in 0..4000 {
            let mut several = |scale: f64| [0; 4].map(|_| scale * (0.05 * normal()).exp());
            let (a, b) = (several(100.0), several(50.0));
            let [low, high] = Ratio::of(&a, &b).unwrap().interval.unwrap();
            ratios += i32::from(low <= 2.0 && 2.0 <= high);
            let values = [0; 4].map(|_| 100.0 + normal());
            let [low, high] = Spread::of(&values).unwrap().interval.unwrap();
            held += i32::from(low <= 100.0 && 100.0 <= high);
        }
        // Four standard deviations of so many trials.
        for count in [held, ratios] {
            assert!((3745..=3868).contains(&count), "{held} {ratios} of 4000");
        }
    }
}
