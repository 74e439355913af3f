//! What the page is given: one JSON document, with times in milliseconds since 1970.

use serde::Serialize;

use super::activity::{Activity, Group, Repetitions, Span};
use super::facts::{Command, Hole, Phase, Process, Threshold};
use super::input::File;
use super::measure::{self, Compared, Measure};
use super::messages::Entry;
use super::statistics::Spread;
use super::survey::{OwnMetric, Survey};
use super::tally::{Merge as _, PERCENTILE_ERROR, QUANTILES, Tally};
use super::timeline::{Timeline, WIDTHS_MS};
use super::volume::{LEVELS, Lines, Source};

/// Buckets of the timelines that add up a workload's repetitions, at most, in a whole report.
const OVERVIEW_BUCKETS: usize = 6000;

/// A report.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    version: &'static str,
    made: i64,
    percentile_error: f64,
    levels: [&'static str; LEVELS.len()],
    /// Widths that buckets may have, milliseconds.
    widths: [i64; WIDTHS_MS.len()],
    runs: Vec<Run<'a>>,
    /// Several runs beside the first: by workload and measure.
    comparison: Vec<Compared<'a>>,
}

/// A run that was read.
pub(crate) struct Read {
    /// As it was asked for.
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) survey: Survey,
    pub(crate) files: Vec<File>,
    pub(crate) problems: Vec<String>,
    /// Of living processes: records in their rings, dropped, rejected.
    pub(crate) living: [u64; 3],
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    name: &'a str,
    path: &'a str,
    ids: &'a [String],
    records: u64,
    span: Option<[i64; 2]>,
    files: &'a [File],
    problems: &'a [String],
    living: [u64; 3],
    processes: Vec<&'a Process>,
    /// All workloads as one; None where there is nothing.
    all_requests: Option<Total>,
    all_iterations: Option<Total>,
    workloads: Vec<Workload<'a>>,
    overflowed: bool,
    requests: Vec<Request<'a>>,
    checks: Vec<(&'a str, &'a str, [u64; 2])>,
    metrics: Vec<([&'a str; 4], &'a OwnMetric)>,
    thresholds: &'a [Threshold],
    phases: Vec<Phase>,
    commands: &'a [Command],
    holes: &'a [Hole],
    facts_left_out: u64,
    event_types: Vec<(&'a str, u64)>,
    sources: Vec<LogSource<'a>>,
    volumes: Vec<Volume<'a>>,
    messages: Vec<&'a Entry>,
    messages_left_out: [u64; 2],
}

/// A workload, with its repetitions.
#[derive(Debug, Serialize)]
struct Workload<'a> {
    name: &'a str,
    repetitions: Vec<Repetition>,
    /// All repetitions as one; None where there is only one.
    requests: Option<Series>,
    iterations: Option<Series>,
    /// Over the repetitions, by measure.
    measures: Vec<(Measure, Option<Spread>)>,
}

#[derive(Debug, Serialize)]
struct Repetition {
    number: u64,
    span: Option<[i64; 2]>,
    requests: Option<Series>,
    iterations: Option<Series>,
    checks: [u64; 2],
    lines: u64,
    errors: u64,
    warnings: u64,
}

/// Requests or iterations: as a whole, and over time.
#[derive(Debug, Serialize)]
struct Series {
    span: Option<[i64; 2]>,
    per_second: Option<f64>,
    #[serde(flatten)]
    whole: Whole,
    /// Of a bucket, milliseconds.
    width: i64,
    /// Where the first bucket begins; the others by how many widths behind it.
    start: i64,
    at: Vec<i64>,
    counts: Vec<u64>,
    /// Empty where nothing failed.
    failures: Vec<u64>,
    /// By quantile.
    percentiles: [Vec<Option<f64>>; QUANTILES.len()],
}

/// Milliseconds.
#[derive(Debug, Serialize)]
struct Whole {
    count: u64,
    failed: u64,
    mean: Option<f64>,
    percentiles_ms: Option<[f64; QUANTILES.len()]>,
    extremes: Option<[f64; 2]>,
    /// Only summaries are known: percentiles are bounds.
    summary: bool,
}

/// Requests or iterations of all workloads and repetitions.
#[derive(Debug, Serialize)]
struct Total {
    per_second: Option<f64>,
    #[serde(flatten)]
    whole: Whole,
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    names: [&'a str; 4],
    #[serde(flatten)]
    whole: Whole,
}

#[derive(Debug, Serialize)]
struct LogSource<'a> {
    component: &'a str,
    host: &'a str,
    levels: [u64; LEVELS.len()],
    measurements: u64,
    span: Option<[i64; 2]>,
}

#[derive(Debug, Serialize)]
struct Volume<'a> {
    component: &'a str,
    width: i64,
    start: i64,
    at: Vec<i64>,
    /// Errors, warnings, others.
    lines: Vec<[u64; 3]>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(runs: &'a [Read], made: i64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            made,
            percentile_error: PERCENTILE_ERROR,
            levels: LEVELS,
            widths: WIDTHS_MS,
            runs: runs.iter().map(|read| Run::new(read, runs.len())).collect(),
            comparison: if runs.len() > 1 { measure::compare(runs) } else { Vec::new() },
        }
    }
}

impl<'a> Run<'a> {
    fn new(read: &'a Read, share: usize) -> Self {
        let survey = &read.survey;
        let workloads = survey.groups.sorted();
        let most = OVERVIEW_BUCKETS / share.max(1) / workloads.len().max(1);
        let request = |(names, activity): ([&'a str; 4], &Activity)| Request {
            names,
            whole: Whole::of(activity),
        };
        Self {
            name: &read.name,
            path: &read.path,
            ids: &survey.run_ids,
            records: survey.records,
            span: survey.span.ms(),
            files: &read.files,
            problems: &read.problems,
            living: read.living,
            processes: survey.facts.processes.values().collect(),
            all_requests: Total::new(&workloads, |group| &group.requests),
            all_iterations: Total::new(&workloads, |group| &group.iterations),
            workloads: workloads.iter().map(|all| Workload::new(all, most)).collect(),
            overflowed: survey.groups.overflowed(),
            requests: survey.requests_by_name().into_iter().map(request).collect(),
            checks: survey
                .checks
                .sorted()
                .into_iter()
                .map(|([w, name], n)| (w, name, *n))
                .collect(),
            metrics: survey.metrics.sorted(),
            thresholds: &survey.facts.thresholds,
            phases: survey.facts.phases(),
            commands: &survey.facts.commands,
            holes: &survey.facts.holes,
            facts_left_out: survey.facts.left_out,
            event_types: survey
                .volume
                .event_types
                .sorted()
                .into_iter()
                .map(|([n], c)| (n, *c))
                .collect(),
            sources: survey.volume.sources.sorted().into_iter().map(LogSource::new).collect(),
            volumes: survey
                .volume
                .timelines
                .iter()
                .map(|(name, lines)| Volume::new(name, lines))
                .collect(),
            messages: survey.messages.sorted(),
            messages_left_out: survey.messages.left_out,
        }
    }
}

impl Total {
    fn new(workloads: &[Repetitions<'_>], of: fn(&Group) -> &Activity) -> Option<Self> {
        let (mut total, mut span, mut summary) = (Tally::default(), Span::default(), false);
        for activity in workloads.iter().flat_map(|all| &all.groups).map(|(_, group)| of(group)) {
            total.merge(&activity.total());
            span.join(activity.span());
            summary |= activity.is_summary();
        }
        let whole = Whole::new(&total, summary);
        (total.count > 0).then(|| Self { per_second: span.per_second(total.count), whole })
    }
}

impl<'a> Workload<'a> {
    fn new(all: &Repetitions<'a>, most_buckets: usize) -> Self {
        let Repetitions { workload, groups } = all;
        let joined = |of: fn(&Group) -> &Activity| {
            let mut sum = Activity::default();
            for (_, group) in groups {
                sum.merge(of(group));
            }
            sum.limit(most_buckets.max(20));
            Series::new(sum).filter(|_| groups.len() > 1)
        };
        Self {
            name: workload,
            requests: joined(|group| &group.requests),
            iterations: joined(|group| &group.iterations),
            measures: measure::spreads(all),
            repetitions: groups
                .iter()
                .map(|(number, group)| Repetition::new(*number, group))
                .collect(),
        }
    }
}

impl Repetition {
    fn new(number: u64, group: &Group) -> Self {
        Self {
            number,
            span: group.span.ms(),
            requests: Series::new(group.requests.clone()),
            iterations: Series::new(group.iterations.clone()),
            checks: [group.checks_passed, group.checks_failed],
            lines: group.lines,
            errors: group.errors,
            warnings: group.warnings,
        }
    }
}

impl Series {
    /// None where there is nothing.
    fn new(mut activity: Activity) -> Option<Self> {
        activity.smooth();
        let timeline: &Timeline<Tally> = activity.timeline();
        let (start, _) = timeline.iter().next()?;
        let width = timeline.width_ms();
        let whole = Whole::of(&activity);
        let mut series = Self {
            span: activity.span().ms(),
            per_second: activity.span().per_second(whole.count),
            whole,
            width,
            start,
            at: Vec::new(),
            counts: Vec::new(),
            failures: Vec::new(),
            percentiles: Default::default(),
        };
        for (at, tally) in timeline.iter() {
            series.at.push((at - start) / width);
            series.counts.push(tally.count);
            if series.whole.failed > 0 {
                series.failures.push(tally.failed);
            }
            let found = tally.percentiles();
            for (i, list) in series.percentiles.iter_mut().enumerate() {
                list.push(found.map(|found| rounded(found[i])));
            }
        }
        Some(series)
    }
}

impl Whole {
    fn of(activity: &Activity) -> Self {
        Self::new(&activity.total(), activity.is_summary())
    }

    fn new(total: &Tally, summary: bool) -> Self {
        Self {
            count: total.count,
            failed: total.failed,
            mean: total.mean().map(rounded),
            percentiles_ms: total.percentiles().map(|found| found.map(rounded)),
            extremes: total.extremes().map(|found| found.map(rounded)),
            summary,
        }
    }
}

impl<'a> LogSource<'a> {
    fn new(([component, host], source): ([&'a str; 2], &'a Source)) -> Self {
        let Source { levels, measurements, span } = *source;
        Self { component, host, levels, measurements, span: span.ms() }
    }
}

impl<'a> Volume<'a> {
    fn new(component: &'a str, lines: &Timeline<Lines>) -> Self {
        let start = lines.iter().next().map_or(0, |(start, _)| start);
        let width = lines.width_ms();
        let at = lines.iter().map(|(at, _)| (at - start) / width).collect();
        Self {
            component,
            width,
            start,
            at,
            lines: lines.iter().map(|(_, lines)| lines.0).collect(),
        }
    }
}

/// To four digits: percentiles are not known better.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    #[allow(clippy::cast_possible_truncation)]
    let digits = (3.0 - value.abs().log10().floor()) as i32;
    let scale = 10f64.powi(digits.clamp(-300, 300));
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits() {
        for (value, expected) in [
            (0.0, 0.0),
            (123_456.0, 123_500.0),
            (0.001_234_56, 0.001_235),
            (9999.6, 10_000.0),
            (12.0, 12.0),
        ] {
            assert!((rounded(value) - expected).abs() < 1e-12, "{value}: {}", rounded(value));
        }
    }
}
