//! What the lock file says: the committed length of the log, and the append under way.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::clock::realtime_ns;
use crate::ring::FileId;

const MAGIC: &[u8; 8] = b"lblock01";
const BYTES: usize = 512;
const UNREACHED_AT: usize = 136;
/// How many finished appends can wait for rings that are out of reach.
const MAX_UNREACHED: usize = 23;

/// An append between its note and its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct AppendNote {
    /// Whose records: the id of the ring file, 0 for rings in plain memory.
    pub(crate) ring_id: u64,
    /// Into which file.
    pub(crate) log: FileId,
    /// Length of the file before it.
    pub(crate) start: u64,
    /// Bytes that it adds.
    pub(crate) len: u64,
}

/// The lock file's content. Read and written only under the lock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct State {
    /// Of the boot in which it was written: another one voids the note and the length.
    pub(crate) boot_id: [u8; 16],
    /// The file that `committed` speaks of.
    pub(crate) log: FileId,
    /// Bytes of that file that are whole, finished appends.
    pub(crate) committed: u64,
    /// Nanoseconds since 1970 when that file was begun.
    pub(crate) started_ns: i64,
    /// The number that the next rotated segment gets; never used twice.
    pub(crate) next_segment: u64,
    /// The number of the last append; 0 is never one.
    pub(crate) number: u64,
    pub(crate) note: Option<AppendNote>,
    /// Finished appends whose rings could not be advanced: (number, ring id). Kept until that
    /// ring file's note is gone.
    pub(crate) unreached: Vec<(u64, u64)>,
}

impl State {
    /// Of a log that nothing is known about, as if it were of another boot. Numbers begin at the
    /// time of day, so that they are above whatever a lost lock file had given out.
    fn fresh() -> Self {
        Self {
            boot_id: [0; 16],
            log: (0, 0),
            committed: 0,
            started_ns: 0,
            next_segment: 1,
            number: realtime_ns().cast_unsigned().max(1),
            note: None,
            unreached: Vec::new(),
        }
    }

    /// Reads the lock file; a new or damaged one says nothing.
    pub(crate) fn read(file: &File) -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
        Ok(Self::decode(&bytes).unwrap_or_else(Self::fresh))
    }

    pub(crate) fn write(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode(), 0)
    }

    /// For tests of what such a file does.
    pub(crate) fn write_half(&self, file: &File) -> io::Result<()> {
        file.write_all_at(&self.encode()[..BYTES / 2], 0)
    }

    fn encode(&self) -> [u8; BYTES] {
        let note = self.note.unwrap_or(AppendNote { ring_id: 0, log: (0, 0), start: 0, len: 0 });
        let numbers = [
            self.log.0,
            self.log.1,
            self.committed,
            self.started_ns.cast_unsigned(),
            self.next_segment,
            self.number,
            u64::from(self.note.is_some()),
            note.ring_id,
            note.log.0,
            note.log.1,
            note.start,
            note.len,
            self.unreached.len().min(MAX_UNREACHED) as u64,
        ];
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..24].copy_from_slice(&self.boot_id);
        let waiting = self.unreached.iter().take(MAX_UNREACHED).flat_map(|pair| [pair.0, pair.1]);
        let (places, _) = bytes[24..BYTES - 8].as_chunks_mut::<8>();
        for (place, number) in places.iter_mut().zip(numbers.into_iter().chain([0]).chain(waiting))
        {
            *place = number.to_le_bytes();
        }
        let sum = crc32fast::hash(&bytes[..BYTES - 4]);
        bytes[BYTES - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; BYTES]) -> Option<Self> {
        let stored = u32::from_le_bytes(bytes[BYTES - 4..].try_into().ok()?);
        if !bytes.starts_with(MAGIC) || crc32fast::hash(&bytes[..BYTES - 4]) != stored {
            return None;
        }
        let (places, _) = bytes[24..BYTES - 8].as_chunks::<8>();
        let number = |index: usize| places.get(index).map_or(0, |place| u64::from_le_bytes(*place));
        let note = AppendNote {
            ring_id: number(7),
            log: (number(8), number(9)),
            start: number(10),
            len: number(11),
        };
        let first = (UNREACHED_AT - 24) / 8;
        // Numbers that nobody can count on from.
        if number(10).checked_add(number(11)).is_none() || number(4).max(number(5)) > u64::MAX / 2 {
            return None;
        }
        let waiting = usize::try_from(number(12)).map_or(0, |count| count.min(MAX_UNREACHED));
        Some(Self {
            boot_id: bytes[8..24].try_into().ok()?,
            log: (number(0), number(1)),
            committed: number(2),
            started_ns: number(3).cast_signed(),
            next_segment: number(4),
            number: number(5),
            note: (number(6) == 1).then_some(note),
            unreached: (0..waiting)
                .map(|index| (number(first + 2 * index), number(first + 2 * index + 1)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> State {
        State {
            boot_id: [9; 16],
            log: (1, 2),
            committed: 3,
            started_ns: -4,
            next_segment: 5,
            number: 6,
            note: Some(AppendNote { ring_id: 7, log: (8, 9), start: 10, len: 11 }),
            unreached: (0..MAX_UNREACHED as u64).map(|n| (100 + n, 200 + n)).collect(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(State::decode(&full().encode()), Some(full()));
        let plain = State { note: None, unreached: Vec::new(), ..full() };
        assert_eq!(State::decode(&plain.encode()), Some(plain));
    }

    #[test]
    fn impossible_numbers_say_nothing() {
        let note = |start, len| Some(AppendNote { ring_id: 1, log: (1, 2), start, len });
        for state in [
            State { number: u64::MAX, ..full() },
            State { next_segment: u64::MAX, ..full() },
            State { note: note(9, u64::MAX), ..full() },
        ] {
            assert_eq!(State::decode(&state.encode()), None, "{state:?}");
        }
    }

    #[test]
    fn a_flipped_bit_says_nothing() {
        let bytes = full().encode();
        for at in 0..BYTES {
            let mut damaged = bytes;
            damaged[at] ^= 1;
            assert_eq!(State::decode(&damaged), None, "byte {at}");
        }
        assert_eq!(State::decode(&[0; BYTES]), None);
    }
}
