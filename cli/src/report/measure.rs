//! What repetitions are measured by, and runs compared.

use serde::Serialize;

use super::activity::{Group, Repetitions};
use super::document::Read;
use super::statistics::{Ratio, Spread};

/// What repetitions are measured by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    RequestsPerSecond,
    Mean,
    P50,
    P90,
    P95,
    P99,
    /// Of 1.
    FailedShare,
    IterationsPerSecond,
    /// Seconds.
    Duration,
}

const MEASURES: [Measure; 9] = [
    Measure::RequestsPerSecond,
    Measure::Mean,
    Measure::P50,
    Measure::P90,
    Measure::P95,
    Measure::P99,
    Measure::FailedShare,
    Measure::IterationsPerSecond,
    Measure::Duration,
];

/// One workload in all runs.
#[derive(Debug, Serialize)]
pub(crate) struct Compared<'a> {
    workload: &'a str,
    measures: Vec<ComparedMeasure>,
}

#[derive(Debug, Serialize)]
struct ComparedMeasure {
    measure: Measure,
    /// By run; null where the run does not have it.
    spreads: Vec<Option<Spread>>,
    /// By further run, of the first one's.
    ratios: Vec<Option<Ratio>>,
}

/// Of a workload, over its repetitions.
pub(crate) fn spreads(all: &Repetitions<'_>) -> Vec<(Measure, Option<Spread>)> {
    MEASURES.into_iter().map(|measure| (measure, Spread::of(&values(all, measure)))).collect()
}

fn values(all: &Repetitions<'_>, measure: Measure) -> Vec<f64> {
    all.groups.iter().filter_map(|(_, group)| measured(measure, group)).collect()
}

#[allow(clippy::cast_precision_loss)]
fn measured(measure: Measure, group: &Group) -> Option<f64> {
    let total = group.requests.total();
    let percentile = |which: usize| total.percentiles().map(|found| found[which]);
    match measure {
        Measure::RequestsPerSecond => group.requests.span().per_second(total.count),
        Measure::Mean => total.mean(),
        Measure::P50 => percentile(0),
        Measure::P90 => percentile(1),
        Measure::P95 => percentile(2),
        Measure::P99 => percentile(3),
        Measure::FailedShare => (total.count > 0).then(|| total.failed as f64 / total.count as f64),
        Measure::IterationsPerSecond => {
            group.iterations.span().per_second(group.iterations.total().count)
        }
        Measure::Duration => group.span.seconds(),
    }
}

/// By workload, those of the first run first.
pub(crate) fn compare(runs: &[Read]) -> Vec<Compared<'_>> {
    let all: Vec<Vec<Repetitions<'_>>> =
        runs.iter().map(|read| read.survey.groups.sorted()).collect();
    let mut names: Vec<&str> = Vec::new();
    for workload in all.iter().flatten().map(|all| all.workload) {
        if !names.contains(&workload) {
            names.push(workload);
        }
    }
    let compared = |workload| {
        let of = |run: &Vec<Repetitions<'_>>, measure| {
            let found = run.iter().find(|all| all.workload == workload);
            found.map_or_else(Vec::new, |all| values(all, measure))
        };
        let measures = MEASURES.into_iter().map(|measure| {
            ComparedMeasure::new(
                measure,
                &all.iter().map(|run| of(run, measure)).collect::<Vec<_>>(),
            )
        });
        Compared { workload, measures: measures.collect() }
    };
    names.into_iter().map(compared).collect()
}

impl ComparedMeasure {
    /// `all`: what each run's repetitions were measured as.
    fn new(measure: Measure, all: &[Vec<f64>]) -> Self {
        let ratios = match (measure, all.split_first()) {
            // A share of 0 has no ratio, and one near it none that says anything.
            (Measure::FailedShare, _) | (_, None) => Vec::new(),
            (_, Some((first, others))) => {
                others.iter().map(|values| Ratio::of(values, first)).collect()
            }
        };
        Self { measure, spreads: all.iter().map(|values| Spread::of(values)).collect(), ratios }
    }
}
