//! How much was logged: by component, host and level, and over time.

use std::collections::BTreeMap;

use super::activity::{Named, OTHERS, Span};
use super::messages::cut;
use super::record::{Record, Severity};
use super::tally::Merge;
use super::timeline::Timeline;

/// Components with a timeline of their own, at most.
const MOST_COMPONENTS: usize = 40;
/// Buckets of a component's timeline, at most.
const MOST_BUCKETS: usize = 150;

/// The levels, from the worst.
pub(crate) const LEVELS: [&str; 6] = ["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "TRACE"];

/// Records of one component on one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Lines that are no measurements, by level, as [`LEVELS`].
    pub(crate) levels: [u64; LEVELS.len()],
    /// Requests, iterations, checks, metrics, and what sums them up.
    pub(crate) measurements: u64,
    pub(crate) span: Span,
}

/// Lines of a stretch of time: errors, warnings, others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lines(pub(crate) [u64; 3]);

impl Merge for Lines {
    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}

/// How much was logged in a run.
#[derive(Debug, Default)]
pub(crate) struct Volume {
    pub(crate) sources: Named<2, Source>,
    pub(crate) event_types: Named<1, u64>,
    /// Lines that are no measurements, by component.
    pub(crate) timelines: BTreeMap<String, Timeline<Lines>>,
}

impl Volume {
    pub(crate) fn add(&mut self, record: &Record<'_>) {
        *self.event_types.row([&record.event_type]) += 1;
        let source = self.sources.row([&record.component, &record.host]);
        source.span.see(record.at_ns, record.at_ns);
        if record.is_measurement() {
            source.measurements += 1;
            return;
        }
        if let Some(level) = LEVELS.iter().position(|level| *level == record.level) {
            source.levels[level] += 1;
        }
        let which = match record.severity() {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Other => 2,
        };
        let timeline = self.timeline(&record.component);
        timeline.at(record.at_ns).0[which] += 1;
        timeline.limit(MOST_BUCKETS);
    }

    fn timeline(&mut self, component: &str) -> &mut Timeline<Lines> {
        let component = cut(component, 200);
        let known = self.timelines.contains_key(component);
        let name = if known || self.timelines.len() < MOST_COMPONENTS { component } else { OTHERS };
        if !self.timelines.contains_key(name) {
            self.timelines.insert(name.to_owned(), Timeline::default());
        }
        self.timelines.entry(name.to_owned()).or_default()
    }
}
