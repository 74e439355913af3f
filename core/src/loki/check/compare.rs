//! One stream's lines, of the files and of Loki, side by side.
//!
//! Both are read once, forward. Lines of the files wait until enough have come together; then Loki is
//! read up to the time that most of them have, and each is held or not. What Loki has and no file
//! has shown yet is remembered by time and hash, for the files are in order of time only roughly. A
//! line that comes when Loki was read beyond its time, and is not among those, is looked up by itself.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::walk::Spot;
use crate::loki::ship::parcel::PUSH_BYTES;
use crate::loki::wire::ask::{Ask, LookUpError, PAGE_BYTES, Pager, Reading};
use crate::loki::wire::batch::Batch;
use crate::loki::wire::line::Line;
use crate::loki::wire::page::Page;
use crate::loki::wire::query::look_up;
use crate::loki::wire::stream::Stream;

/// Lines of Loki are looked for so far before and behind those of the files.
const MARGIN_NS: i64 = 3600 * 1_000_000_000;
/// Loki refuses to answer for long times at once; 30 days and an hour at its defaults.
const MAX_RANGE_NS: i64 = 24 * MARGIN_NS;

/// A line by its time and a hash that differs from run to run: two lines of one nanosecond that
/// nobody could choose to look alike.
type Key = (i64, u64);

/// A line of the files, and which one of its file and stream it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) spot: Spot,
    pub(super) sequence: u64,
    pub(super) ns: i64,
}

/// What became of a line of the files.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Held,
    /// Loki holds one, and an equal one of the same nanosecond came before it: Loki shows one of
    /// them, whether it has both or not.
    HeldAsOne,
    Lacking,
}

/// Told of each line once.
pub(super) type Judge<'j> = dyn FnMut(&Place, Verdict) + 'j;

/// A stream under comparison.
pub(super) struct StreamCheck {
    pub(super) stream: Arc<Stream>,
    hasher: RandomState,
    ahead: Waiting,
    late: Waiting,
    /// From when to when Loki was read, both ends included, in order; between them are long pauses.
    read: Vec<(i64, i64)>,
    /// Nanoseconds with more lines than a page: what else they hold is not known.
    crowded: HashSet<i64>,
    extra: HashSet<Key>,
    /// Loki had more of them than can be remembered.
    too_many_extra: bool,
    /// The selector finds streams with more labels, too.
    shared: bool,
    /// Of the lines that were compared last, on average.
    line_bytes: usize,
    /// How many lines of each file there were.
    sequences: HashMap<usize, u64>,
}

/// Lines of the files that are not compared yet.
struct Waiting {
    batch: Batch,
    places: Vec<Place>,
}

impl Waiting {
    fn new(stream: &Arc<Stream>) -> Self {
        Self { batch: Batch::new(Arc::clone(stream)), places: Vec::new() }
    }

    fn push(&mut self, line: &Line, text: &[u8], place: Place) {
        self.batch.push(line, text);
        self.places.push(place);
    }

    /// Those of which this holds, in their order.
    fn part(&self, mut wanted: impl FnMut(usize, &Place) -> bool) -> Self {
        let chosen: Vec<bool> =
            self.places.iter().enumerate().map(|(index, place)| wanted(index, place)).collect();
        let batch = self.batch.subset(|index| chosen[index]);
        let mut chosen = chosen.iter();
        let places = self.places.iter().filter(|_| chosen.next() == Some(&true)).copied().collect();
        Self { batch, places }
    }
}

impl StreamCheck {
    pub(super) fn new(stream: &Arc<Stream>, hasher: &RandomState) -> Self {
        Self {
            hasher: hasher.clone(),
            ahead: Waiting::new(stream),
            late: Waiting::new(stream),
            read: Vec::new(),
            crowded: HashSet::new(),
            extra: HashSet::new(),
            too_many_extra: false,
            shared: false,
            line_bytes: 0,
            sequences: HashMap::new(),
            stream: Arc::clone(stream),
        }
    }

    /// Bytes that wait to be compared.
    pub(super) fn waiting(&self) -> usize {
        self.ahead.batch.bytes()
    }

    /// How many lines of Loki no file has shown.
    pub(super) fn extra(&self) -> usize {
        self.extra.len()
    }

    /// `None` where they were too many to be told.
    pub(super) fn extra_times(&self) -> Option<impl Iterator<Item = i64>> {
        (!self.too_many_extra).then(|| self.extra.iter().map(|(ns, _)| *ns))
    }

    /// Does without them from now on: their memory is needed.
    pub(super) fn forget_extra(&mut self) {
        self.too_many_extra = true;
        self.extra = HashSet::new();
    }

    /// A file that is not compared has this line.
    pub(super) fn excuse(&mut self, ns: i64, text: &[u8]) {
        self.extra.remove(&key(&self.hasher, ns, text));
    }

    /// From when to when Loki was read, both included; `None` where other streams came with it.
    pub(super) fn read_alone(&self) -> Option<(i64, i64)> {
        let ((first, _), (_, last)) = (self.read.first()?, self.read.last()?);
        (!self.shared).then_some((*first, *last))
    }

    /// Where reading goes on.
    fn end(&self) -> Option<i64> {
        self.read.last().map(|(_, last)| last.saturating_add(1))
    }

    /// Whether everything that Loki has of this nanosecond was seen and is remembered.
    fn is_known(&self, ns: i64) -> bool {
        let within = self.read.iter().any(|(first, last)| (*first..=*last).contains(&ns));
        within && !self.too_many_extra && !self.crowded.contains(&ns)
    }

    /// Takes a line of the files.
    pub(super) fn add(&mut self, line: &Line, text: &[u8], spot: Spot, judge: &mut Judge<'_>) {
        let sequence = self.sequences.entry(spot.file).or_default();
        *sequence += 1;
        let place = Place { spot, sequence: *sequence, ns: line.ns };
        if self.end().is_none_or(|end| line.ns >= end) {
            self.ahead.push(line, text, place);
        } else if self.extra.remove(&key(&self.hasher, line.ns, text)) {
            judge(&place, Verdict::Held);
        } else {
            self.late.push(line, text, place);
        }
    }

    /// Compares most of what waits; those that are furthest ahead of the others go on waiting.
    pub(super) fn settle(
        &mut self,
        loki: &mut dyn Ask,
        judge: &mut Judge<'_>,
    ) -> Result<(), LookUpError> {
        self.settle_part(loki, judge, 3)?;
        if self.late.batch.bytes() > PUSH_BYTES { self.settle_late(loki, judge) } else { Ok(()) }
    }

    /// Compares all that waits, and reads on for a while.
    pub(super) fn finish(
        &mut self,
        loki: &mut dyn Ask,
        judge: &mut Judge<'_>,
    ) -> Result<(), LookUpError> {
        self.settle_part(loki, judge, 4)?;
        self.settle_late(loki, judge)?;
        if let Some(end) = self.end() {
            let empty = Waiting::new(&self.stream);
            self.read_on(loki, &empty, &[(end, end.saturating_add(MARGIN_NS))])?;
        }
        Ok(())
    }

    /// Compares so many quarters of what waits.
    fn settle_part(
        &mut self,
        loki: &mut dyn Ask,
        judge: &mut Judge<'_>,
        quarters: usize,
    ) -> Result<(), LookUpError> {
        let waiting = std::mem::replace(&mut self.ahead, Waiting::new(&self.stream));
        let mut times: Vec<(i64, usize)> =
            waiting.batch.lines().map(|(ns, text)| (ns, text.len())).collect();
        times.sort_unstable();
        let most = (times.len() * quarters / 4).saturating_sub(1);
        let Some((upto, _)) = times.get(most).copied() else { return Ok(()) };
        times.retain(|(ns, _)| *ns <= upto);
        let ranges = ranges(&times, self.end());
        let window = self.read_on(loki, &waiting, &ranges)?;
        let Window { first, mut held, crowded, .. } = window;
        if !crowded.is_empty() {
            let unclear = |index: usize, place: &Place| !held[index] && crowded.contains(&place.ns);
            let asked: Vec<usize> =
                (0..held.len()).filter(|i| unclear(*i, &waiting.places[*i])).collect();
            let found = look_up(loki, &waiting.part(unclear).batch)?;
            for (at, index) in asked.into_iter().enumerate() {
                held[index] = found.holds(at);
            }
        }
        for (index, place) in waiting.places.iter().enumerate().filter(|(_, p)| p.ns <= upto) {
            let verdict = match (held[first[index]], first[index] == index) {
                (false, _) => Verdict::Lacking,
                (true, true) => Verdict::Held,
                (true, false) => Verdict::HeldAsOne,
            };
            judge(place, verdict);
        }
        self.ahead = waiting.part(|_, place| place.ns > upto);
        Ok(())
    }

    fn settle_late(
        &mut self,
        loki: &mut dyn Ask,
        judge: &mut Judge<'_>,
    ) -> Result<(), LookUpError> {
        let late = std::mem::replace(&mut self.late, Waiting::new(&self.stream));
        let found = look_up(loki, &late.batch)?;
        let Window { first, .. } = Window::new(self, &late);
        for (index, place) in late.places.iter().enumerate() {
            // Where all of Loki is remembered and has no such line any more, it has met an equal one.
            let met = first[index] != index || self.is_known(place.ns);
            let held = if met { Verdict::HeldAsOne } else { Verdict::Held };
            judge(place, if found.holds(index) { held } else { Verdict::Lacking });
        }
        Ok(())
    }

    /// Reads Loki's lines of these times.
    fn read_on(
        &mut self,
        loki: &mut dyn Ask,
        waiting: &Waiting,
        ranges: &[(i64, i64)],
    ) -> Result<Window, LookUpError> {
        let mut window = Window::new(self, waiting);
        if waiting.batch.len() > 0 {
            self.line_bytes = waiting.batch.bytes() / waiting.batch.len();
        }
        // Ranges are about a page large: one that is a little larger is no second page.
        let mut pager = Pager::new(self.line_bytes / 2);
        for (first, last) in ranges {
            pager.read(loki, self.stream.selector(), (*first, *last), &mut window)?;
            let end = self.end();
            match self.read.last_mut().filter(|_| end == Some(*first)) {
                Some(read) => read.1 = *last,
                None => self.read.push((*first, *last)),
            }
        }
        self.shared |= window.shared;
        self.crowded.extend(&window.crowded);
        if !self.too_many_extra {
            self.extra.extend(window.extra.drain());
        }
        Ok(window)
    }
}

fn key(hasher: &RandomState, ns: i64, text: &[u8]) -> Key {
    (ns, hasher.hash_one(text))
}

/// Where Loki is to be read for lines of these times and bytes, both ends included: from `read` on, or
/// from a while before the first, to the last; what is to be read at once is about a page large. Long
/// pauses are left out.
fn ranges(times: &[(i64, usize)], read: Option<i64>) -> Vec<(i64, i64)> {
    let mut ranges = Vec::new();
    let Some((first, _)) = times.first() else { return ranges };
    let mut from = read.unwrap_or(first.saturating_sub(MARGIN_NS));
    let (mut before, mut held) = (read.unwrap_or(*first), 0);
    for (ns, bytes) in times {
        let full = held + bytes > PAGE_BYTES && *ns > before;
        if ns.saturating_sub(before) > 2 * MARGIN_NS {
            ranges.push((from, before.saturating_add(MARGIN_NS)));
            (from, held) = (ns.saturating_sub(MARGIN_NS), 0);
        } else if (full || ns.saturating_sub(from) > MAX_RANGE_NS) && before > from {
            ranges.push((from, before));
            (from, held) = (before.saturating_add(1), 0);
        }
        held += bytes;
        before = *ns;
    }
    ranges.push((from, before));
    ranges
}

/// Pages that are read, beside the lines that wait.
struct Window {
    stream: Arc<Stream>,
    hasher: RandomState,
    wanted: HashMap<Key, usize>,
    /// For each line the first one that is equal to it.
    first: Vec<usize>,
    /// For each line that is a first one.
    held: Vec<bool>,
    extra: HashSet<Key>,
    crowded: HashSet<i64>,
    shared: bool,
}

impl Window {
    fn new(check: &StreamCheck, waiting: &Waiting) -> Self {
        let mut wanted = HashMap::new();
        let lines = waiting.batch.lines().enumerate();
        let first: Vec<usize> = lines
            .map(|(index, (ns, text))| *wanted.entry(key(&check.hasher, ns, text)).or_insert(index))
            .collect();
        Self {
            stream: Arc::clone(&check.stream),
            hasher: check.hasher.clone(),
            held: vec![false; first.len()],
            wanted,
            first,
            extra: HashSet::new(),
            crowded: HashSet::new(),
            shared: false,
        }
    }
}

impl Reading for Window {
    fn take(&mut self, page: &Page) {
        let mut ours = 0;
        for (ns, line) in page.of(&self.stream) {
            ours += 1;
            let key = key(&self.hasher, ns, line.as_bytes());
            match self.wanted.get(&key) {
                Some(index) => self.held[*index] = true,
                None => {
                    self.extra.insert(key);
                }
            }
        }
        self.shared |= ours < page.lines();
    }

    /// The lines that are wanted are looked up afterwards.
    fn crowded(&mut self, _: &mut dyn Ask, _: &mut Pager, ns: i64) -> Result<(), LookUpError> {
        self.crowded.insert(ns);
        Ok(())
    }
}
