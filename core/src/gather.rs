//! Takes frames from rings, by time, and encodes them into a block.
//!
//! The same code serves the writer, with its own rings, and recovery, with a dead process's.

use std::collections::HashMap;

use crate::encode::{EncodedContext, Encoder, Source};
use crate::file::Block;
use crate::frame::{FLAG_GIVEN_TIME, FRAME_HEADER, Frame, check};
use crate::record::Context;
use crate::ring::{Counter, Position, Ring, RingFile, Step};

/// Bytes of a block: large enough that the lock costs nothing.
pub(crate) const BLOCK_BYTES: usize = 256 * 1024;

/// How many contexts that travelled in frames are remembered.
const INLINED_REMEMBERED: usize = 1024;

/// Gathers blocks from one ring file.
pub(crate) struct Gatherer {
    encoder: Encoder,
    contexts: Contexts,
    block: Block,
    tails: Vec<u64>,
}

/// The contexts of a ring file, ready to be used in lines.
struct Contexts {
    max_record_bytes: usize,
    table: HashMap<u32, Box<EncodedContext>>,
    table_len: Option<u64>,
    inlined: HashMap<Box<[u8]>, Box<EncodedContext>>,
}

impl Contexts {
    fn new(max_record_bytes: usize) -> Self {
        Self { max_record_bytes, table: HashMap::new(), table_len: None, inlined: HashMap::new() }
    }

    fn refresh(&mut self, rings: &RingFile) {
        let len = rings.contexts_len();
        if self.table_len == Some(len) {
            return;
        }
        for (id, json) in rings.contexts() {
            if !self.table.contains_key(&id)
                && let Some(context) = decode(&json, self.max_record_bytes)
            {
                self.table.insert(id, context);
            }
        }
        self.table_len = Some(len);
    }

    #[inline]
    fn of(&mut self, frame: &Frame<'_>) -> Option<&EncodedContext> {
        match frame.inlined {
            Some(json) => self.of_inlined(json),
            None => self.table.get(&frame.head.context).map(|context| &**context),
        }
    }

    fn of_inlined(&mut self, json: &[u8]) -> Option<&EncodedContext> {
        if !self.inlined.contains_key(json) {
            let context = decode(json, self.max_record_bytes)?;
            if self.inlined.len() >= INLINED_REMEMBERED {
                self.inlined.clear();
            }
            self.inlined.insert(json.into(), context);
        }
        self.inlined.get(json).map(|context| &**context)
    }
}

/// A context of a ring file, as it was accepted when it was made: what a damaged or hostile file
/// says besides is no context.
fn decode(json: &[u8], max_record_bytes: usize) -> Option<Box<EncodedContext>> {
    let context: Context = serde_json::from_slice(json).ok()?;
    let Context { component, host, run_id, event_type, workload, .. } = &context;
    let named = [component, host, run_id, event_type, workload].iter().all(|text| !text.is_empty());
    let flat = context.tags.values().all(|value| !value.is_array() && !value.is_object());
    let encoded = Box::new(EncodedContext::new(&context));
    let fits = encoded.overhead() <= max_record_bytes / 2;
    (named && flat && fits && context.repetition > 0).then_some(encoded)
}

/// One ring while a block is gathered.
struct Cursor<'m> {
    ring: Ring<'m>,
    /// Its place in the block's list of positions.
    place: usize,
    end: u64,
    last_ns: i64,
    /// The frame that comes next, the position behind it, and its time.
    next: Option<(Frame<'m>, u64, i64)>,
}

impl Gatherer {
    pub(crate) fn new(max_record_bytes: usize) -> Self {
        Self {
            encoder: Encoder::new(max_record_bytes),
            contexts: Contexts::new(max_record_bytes),
            block: Block::default(),
            tails: Vec::new(),
        }
    }

    pub(crate) fn block(&mut self) -> &mut Block {
        &mut self.block
    }

    /// Fills the block with at most `limit` bytes of lines (one line is always taken). Frames
    /// that were stamped by the rings' clock are dated by `to_ns`. With `distrust`, checksums
    /// are verified.
    pub(crate) fn gather(
        &mut self,
        rings: &RingFile,
        limit: usize,
        to_ns: impl Fn(u64) -> i64,
        distrust: bool,
    ) {
        // The tails first: a context is stored before the frame that needs it is published.
        self.tails.clear();
        self.tails.extend(rings.used().map(|ring| ring.control.tail()));
        self.contexts.refresh(rings);
        let used = self
            .tails
            .iter()
            .enumerate()
            .map(|(index, _)| (index, sane(rings.ring(index).control.position())));
        self.block.begin(used);
        Work { gatherer: self, rings, to_ns, distrust }.run(limit);
    }
}

/// A position that can be counted on from, whatever a damaged ring says.
fn sane(position: Position) -> Position {
    Position { records: position.records.min(u64::MAX / 2), ..position }
}

/// A gathering under way.
struct Work<'g, 'm, F> {
    gatherer: &'g mut Gatherer,
    rings: &'m RingFile,
    to_ns: F,
    distrust: bool,
}

impl<'m, F: Fn(u64) -> i64> Work<'_, 'm, F> {
    fn run(&mut self, limit: usize) {
        let mut cursors = Vec::new();
        for place in 0..self.gatherer.tails.len() {
            let ring = self.rings.ring(place);
            let position = ring.control.position();
            let end = self.gatherer.tails[place];
            let mut cursor = Cursor { ring, place, end, last_ns: position.last_ns, next: None };
            self.advance(&mut cursor, position.head);
            if cursor.next.is_some() {
                cursors.push(cursor);
            }
        }
        while let Some((first, until)) = earliest(&cursors) {
            if !self.take_run(&mut cursors[first], until, limit) {
                return;
            }
            if cursors[first].next.is_none() {
                cursors.swap_remove(first);
            }
        }
    }

    /// Takes records from one ring as long as they are not later than `until`; false when the
    /// block is full.
    fn take_run(&mut self, cursor: &mut Cursor<'m>, until: i64, limit: usize) -> bool {
        while let Some((frame, behind, ns)) = cursor.next {
            if ns > until {
                return true;
            }
            if !self.take(cursor, &frame, behind, ns, limit) {
                return false;
            }
            self.advance(cursor, behind);
        }
        true
    }

    /// Encodes one record; false when its line does not fit any more.
    #[inline]
    fn take(
        &mut self,
        cursor: &mut Cursor<'m>,
        frame: &Frame<'m>,
        behind: u64,
        ns: i64,
        limit: usize,
    ) -> bool {
        let Gatherer { encoder, contexts, block, .. } = &mut *self.gatherer;
        let Some(context) = contexts.of(frame) else {
            block.skip(cursor.place, behind, 1);
            return true;
        };
        let source = Source {
            ns,
            level: frame.head.level,
            flags: frame.head.flags,
            message: frame.message,
            tags: frame.tags,
        };
        let lines = block.lines_mut();
        let start = lines.len();
        let outcome = encoder.append(lines, context, source);
        if lines.len() > limit && start > 0 {
            lines.truncate(start);
            return false;
        }
        if frame.head.flags & FLAG_GIVEN_TIME == 0 {
            cursor.last_ns = ns;
        }
        block.mark(cursor.place, behind, cursor.last_ns);
        if outcome.truncated {
            self.rings.count(Counter::Truncated, 1);
        }
        if outcome.nonfinite > 0 {
            self.rings.count(Counter::NonFinite, u64::from(outcome.nonfinite));
        }
        true
    }

    /// Reads the frame at `position`. What is damaged is skipped to the ring's end, because
    /// nothing says where the next frame would begin.
    #[inline]
    fn advance(&mut self, cursor: &mut Cursor<'m>, position: u64) {
        cursor.next = None;
        match cursor.ring.step(position, cursor.end) {
            Step::End => {}
            Step::Frame(bytes, behind) => match self.read(bytes) {
                Some(frame) => {
                    let ns = if frame.head.flags & FLAG_GIVEN_TIME == 0 {
                        (self.to_ns)(frame.head.stamp).max(cursor.last_ns.saturating_add(1))
                    } else {
                        frame.head.stamp.cast_signed()
                    };
                    cursor.next = Some((frame, behind, ns));
                }
                None => self.give_up(cursor),
            },
            Step::Damaged => self.give_up(cursor),
        }
    }

    #[inline]
    fn read(&self, bytes: &'m [u8]) -> Option<Frame<'m>> {
        if self.distrust && self.rings.checked() {
            let stored = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
            if stored != check(bytes) {
                return None;
            }
        }
        Frame::parse(bytes)
    }

    #[cold]
    fn give_up(&mut self, cursor: &Cursor<'m>) {
        let (_, published) = cursor.ring.control.records();
        let block = &mut self.gatherer.block;
        let taken = block.end().get(cursor.place).map_or(0, |(_, position)| position.records);
        // Counts may be damaged, too: no more records can be there than have room.
        let most = self.rings.layout().ring_bytes() / FRAME_HEADER as u64;
        block.skip(cursor.place, cursor.end, published.saturating_sub(taken).min(most));
    }
}

/// The ring whose next record is the earliest, and the time of the second: up to there its
/// records come without asking again.
fn earliest(cursors: &[Cursor<'_>]) -> Option<(usize, i64)> {
    let mut first = None;
    let mut second = i64::MAX;
    for (index, cursor) in cursors.iter().enumerate() {
        let Some((_, _, ns)) = cursor.next else {
            continue;
        };
        match first {
            Some((_, earliest)) if ns >= earliest => second = second.min(ns),
            _ => {
                if let Some((_, before)) = first {
                    second = before;
                }
                first = Some((index, ns));
            }
        }
    }
    first.map(|(index, _)| (index, second))
}
