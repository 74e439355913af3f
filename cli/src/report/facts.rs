//! What a log says about the run itself: k6's beginnings and ends, phases, thresholds, holes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::activity::{OTHERS, Span};
use super::messages::short;
use super::record::Record;

/// Of each list, at most.
const MOST: usize = 250;
/// Of a text, bytes.
const MOST_BYTES: usize = 200;
const MS: i64 = 1_000_000;

/// One k6.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Process {
    host: String,
    component: String,
    instance: String,
    script: Option<String>,
    version: Option<String>,
    samples: Option<String>,
    /// None while it runs, and when it was killed.
    pub(crate) outcome: Option<String>,
    error: Option<String>,
    exit_code: Option<f64>,
    duration_ms: Option<f64>,
    pub(crate) http_reqs: Option<u64>,
    /// What it measured or said and could not record: samples, lines, records, refused records.
    pub(crate) dropped: [u64; 4],
}

/// A phase of a workload's repetition. Times in milliseconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Phase {
    name: String,
    component: String,
    workload: String,
    repetition: u64,
    start: Option<i64>,
    end: Option<i64>,
    outcome: Option<String>,
    /// Nothing announced it: these are the first and the last record that belong to it.
    seen: bool,
}

/// A command that `lb exec` ran. Times in milliseconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Command {
    component: String,
    host: String,
    workload: String,
    repetition: u64,
    line: Option<String>,
    start: Option<i64>,
    end: Option<i64>,
    duration_ms: Option<f64>,
    exit_code: Option<f64>,
    signal: Option<String>,
}

/// The verdict on a threshold.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Threshold {
    metric: String,
    expression: String,
    passed: bool,
    value: Option<f64>,
    instance: String,
}

/// A hole that the log tells of. Times in milliseconds since 1970.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hole {
    at: i64,
    since: Option<i64>,
    event_type: String,
    component: String,
    host: String,
    message: String,
    /// Records; None where nobody can know.
    lost: Option<f64>,
}

/// All of it, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) processes: BTreeMap<[String; 3], Process>,
    announced: BTreeMap<PhaseKey, Phase>,
    seen: BTreeMap<PhaseKey, Span>,
    pub(crate) commands: Vec<Command>,
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) holes: Vec<Hole>,
    /// Of any list.
    pub(crate) left_out: u64,
}

/// Component, workload, repetition, phase.
type PhaseKey = (String, String, u64, String);

impl Facts {
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        self.phase_of(record);
        match &*record.event_type {
            "run_start" => self.run_started(record),
            "run_end" => self.run_ended(record),
            "phase_start" | "phase_end" => self.phase(record),
            "threshold" => self.threshold(record),
            "command_start" | "command_end" => self.command(record),
            "log_gap" | "log_unsynced" | "log_deleted" => self.hole(record),
            _ => {}
        }
    }

    fn process(&mut self, record: &Record<'_>) -> &mut Process {
        let instance = record.tags.get("instance").map(ToString::to_string).unwrap_or_default();
        let mut key = [&*record.host, &*record.component, &instance].map(|name| short(name, 100));
        if self.processes.len() >= MOST && !self.processes.contains_key(&key) {
            self.left_out += 1;
            key = [OTHERS; 3].map(str::to_owned);
        }
        let [host, component, instance] = key.clone();
        let new = || Process { host, component, instance, ..Process::default() };
        self.processes.entry(key).or_insert_with(new)
    }

    fn run_started(&mut self, record: &Record<'_>) {
        let text = |name| record.tags.text(name).map(|text| short(text, MOST_BYTES));
        let process = self.process(record);
        process.script = text("script");
        process.version = text("k6_version");
        process.samples = text("samples");
    }

    fn run_ended(&mut self, record: &Record<'_>) {
        let tags = &record.tags;
        let process = self.process(record);
        process.outcome = tags.text("outcome").map(|text| short(text, 100));
        process.error = tags.text("error").map(|text| short(text, MOST_BYTES));
        process.exit_code = tags.number("exit_code");
        process.duration_ms = tags.number("duration_ms");
        process.http_reqs = tags.number("http_reqs").map(|_| tags.count("http_reqs"));
        process.dropped =
            ["samples_dropped", "lines_dropped", "records_dropped", "records_rejected"]
                .map(|name| tags.count(name));
    }

    fn phase(&mut self, record: &Record<'_>) {
        let Some(key) = self.phase_key(record) else { return };
        let at = record.at_ns.div_euclid(MS);
        let (component, workload, repetition, name) = key.clone();
        let phase = self.announced.entry(key).or_insert(Phase {
            name,
            component,
            workload,
            repetition,
            start: None,
            end: None,
            outcome: None,
            seen: false,
        });
        // Several hosts have the same phase: from the first beginning to the last end.
        if record.event_type == "phase_start" {
            phase.start = Some(phase.start.map_or(at, |start| start.min(at)));
            return;
        }
        phase.end = Some(phase.end.map_or(at, |end| end.max(at)));
        if let Some(ms) = record.tags.number("duration_ms").filter(|_| phase.start.is_none()) {
            #[allow(clippy::cast_possible_truncation)]
            let start = at.saturating_sub(ms as i64);
            phase.start = Some(start);
        }
        let outcome = record.tags.text("outcome").map(|text| short(text, 100));
        let bad = outcome.as_deref().is_some_and(|outcome| outcome != "passed");
        if bad || phase.outcome.is_none() {
            phase.outcome = outcome;
        }
    }

    /// The phase that a record belongs to, by its tag.
    fn phase_of(&mut self, record: &Record<'_>) {
        let announces = matches!(&*record.event_type, "phase_start" | "phase_end");
        if announces || record.is_measurement() || record.tags.text("phase").is_none() {
            return;
        }
        if let Some(key) = self.phase_key(record) {
            self.seen.entry(key).or_default().see(record.at_ns, record.at_ns);
        }
    }

    fn phase_key(&mut self, record: &Record<'_>) -> Option<PhaseKey> {
        let name = record.tags.text("phase")?;
        let [component, workload, name] =
            [&*record.component, &*record.workload, name].map(|text| short(text, 100));
        let key = (component, workload, record.repetition, name);
        let known = self.announced.contains_key(&key) || self.seen.contains_key(&key);
        if !known && self.announced.len() + self.seen.len() >= MOST {
            self.left_out += 1;
            return None;
        }
        Some(key)
    }

    /// An end belongs to the last beginning of the same component in the same repetition.
    fn command(&mut self, record: &Record<'_>) {
        let ends = record.event_type == "command_end";
        let open = self.commands.iter().rposition(|known| {
            ends && known.end.is_none()
                && known.component == record.component
                && known.host == record.host
                && known.workload == record.workload
                && known.repetition == record.repetition
        });
        let at = record.at_ns.div_euclid(MS);
        let index = open.unwrap_or(self.commands.len());
        if open.is_none() {
            let command = Command {
                component: short(&record.component, 100),
                host: short(&record.host, 100),
                workload: short(&record.workload, 100),
                repetition: record.repetition,
                line: None,
                start: (!ends).then_some(at),
                end: None,
                duration_ms: None,
                exit_code: None,
                signal: None,
            };
            self.left_out += push(&mut self.commands, command);
        }
        let Some(command) = self.commands.get_mut(index) else { return };
        let text = |name| record.tags.text(name).map(|text| short(text, MOST_BYTES));
        command.line = text("command").or(command.line.take());
        if ends {
            command.end = Some(at);
            command.duration_ms = record.tags.number("duration_ms");
            command.exit_code = record.tags.number("exit_code");
            command.signal = text("signal");
        }
    }

    fn threshold(&mut self, record: &Record<'_>) {
        let text = |name| {
            record.tags.get(name).map_or_else(String::new, |v| short(&v.to_string(), MOST_BYTES))
        };
        let threshold = Threshold {
            metric: text("metric"),
            expression: text("expression"),
            passed: record.tags.is_true("passed"),
            value: record.tags.number("value"),
            instance: text("instance"),
        };
        self.left_out += push(&mut self.thresholds, threshold);
    }

    fn hole(&mut self, record: &Record<'_>) {
        let since =
            record.tags.text("since").and_then(|text| lb_core::parse_timestamp(text.as_bytes()));
        let hole = Hole {
            at: record.at_ns.div_euclid(MS),
            since: since.map(|ns| ns.div_euclid(MS)),
            event_type: record.event_type.to_string(),
            component: short(&record.component, 100),
            host: short(&record.host, 100),
            message: short(&record.message, MOST_BYTES),
            lost: record.tags.number("lost"),
        };
        self.left_out += push(&mut self.holes, hole);
    }

    /// Announced ones, and those that only their records tell of; in the order of time.
    pub(crate) fn phases(&self) -> Vec<Phase> {
        let mut phases: Vec<Phase> = self.announced.values().cloned().collect();
        for (key, span) in &self.seen {
            let (component, workload, repetition, name) = key.clone();
            if let Some([start, end]) = span.ms().filter(|_| !self.announced.contains_key(key)) {
                let (start, end, outcome) = (Some(start), Some(end), None);
                phases.push(Phase {
                    name,
                    component,
                    workload,
                    repetition,
                    start,
                    end,
                    outcome,
                    seen: true,
                });
            }
        }
        phases.sort_by_key(|phase| (phase.start, phase.end));
        phases
    }
}

/// How many were left out: 0 or 1.
fn push<T>(list: &mut Vec<T>, item: T) -> u64 {
    if list.len() >= MOST {
        return 1;
    }
    list.push(item);
    0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::record::tests::line;
    use super::*;

    /// Seconds count from here, milliseconds since 1970.
    const START: i64 = 1_795_341_600_000;

    fn facts(records: &[(u32, &str, &str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (at, host, event_type, tags) in records {
            let text =
                line(*at, "INFO", event_type, "m", tags).replace(r#""h""#, &format!(r#""{host}""#));
            facts.add(&Record::of_line(text.as_bytes()).unwrap());
        }
        facts
    }

    fn since(at: Option<i64>) -> Option<i64> {
        at.map(|at| at - START)
    }

    #[test]
    fn phases_are_announced_or_told_by_their_records() {
        let found = facts(&[
            (1, "a", "phase_start", r#""phase":"setup""#),
            (2, "b", "phase_start", r#""phase":"setup""#),
            (3, "a", "phase_end", r#""phase":"setup","outcome":"failed""#),
            (4, "b", "phase_end", r#""phase":"setup","outcome":"passed""#),
            (9, "a", "phase_end", r#""phase":"run","duration_ms":4000,"outcome":"passed""#),
            (8, "a", "log", r#""phase":"run""#),
            (10, "a", "log", r#""phase":"teardown""#),
            (12, "a", "output", r#""phase":"teardown""#),
            (13, "a", "http_req", r#""phase":"teardown""#),
            (14, "a", "phase_start", r#""phase":"collect""#),
        ])
        .phases();
        let told: Vec<_> = found
            .iter()
            .map(|p| (p.name.as_str(), since(p.start), since(p.end), p.outcome.as_deref(), p.seen))
            .collect();
        assert_eq!(
            told,
            [
                ("setup", Some(1000), Some(4000), Some("failed"), false),
                ("run", Some(5000), Some(9000), Some("passed"), false),
                ("teardown", Some(10_000), Some(12_000), None, true),
                ("collect", Some(14_000), None, None, false),
            ]
        );
    }

    #[test]
    fn a_commands_end_belongs_to_its_beginning() {
        let found = facts(&[
            (1, "a", "command_start", r#""command":"sleep 1""#),
            (2, "b", "command_start", r#""command":"true""#),
            (3, "a", "command_end", r#""exit_code":3,"duration_ms":2000"#),
            (4, "a", "command_end", r#""exit_code":127,"command":"nothing""#),
            (5, "b", "command_end", r#""signal":"SIGKILL""#),
        ]);
        let told: Vec<_> = found
            .commands
            .iter()
            .map(|c| {
                (
                    c.line.as_deref().unwrap(),
                    since(c.start),
                    since(c.end),
                    c.exit_code,
                    c.signal.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("sleep 1", Some(1000), Some(3000), Some(3.0), None),
                ("true", Some(2000), Some(5000), None, Some("SIGKILL")),
                ("nothing", None, Some(4000), Some(127.0), None),
            ]
        );
    }

    #[test]
    fn lists_are_bounded_and_what_is_left_out_is_counted() {
        let many: Vec<_> =
            (0..1500).map(|_| (1, "a", "log_gap", r#""lost":2,"since":"x""#)).collect();
        let found = facts(&many);
        assert_eq!((found.holes.len(), found.left_out), (MOST, 1250));
        assert_eq!((found.holes[0].lost, found.holes[0].since), (Some(2.0), None));
    }
}
