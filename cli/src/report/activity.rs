//! What load generators did: requests and iterations by workload and repetition, and by name.

use std::collections::{BTreeMap, HashMap};

use super::messages::cut;
use super::tally::{Merge as _, Tally};
use super::timeline::Timeline;

/// Buckets of one timeline, at most.
const MOST_BUCKETS: usize = 720;
/// Buckets of all timelines, at most: a few kilobytes each while a log is read.
const ALL_BUCKETS: usize = 16_000;
/// So many in a bucket make a rate and percentiles, on average; some buckets are kept in any case.
const ENOUGH: u64 = 30;
const FEW_BUCKETS: usize = 40;
/// Workloads times repetitions, at most; what is beyond them is summed up.
const MOST_GROUPS: usize = 400;
/// Names in a table, at most; what is beyond them is summed up.
const MOST_NAMES: usize = 250;
/// Of a name, at most.
const NAME_BYTES: usize = 160;
/// The name of what is beyond a limit.
pub(crate) const OTHERS: &str = "(others)";
const MS: f64 = 1e6;

/// Requests, or iterations, over time.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    timeline: Timeline<Tally>,
    /// What k6's summaries say of the same, for runs that recorded nothing else.
    summaries: Timeline<Tally>,
    whole: Tally,
    /// Beginning of the first and end of the last, nanoseconds since 1970.
    span: Span,
}

/// From when to when, nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span(Option<(i64, i64)>);

impl Span {
    pub(crate) fn see(&mut self, from: i64, to: i64) {
        let (first, last) = self.0.unwrap_or((from, to));
        self.0 = Some((first.min(from), last.max(to)));
    }

    pub(crate) fn join(&mut self, other: Self) {
        if let Some((from, to)) = other.0 {
            self.see(from, to);
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn ms(self) -> Option<[i64; 2]> {
        self.0.map(|(from, to)| [from, to].map(|ns| ns.div_euclid(1_000_000)))
    }

    /// How many a second.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn per_second(self, count: u64) -> Option<f64> {
        let seconds = self.seconds().filter(|seconds| *seconds > 0.0)?;
        (count > 1).then(|| count as f64 / seconds)
    }

    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn seconds(self) -> Option<f64> {
        self.0.map(|(from, to)| to.saturating_sub(from) as f64 / 1e9)
    }
}

/// How long before `ns` something began that took so many milliseconds.
#[allow(clippy::cast_possible_truncation)]
fn before(ns: i64, ms: f64) -> i64 {
    // The conversion saturates, and NaN is 0.
    ns.saturating_sub((ms.max(0.0) * MS) as i64)
}

impl Activity {
    /// One that ended at `ns`. The time that it took may be unknown.
    pub(crate) fn ended(&mut self, ns: i64, ms: Option<f64>, failed: bool) {
        let tally = self.timeline.at(ns);
        tally.count += 1;
        tally.failed += u64::from(failed);
        if let Some(ms) = ms {
            tally.took(ms);
        }
        self.span.see(before(ns, ms.unwrap_or(0.0)), ns);
    }

    /// Of single samples, as raw output has them: each says one thing of a request.
    pub(crate) fn sample(&mut self, ns: i64, count: u64, ms: Option<f64>, failed: u64) {
        let tally = self.timeline.at(ns);
        tally.count += count;
        tally.failed += failed;
        if let Some(ms) = ms {
            tally.took(ms);
        }
        self.span.see(before(ns, ms.unwrap_or(0.0)), ns);
    }

    /// What a summary says of the `window_ms` that ended at `ns`, or of the whole run.
    pub(crate) fn summary(
        &mut self,
        ns: i64,
        window_ms: f64,
        whole: bool,
        add: impl Fn(&mut Tally),
    ) {
        if whole {
            add(&mut self.whole);
            return;
        }
        // Narrower buckets would show a peak for each summary.
        #[allow(clippy::cast_possible_truncation)]
        self.summaries.at_least(window_ms as i64);
        let start = before(ns, window_ms);
        add(self.summaries.at(start + (ns - start) / 2));
        self.span.see(start, ns);
    }

    /// Whether there is nothing but summaries.
    pub(crate) fn is_summary(&self) -> bool {
        self.timeline.is_empty() && !self.summaries.is_empty()
    }

    pub(crate) fn timeline(&self) -> &Timeline<Tally> {
        if self.is_summary() { &self.summaries } else { &self.timeline }
    }

    pub(crate) fn total(&self) -> Tally {
        if self.is_summary() && self.whole.count > 0 {
            return self.whole.clone();
        }
        self.timeline().total()
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.timeline.merge(other.timeline.clone());
        self.summaries.merge(other.summaries.clone());
        self.whole.merge(&other.whole);
        self.span.join(other.span);
    }

    pub(crate) fn limit(&mut self, most: usize) {
        self.timeline.limit(most);
        self.summaries.limit(most);
    }

    /// Makes buckets wider where they hold so little that a rate would be noise.
    pub(crate) fn smooth(&mut self) {
        for timeline in [&mut self.timeline, &mut self.summaries] {
            let all = timeline.total().count;
            while timeline.len() > FEW_BUCKETS && all / (timeline.len() as u64) < ENOUGH {
                timeline.limit(timeline.len() - 1);
            }
        }
    }

    fn buckets(&self) -> usize {
        self.timeline.len() + self.summaries.len()
    }
}

/// One repetition of one workload.
#[derive(Clone, Default)]
pub(crate) struct Group {
    pub(crate) requests: Activity,
    pub(crate) iterations: Activity,
    pub(crate) checks_passed: u64,
    pub(crate) checks_failed: u64,
    /// Lines that are no measurements.
    pub(crate) lines: u64,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    /// Of its lines.
    pub(crate) span: Span,
}

/// All workloads and repetitions of a run.
pub(crate) struct Groups {
    by_workload: HashMap<String, BTreeMap<u64, usize>>,
    all: Vec<Group>,
    overflowed: bool,
    /// How many buckets a timeline has at most: fewer the more timelines there are.
    most_buckets: usize,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            by_workload: HashMap::new(),
            all: Vec::new(),
            overflowed: false,
            most_buckets: MOST_BUCKETS,
        }
    }
}

impl Groups {
    /// The group of a repetition; beyond the limit, that of all others.
    pub(crate) fn group(&mut self, workload: &str, repetition: u64) -> &mut Group {
        let workload = cut(workload, NAME_BYTES);
        let index = self.index(workload, repetition).unwrap_or_else(|| {
            if self.all.len() < MOST_GROUPS {
                return self.insert(workload, repetition);
            }
            self.overflowed = true;
            self.index(OTHERS, 1).unwrap_or_else(|| self.insert(OTHERS, 1))
        });
        &mut self.all[index]
    }

    fn index(&self, workload: &str, repetition: u64) -> Option<usize> {
        self.by_workload.get(workload)?.get(&repetition).copied()
    }

    fn insert(&mut self, workload: &str, repetition: u64) -> usize {
        let index = self.all.len();
        self.all.push(Group::default());
        self.by_workload.entry(workload.to_owned()).or_default().insert(repetition, index);
        index
    }

    /// Keeps the number of buckets within bounds; to be called each few thousand records.
    pub(crate) fn tidy(&mut self) {
        loop {
            let mut buckets = 0;
            for group in &mut self.all {
                for activity in [&mut group.requests, &mut group.iterations] {
                    activity.limit(self.most_buckets);
                    buckets += activity.buckets();
                }
            }
            if buckets <= ALL_BUCKETS || self.most_buckets <= 1 {
                return;
            }
            self.most_buckets /= 2;
        }
    }

    /// Whether workloads or repetitions were summed up.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Workloads in the order of their beginnings, with their repetitions.
    pub(crate) fn sorted(&self) -> Vec<Repetitions<'_>> {
        let mut all: Vec<Repetitions<'_>> = self
            .by_workload
            .iter()
            .map(|(name, all)| {
                let groups = all.iter().map(|(number, index)| (*number, &self.all[*index]));
                Repetitions { workload: name, groups: groups.collect() }
            })
            .collect();
        let began = |all: &Repetitions<'_>| {
            all.groups.iter().filter_map(|(_, group)| group.span.ms()).min()
        };
        all.sort_by_key(|all| (began(all), all.workload));
        all
    }
}

/// A workload's repetitions, by their numbers.
pub(crate) struct Repetitions<'a> {
    pub(crate) workload: &'a str,
    pub(crate) groups: Vec<(u64, &'a Group)>,
}

/// What a table has one row for each of, by names that come from anywhere.
#[derive(Debug, Default)]
pub(crate) struct Named<const N: usize, T> {
    by_name: HashMap<String, usize>,
    rows: Vec<T>,
    key: String,
}

impl<const N: usize, T: Default> Named<N, T> {
    /// The row of these names; beyond the limit, that of all others with the same first name.
    pub(crate) fn row(&mut self, names: [&str; N]) -> &mut T {
        self.set_key(names);
        if self.rows.len() >= MOST_NAMES && !self.by_name.contains_key(&self.key) {
            let mut others = [OTHERS; N];
            others[0] = if self.rows.len() < 2 * MOST_NAMES { names[0] } else { OTHERS };
            self.set_key(others);
        }
        let index = self.by_name.get(&self.key).copied().unwrap_or_else(|| {
            self.by_name.insert(self.key.clone(), self.rows.len());
            self.rows.push(T::default());
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }

    fn set_key(&mut self, names: [&str; N]) {
        self.key.clear();
        for name in names.map(|name| cut(name, NAME_BYTES)) {
            if name.contains('\0') {
                self.key.push_str(&name.replace('\0', "\u{fffd}"));
            } else {
                self.key.push_str(name);
            }
            self.key.push('\0');
        }
    }

    /// The rows, sorted by their names.
    pub(crate) fn sorted(&self) -> Vec<([&str; N], &T)> {
        let mut rows: Vec<_> =
            self.by_name.iter().map(|(key, index)| (split(key), &self.rows[*index])).collect();
        rows.sort_by_key(|(names, _)| *names);
        rows
    }
}

fn split<const N: usize>(key: &str) -> [&str; N] {
    let mut names = key.split('\0');
    std::array::from_fn(|_| names.next().unwrap_or_default())
}
