//! Lines on their way: a batch, and where each of its lines stands in the log.

use std::collections::VecDeque;
use std::sync::Arc;

use super::offset::Place;
use crate::loki::wire::batch::Batch;
use crate::loki::wire::line::Line;
use crate::loki::wire::refusal::Reason;
use crate::loki::wire::stream::Stream;

/// Most bytes of a push before compression, and of all parcels that are being filled.
pub(crate) const PUSH_BYTES: usize = 1 << 20;
/// However little Loki takes at once, pushes are not made smaller than this. A few lines in tests,
/// where a lap has twenty.
const LEAST_PUSH_BYTES: usize = if cfg!(test) { 500 } else { 64 << 10 };

/// Lines of one stream that are sent at once.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) batch: Batch,
    /// One for each line of the batch.
    pub(crate) places: Vec<Place>,
    /// It may be stored already: to be looked up before it is sent.
    pub(crate) unsure: bool,
    /// Why Loki may refuse its lines.
    doubt: Option<Reason>,
    /// It was refused without naming a line: what Loki said.
    pub(crate) refused: Option<String>,
    /// It may be stored and cannot be looked up: counted as replayed.
    pub(crate) blind: bool,
}

impl Parcel {
    pub(crate) fn new(stream: Arc<Stream>, unsure: bool, doubt: Option<Reason>) -> Self {
        let (batch, places) = (Batch::new(stream), Vec::new());
        Self { batch, places, unsure, doubt, refused: None, blind: false }
    }

    pub(crate) fn push(&mut self, line: &Line, text: &[u8], place: Place) {
        self.batch.push(line, text);
        self.places.push(place);
    }

    /// The lines of these indices, in order.
    pub(crate) fn part(&self, indices: &[usize], unsure: bool) -> Self {
        let mut chosen = indices.iter().copied().peekable();
        let batch = self.batch.subset(|index| chosen.next_if_eq(&index).is_some());
        let places = indices.iter().filter_map(|index| self.places.get(*index).copied()).collect();
        let (doubt, blind) = (self.doubt, self.blind);
        Self { batch, places, unsure, doubt, refused: None, blind }
    }

    /// Its halves, neither of them empty; `None` for a single line.
    pub(crate) fn halves(&self) -> Option<[Self; 2]> {
        let middle = self.places.len().div_ceil(2);
        let half = |range: std::ops::Range<usize>| {
            let indices: Vec<usize> = range.collect();
            self.part(&indices, false)
        };
        (self.places.len() > 1).then(|| [half(0..middle), half(middle..self.places.len())])
    }
}

/// Parcels that are being filled, one a stream (lines that Loki may refuse apart from the others),
/// all together at most as large as one push.
pub(crate) struct Packing {
    open: Vec<Parcel>,
    most_bytes: usize,
    most_lines: usize,
}

impl Packing {
    /// `most_lines`: of a push.
    pub(crate) fn new(most_lines: usize) -> Self {
        Self { open: Vec::new(), most_bytes: PUSH_BYTES, most_lines: most_lines.max(1) }
    }

    /// Adds a line. What is full, or has to make room, goes to `out`.
    pub(crate) fn add(
        &mut self,
        line: &Line,
        text: &[u8],
        place: Place,
        unsure: bool,
        doubt: Option<Reason>,
        out: &mut VecDeque<Parcel>,
    ) {
        let empty = Parcel::new(Arc::clone(&line.stream), unsure, doubt);
        let adding = empty.batch.bytes_with(line, text);
        while self.bytes() + adding > self.most_bytes
            && let Some(largest) = (0..self.open.len()).max_by_key(|i| self.open[*i].batch.bytes())
        {
            out.push_back(self.open.swap_remove(largest));
        }
        let belongs = |parcel: &Parcel| {
            (parcel.unsure, parcel.doubt) == (unsure, doubt)
                && *parcel.batch.stream() == line.stream
        };
        let index = self.open.iter().position(belongs).unwrap_or_else(|| {
            self.open.push(empty);
            self.open.len() - 1
        });
        self.open[index].push(line, text, place);
        if self.open[index].places.len() >= self.most_lines {
            out.push_back(self.open.swap_remove(index));
        }
    }

    /// A push of so many bytes was too large: those that follow are half of it. False where it was
    /// small enough.
    pub(crate) fn shrink(&mut self, bytes: usize) -> bool {
        let too_large = bytes > LEAST_PUSH_BYTES;
        if too_large {
            self.most_bytes = self.most_bytes.min((bytes / 2).max(LEAST_PUSH_BYTES));
        }
        too_large
    }

    /// What is being filled.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Parcel> {
        self.open.iter()
    }

    fn bytes(&self) -> usize {
        self.open.iter().map(|parcel| parcel.batch.bytes()).sum()
    }

    /// Everything goes to `out`.
    pub(crate) fn empty_into(&mut self, out: &mut VecDeque<Parcel>) {
        out.extend(self.open.drain(..));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::loki::wire::line::LineReader;

    fn packed(lines: usize, workloads: usize, message: usize, most_lines: usize) -> Vec<Parcel> {
        let mut reader = LineReader::new(&BTreeMap::new());
        let (mut packing, mut out) = (Packing::new(most_lines), VecDeque::new());
        let message = "x".repeat(message);
        for number in 0..lines {
            let text = format!(
                "{{\"timestamp\":\"2026-11-22T10:11:12.{number:09}Z\",\"level\":\"INFO\",\
                 \"component\":\"c\",\"host\":\"h\",\"run_id\":\"r\",\"logger\":\"l\",\
                 \"message\":\"{message}\",\"event_type\":\"log\",\"workload\":\"w{}\",\
                 \"repetition\":1}}",
                number % workloads
            );
            let line = reader.read(text.as_bytes()).unwrap();
            let place = Place { segment: 0, start: number as u64, end: number as u64 + 1 };
            let doubt = (number % 10 == 9).then_some(Reason::TooOld);
            packing.add(&line, text.as_bytes(), place, false, doubt, &mut out);
            assert!(packing.bytes() <= PUSH_BYTES, "{}", packing.bytes());
        }
        packing.empty_into(&mut out);
        out.into()
    }

    #[test]
    fn every_line_is_in_one_parcel_of_its_stream_and_no_parcel_is_too_large() {
        for (lines, workloads, message, most_lines) in [
            (7000, 1, 300, usize::MAX),
            (9000, 3, 200, usize::MAX),
            (100, 2, 5, 7),
            (9, 4, 900_000, 3),
        ] {
            let parcels = packed(lines, workloads, message, most_lines);
            let mut places: Vec<u64> = Vec::new();
            for parcel in &parcels {
                assert_eq!(parcel.batch.len(), parcel.places.len());
                assert!(parcel.batch.bytes() <= PUSH_BYTES && parcel.places.len() <= most_lines);
                let starts = parcel.places.iter().map(|place| place.start);
                let first = parcel.places[0].start;
                let workloads = workloads as u64;
                assert!(starts.clone().all(|start| start % workloads == first % workloads));
                assert!(starts.clone().all(|start| (start % 10 == 9) == (first % 10 == 9)));
                assert!(starts.clone().is_sorted(), "lines of a stream keep their order");
                places.extend(starts);
            }
            places.sort_unstable();
            assert!(places.iter().copied().eq(0..lines as u64), "{lines} {workloads}");
        }
    }

    #[test]
    fn halves_have_all_lines_and_none_is_empty() {
        let parcel = packed(5, 1, 3, usize::MAX).swap_remove(0);
        let halves = parcel.halves().unwrap();
        let starts: Vec<Vec<u64>> = halves
            .iter()
            .map(|half| half.places.iter().map(|place| place.start).collect())
            .collect();
        assert_eq!(starts, [vec![0, 1, 2], vec![3, 4]]);
        assert!(parcel.part(&[4], false).halves().is_none());
    }
}
