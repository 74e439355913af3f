//! All that a report wants to know of one run, gathered record by record in bounded memory.

use serde::Serialize;

use super::activity::{Activity, Groups, Named, Span};
use super::facts::Facts;
use super::messages::{Messages, short};
use super::record::{Record, Severity, Value};
use super::tally::{Tally, summarised};
use super::volume::Volume;

/// How many records may come between two looks at the bounds.
const TIDY_EVERY: u64 = 4096;
/// Runs whose records are found in one folder, at most.
const MOST_RUN_IDS: usize = 20;

/// A metric that the script made.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct OwnMetric {
    kind: String,
    values: Vec<(String, f64)>,
}

/// A run, as far as it was read.
pub(crate) struct Survey {
    pub(crate) records: u64,
    pub(crate) span: Span,
    pub(crate) run_ids: Vec<String>,
    pub(crate) groups: Groups,
    /// By workload, scenario, method and name.
    requests: Named<4, Activity>,
    /// The same, where only summaries are known.
    summed_requests: Named<4, Activity>,
    /// Checks by workload and name: passed, failed.
    pub(crate) checks: Named<2, [u64; 2]>,
    /// k6's last word on metrics of the script, by workload, repetition, scenario and metric.
    pub(crate) metrics: Named<4, OwnMetric>,
    pub(crate) facts: Facts,
    pub(crate) volume: Volume,
    pub(crate) messages: Messages,
}

impl Survey {
    /// `share`: how many runs share a report.
    pub(crate) fn new(share: usize) -> Self {
        Self {
            records: 0,
            span: Span::default(),
            run_ids: Vec::new(),
            groups: Groups::default(),
            requests: Named::default(),
            summed_requests: Named::default(),
            checks: Named::default(),
            metrics: Named::default(),
            facts: Facts::default(),
            volume: Volume::default(),
            messages: Messages::new(share),
        }
    }

    pub(crate) fn add(&mut self, record: &Record<'_>) {
        self.records += 1;
        self.span.see(record.at_ns, record.at_ns);
        let known = self.run_ids.iter().any(|id| *id == record.run_id);
        if !known && self.run_ids.len() < MOST_RUN_IDS {
            self.run_ids.push(short(&record.run_id, 255));
        }
        let group = self.groups.group(&record.workload, record.repetition);
        group.span.see(record.at_ns, record.at_ns);
        if !record.is_measurement() {
            group.lines += 1;
            match record.severity() {
                Severity::Error => group.errors += 1,
                Severity::Warning => group.warnings += 1,
                Severity::Other => {}
            }
        }
        match &*record.event_type {
            "http_req" => self.request(record),
            "iteration" => {
                group.iterations.ended(record.at_ns, record.tags.number("duration_ms"), false);
            }
            "check" => self.check(record, record.tags.text("check"), record.tags.is_true("passed")),
            "metric" => self.metric(record),
            "metric_summary" => self.summary(record),
            _ => self.facts.add(record),
        }
        self.volume.add(record);
        self.messages.add(record);
        if self.records.is_multiple_of(TIDY_EVERY) {
            self.groups.tidy();
        }
    }

    fn request(&mut self, record: &Record<'_>) {
        let tags = &record.tags;
        let (took, failed) = (tags.number("duration_ms"), tags.is_true("failed"));
        self.both(record, |requests| requests.ended(record.at_ns, took, failed));
    }

    /// The requests of the record's repetition, and those of its name.
    fn both(&mut self, record: &Record<'_>, apply: impl Fn(&mut Activity)) {
        apply(&mut self.groups.group(&record.workload, record.repetition).requests);
        let text = |name| record.tags.text(name).unwrap_or_default();
        let names = [&*record.workload, scenario(record), text("method"), text("name")];
        let sums_up = record.event_type == "metric_summary";
        let all = if sums_up { &mut self.summed_requests } else { &mut self.requests };
        let row = all.row(names);
        apply(row);
        // Only its total is shown.
        row.limit(1);
    }

    /// Requests by workload, scenario, method and name.
    pub(crate) fn requests_by_name(&self) -> Vec<([&str; 4], &Activity)> {
        let single = self.requests.sorted();
        if single.is_empty() { self.summed_requests.sorted() } else { single }
    }

    fn check(&mut self, record: &Record<'_>, name: Option<&str>, passed: bool) {
        self.checks.row([&record.workload, name.unwrap_or_default()])[usize::from(!passed)] += 1;
        let group = self.groups.group(&record.workload, record.repetition);
        if passed {
            group.checks_passed += 1;
        } else {
            group.checks_failed += 1;
        }
    }

    /// One sample, where requests and iterations have no record of their own (`samples = raw`).
    fn metric(&mut self, record: &Record<'_>) {
        let Some(value) = record.tags.number("value") else { return };
        let (at, whole) = (record.at_ns, record.tags.count("value"));
        match record.tags.text("metric").unwrap_or_default() {
            "http_reqs" => self.both(record, |requests| requests.sample(at, whole, None, 0)),
            "http_req_duration" => {
                self.both(record, |requests| requests.sample(at, 0, Some(value), 0));
            }
            "http_req_failed" => {
                let failed = u64::from(value != 0.0);
                self.both(record, |requests| requests.sample(at, 0, None, failed));
            }
            "iterations" => self.iterations(record).sample(at, whole, None, 0),
            "iteration_duration" => self.iterations(record).sample(at, 0, Some(value), 0),
            "checks" => self.check(record, record.tags.text("check"), value != 0.0),
            _ => {}
        }
    }

    fn iterations(&mut self, record: &Record<'_>) -> &mut Activity {
        &mut self.groups.group(&record.workload, record.repetition).iterations
    }

    /// What k6 sums up, for runs that recorded nothing else, and of the script's own metrics.
    fn summary(&mut self, record: &Record<'_>) {
        let tags = &record.tags;
        let metric = tags.text("metric").unwrap_or_default();
        let (last, window) = (tags.is_true("final"), tags.number("window_ms").unwrap_or(0.0));
        let add = |tally: &mut Tally| match (
            metric,
            summarised(|name| tags.number(name)),
            tags.number("avg"),
        ) {
            ("http_req_duration" | "iteration_duration", Some(bounds), Some(average)) => {
                tally.summary(tags.count("count"), average, bounds);
            }
            ("http_reqs" | "iterations", ..) => tally.count += tags.count("sum"),
            ("http_req_failed", ..) => tally.failed += tags.count("passes"),
            _ => {}
        };
        match metric {
            "http_reqs" | "http_req_duration" | "http_req_failed" => {
                self.both(record, |requests| requests.summary(record.at_ns, window, last, add));
            }
            "iterations" | "iteration_duration" => {
                self.iterations(record).summary(record.at_ns, window, last, add);
            }
            _ if last && !is_of_k6(metric) => self.own_metric(record, metric),
            _ => {}
        }
    }

    fn own_metric(&mut self, record: &Record<'_>, metric: &str) {
        let repetition = record.repetition.to_string();
        let row = self.metrics.row([&record.workload, &repetition, scenario(record), metric]);
        // Several k6 each say it of their part: the last word stands.
        *row = OwnMetric::default();
        for (name, value) in record.tags.iter() {
            match (&**name, value) {
                ("type", Value::Text(kind)) => row.kind = short(kind, 100),
                ("window_ms" | "percentile_error", _) => {}
                (name, Value::Number(number)) if row.values.len() < 12 => {
                    row.values.push((short(name, 40), *number));
                }
                _ => {}
            }
        }
    }
}

fn scenario<'r>(record: &'r Record<'_>) -> &'r str {
    record.scenario.as_deref().unwrap_or_default()
}

/// Whether k6 measures it whatever the script does.
fn is_of_k6(metric: &str) -> bool {
    const OURS: [&str; 7] = [
        "vus",
        "vus_max",
        "checks",
        "data_sent",
        "data_received",
        "dropped_iterations",
        "group_duration",
    ];
    metric.starts_with("http_req") || OURS.contains(&metric)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::record::tests::line;
    use super::*;

    fn add(survey: &mut Survey, at: u32, event_type: &str, tags: &str) {
        add_line(survey, &line(at, "INFO", event_type, "m", tags));
    }

    fn add_line(survey: &mut Survey, line: &str) {
        survey.add(&Record::of_line(line.as_bytes()).unwrap());
    }

    fn requests(survey: &mut Survey) -> (Tally, Option<f64>) {
        let requests = &survey.groups.group("w", 2).requests;
        (requests.total(), requests.span().seconds())
    }

    #[test]
    fn requests_are_counted_alike_whatever_was_recorded_of_them() {
        let (mut compact, mut raw) = (Survey::new(1), Survey::new(1));
        for at in 10..20u32 {
            let (ms, failed) = (f64::from(at) * 10.0, at > 17);
            let named = r#""name":"n","method":"GET""#;
            let tags = format!(r#"{named},"duration_ms":{ms},"failed":{failed}"#);
            add(&mut compact, at, "http_req", &tags);
            let number = u8::from(failed).to_string();
            for (metric, value) in [
                ("http_reqs", "1"),
                ("http_req_duration", &ms.to_string()),
                ("http_req_failed", &number),
            ] {
                add(
                    &mut raw,
                    at,
                    "metric",
                    &format!(r#"{named},"metric":"{metric}","value":{value}"#),
                );
            }
        }
        for survey in [&mut compact, &mut raw] {
            let (total, seconds) = requests(survey);
            assert_eq!((total.count, total.failed), (10, 2));
            assert!((total.mean().unwrap() - 145.0).abs() < 1e-9);
            assert_eq!(total.extremes(), Some([100.0, 190.0]));
            // The first began 100 ms before its record.
            assert!((seconds.unwrap() - 9.1).abs() < 1e-9);
            let named = survey.requests_by_name();
            assert_eq!(named.len(), 1);
            assert_eq!((named[0].0, named[0].1.total().count), (["w", "", "GET", "n"], 10));
        }
    }

    const TREND: &str =
        r#""metric":"http_req_duration","name":"n","window_ms":10000,"count":5,"avg":20"#;

    #[test]
    fn summaries_count_only_where_there_is_nothing_else() {
        let mut survey = Survey::new(1);
        for (at, p99) in [(10, 30), (20, 50)] {
            let bounds = format!(r#""p50":20,"p90":21,"p95":22,"p99":{p99}"#);
            add(&mut survey, at, "metric_summary", &format!(r#"{TREND},"final":false,{bounds}"#));
            let counter =
                r#""metric":"http_reqs","name":"n","window_ms":10000,"sum":5,"final":false"#;
            add(&mut survey, at, "metric_summary", counter);
        }
        let (total, _) = requests(&mut survey);
        assert_eq!((total.count, total.percentiles()), (10, Some([20.0, 21.0, 22.0, 50.0])));
        assert!(survey.groups.group("w", 2).requests.is_summary());
        // k6's last word is the better one.
        let last = r#""p50":20,"p90":21,"p95":22,"p99":40,"final":true"#;
        add(&mut survey, 20, "metric_summary", &format!("{TREND},{last}"));
        add(&mut survey, 20, "metric_summary", r#""metric":"http_reqs","sum":10,"final":true"#);
        let (total, _) = requests(&mut survey);
        assert_eq!((total.count, total.percentiles()), (10, Some([20.0, 21.0, 22.0, 40.0])));
        add(&mut survey, 20, "http_req", r#""duration_ms":7"#);
        let (total, _) = requests(&mut survey);
        assert_eq!((total.count, total.extremes()), (1, Some([7.0, 7.0])));
    }

    #[test]
    fn names_and_groups_beyond_the_limits_are_summed_up() {
        let mut survey = Survey::new(1);
        for n in 0..2000 {
            let text =
                line(12, "INFO", "http_req", "m", &format!(r#""name":"/{n}","duration_ms":1"#));
            let text = text.replace(r#""w""#, &format!(r#""w{}""#, n % 2));
            add_line(
                &mut survey,
                &text.replace(r#"repetition":2"#, &format!(r#"repetition":{}"#, n + 1)),
            );
        }
        let groups = survey.groups.sorted();
        let all = || {
            groups
                .iter()
                .flat_map(|all| all.groups.iter().map(move |(_, group)| (all.workload, group)))
        };
        assert!(all().count() <= 401 && survey.groups.overflowed());
        assert_eq!(all().map(|(_, group)| group.requests.total().count).sum::<u64>(), 2000);
        let others: u64 = all()
            .filter(|(name, _)| *name == "(others)")
            .map(|(_, g)| g.requests.total().count)
            .sum();
        assert_eq!(others, 1600);
        let names = survey.requests_by_name();
        assert!(names.len() <= 252);
        assert_eq!(names.iter().map(|(_, row)| row.total().count).sum::<u64>(), 2000);
    }

    #[test]
    fn timelines_share_a_bound() {
        let mut survey = Survey::new(1);
        for n in 0..24_000 {
            let text = line(n / 8, "INFO", "iteration", "m", r#""duration_ms":1"#);
            add_line(&mut survey, &text.replace(r#""w""#, &format!(r#""w{}""#, n % 100)));
        }
        survey.groups.tidy();
        let groups = survey.groups.sorted();
        let all = || groups.iter().flat_map(|all| &all.groups).map(|(_, group)| &group.iterations);
        let buckets: usize = all().map(|iterations| iterations.timeline().len()).sum();
        assert!((2000..=16_000).contains(&buckets), "{buckets}");
        assert_eq!(all().map(|iterations| iterations.total().count).sum::<u64>(), 24_000);
    }
}
