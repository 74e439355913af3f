//! A ring file: a process's rings in mapped memory, with all that a stranger needs to move
//! their records into the log once the process is dead.
//!
//! ```text
//! 0      header: magic, layout, boot id, log path, checksum; written once
//! 4096   state: rings in use, bytes of contexts, counters, the clock's calibration
//! 8192   a control block for each ring
//! …      contexts: len u32 | id u32 | JSON, padded to 8, back to back
//! …      the rings
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::header::{Birth, CONTEXT_BYTES, CONTROLS, Header, Layout, PAGE, STATE, mounts};
use super::mapping::Mapping;
use super::queue::{Control, Position, Ring};
use crate::clock::{Calibration, Clock};
use crate::config::Rotation;
use crate::failpoint::{self, Point};
use crate::sys::NotInherited;

/// Names a file: device and inode.
pub(crate) type FileId = (u64, u64);

/// Counters of a process in its ring file, so that `lb status` can read them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counter {
    Dropped = 0,
    Rejected = 1,
    Truncated = 2,
    NonFinite = 3,
    Shared = 4,
    /// Of the dropped ones, those that a gap record in the log tells of.
    Told = 5,
}

impl Backing {
    fn new(file: File, log_path: PathBuf, path: &Path, file_id: FileId) -> Self {
        let path = path.to_path_buf();
        Self { _not_inherited: NotInherited::new(&file), file, log_path, path, file_id }
    }
}

/// Where in the state page things are.
const RINGS_USED: usize = STATE;
const CONTEXTS_LEN: usize = STATE + 8;
const COUNTERS: usize = STATE + 64;
const CALIBRATIONS: usize = STATE + 256;

/// A ring file, mapped. Dropping it unmaps and unlocks; it removes nothing.
pub(crate) struct RingFile {
    map: Mapping,
    header: Header,
    backing: Option<Backing>,
}

/// The file behind the memory.
struct Backing {
    _not_inherited: NotInherited,
    file: File,
    /// The log that the rings are of, as the header says.
    log_path: PathBuf,
    path: PathBuf,
    file_id: FileId,
}

impl RingFile {
    /// Rings in plain memory: nothing survives the process.
    pub(crate) fn in_memory(layout: Layout, birth: &Birth<'_>) -> io::Result<Self> {
        let map = Mapping::anonymous(layout.total())?;
        let this = Self { map, header: Header::new(layout, birth, false), backing: None };
        this.counter_at(RINGS_USED).store(1, Ordering::Release);
        Ok(this)
    }

    /// Makes a ring file, allocated, locked, and readable by its owner only. `checked` adds a
    /// checksum to each frame, for places that outlive a power loss.
    pub(crate) fn create(
        path: &Path,
        layout: Layout,
        birth: &Birth<'_>,
        checked: bool,
    ) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        let made = Self::fill(file, path, layout, birth, checked);
        if made.is_err() {
            let _ = std::fs::remove_file(path);
        }
        made
    }

    fn fill(
        file: File,
        path: &Path,
        layout: Layout,
        birth: &Birth<'_>,
        checked: bool,
    ) -> io::Result<Self> {
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.set_len(layout.total() as u64)?;
        failpoint::at(Point::RingFileEmpty);
        allocate(&file, 0, layout.ring(1))?;
        let header = Header::new(layout, birth, checked);
        file.write_all_at(&header.encode(birth.log_path)?, 0)?;
        let metadata = file.metadata()?;
        let file_id = (metadata.dev(), metadata.ino());
        let map = map(path, file_id, layout.total())?;
        let log_path = birth.log_path.to_path_buf();
        let backing = Some(Backing::new(file, log_path, path, file_id));
        let this = Self { map, header, backing };
        this.counter_at(RINGS_USED).store(1, Ordering::Release);
        Ok(this)
    }

    /// Maps the ring file of another process. The caller has made sure that it is dead, or
    /// only looks at counters. Every number in it is checked.
    pub(crate) fn open(file: File, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut page = [0u8; PAGE];
        file.read_exact_at(&mut page, 0)?;
        let header = Header::decode(&page)?;
        let total = header.layout.total();
        if metadata.len() < total as u64 {
            let what = "a ring file that is shorter than it says";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let file_id = (metadata.dev(), metadata.ino());
        let map = map(path, file_id, total)?;
        let log_path = Header::log_path(&page);
        let backing = Some(Backing::new(file, log_path, path, file_id));
        Ok(Self { map, header, backing })
    }

    /// Whether a file whose header is not sound was once to become a ring file, or was one: others'
    /// files may have names like ours.
    pub(crate) fn was_begun_in(file: &File) -> bool {
        let mut page = [0; PAGE];
        let filled = file.read_at(&mut page, 0);
        filled.is_ok_and(|len| Header::was_begun(&page[..len]))
    }

    pub(crate) fn id(&self) -> u64 {
        self.header.id
    }

    /// Device and inode; `None` in plain memory.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        self.backing.as_ref().map(|backing| backing.file_id)
    }

    /// The log that its owner writes to, as its owner wrote it down; empty in plain memory.
    pub(crate) fn log_path(&self) -> &Path {
        self.backing.as_ref().map_or(Path::new(""), |backing| &backing.log_path)
    }

    /// Where it was opened; empty in plain memory.
    pub(crate) fn path(&self) -> &Path {
        self.backing.as_ref().map_or(Path::new(""), |backing| &backing.path)
    }

    /// Whether its owner saw the mounts that this process sees, so that its log's path means the
    /// same.
    pub(crate) fn made_among_these_mounts(&self) -> bool {
        self.header.mounts == mounts()
    }

    pub(crate) fn boot_id(&self) -> [u8; 16] {
        self.header.boot_id
    }

    /// The process that made it, as it named itself.
    pub(crate) fn pid(&self) -> Option<u32> {
        (self.header.pid != 0).then_some(self.header.pid)
    }

    /// The longest line that its process would write, in bytes.
    pub(crate) fn max_record_bytes(&self) -> usize {
        usize::try_from(self.header.max_record_bytes).unwrap_or(usize::MAX)
    }

    /// How its process rotates the log.
    pub(crate) fn rotation(&self) -> Rotation {
        self.header.rotation
    }

    pub(crate) fn layout(&self) -> Layout {
        self.header.layout
    }

    /// Whether frames bear checksums.
    pub(crate) fn checked(&self) -> bool {
        self.header.checked
    }

    /// Adds a ring and returns its index; `None` when there are as many as there can be, or no
    /// memory is left for it. Not to be called by two threads at once.
    pub(crate) fn add_ring(&self) -> Option<usize> {
        let index = self.rings_used();
        if index >= self.header.layout.rings() {
            return None;
        }
        if let Some(backing) = &self.backing {
            allocate(
                &backing.file,
                self.header.layout.ring(index),
                self.header.layout.ring(index + 1),
            )
            .ok()?;
        }
        self.counter_at(RINGS_USED).store(index as u64 + 1, Ordering::Release);
        Some(index)
    }

    pub(crate) fn rings_used(&self) -> usize {
        let used = self.counter_at(RINGS_USED).load(Ordering::Acquire);
        usize::try_from(used).map_or(0, |used| used.min(self.header.layout.rings()))
    }

    /// The ring of an index below [`Layout::rings`].
    pub(crate) fn ring(&self, index: usize) -> Ring<'_> {
        let control = self.map.control(CONTROLS + index * size_of::<Control>());
        let data = self.map.bytes(self.header.layout.ring(index), self.header.layout.ring_len());
        Ring::new(control, data, self.header.layout.ring_bytes())
    }

    /// All rings in use.
    pub(crate) fn used(&self) -> impl Iterator<Item = Ring<'_>> {
        (0..self.rings_used()).map(|index| self.ring(index))
    }

    /// Records taken and records published, over all rings; the second is never smaller. Counts of
    /// a damaged file saturate.
    pub(crate) fn records(&self) -> (u64, u64) {
        let each = self.used().map(|ring| ring.control.records());
        each.fold((0, 0), |sum: (u64, u64), ring| {
            (sum.0.saturating_add(ring.0), sum.1.saturating_add(ring.1))
        })
    }

    /// Notes in each ring where it will stand when append `number` is in the file. Rings that
    /// are not named keep their place.
    pub(crate) fn prepare(&self, number: u64, positions: &[(usize, Position)]) {
        for &(index, position) in positions {
            self.ring(index).control.prepare(number, position);
            failpoint::at(Point::PreparedOne);
        }
    }

    /// Makes true what was noted under `number`.
    pub(crate) fn finish(&self, number: u64) {
        for ring in self.used() {
            ring.control.finish(number);
            failpoint::at(Point::FinishedOne);
        }
    }

    pub(crate) fn count(&self, counter: Counter, by: u64) {
        self.counter_at(COUNTERS + 8 * counter as usize).fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counter_at(COUNTERS + 8 * counter as usize).load(Ordering::Relaxed)
    }

    /// Records that were dropped and that no gap record tells of yet.
    pub(crate) fn untold(&self) -> u64 {
        self.counted(Counter::Dropped).saturating_sub(self.counted(Counter::Told))
    }

    fn counter_at(&self, offset: usize) -> &AtomicU64 {
        self.map.atomic(offset)
    }

    /// Adds a context that frames may then refer to by `id`; false where it does not fit.
    /// Not to be called by two threads at once.
    pub(crate) fn store_context(&self, id: u32, json: &[u8]) -> bool {
        let len = self.counter_at(CONTEXTS_LEN);
        let at = usize::try_from(len.load(Ordering::Relaxed)).unwrap_or(CONTEXT_BYTES);
        let end = (at + 8 + json.len()).next_multiple_of(8);
        let Ok(json_len) = u32::try_from(json.len()) else {
            return false;
        };
        if end > CONTEXT_BYTES {
            return false;
        }
        let place = self.header.layout.contexts() + at;
        self.map.write(place, &json_len.to_le_bytes());
        self.map.write(place + 4, &id.to_le_bytes());
        self.map.write(place + 8, json);
        len.store(end as u64, Ordering::Release);
        true
    }

    /// Bytes of contexts that were stored: it changes when there are more.
    pub(crate) fn contexts_len(&self) -> u64 {
        self.counter_at(CONTEXTS_LEN).load(Ordering::Acquire)
    }

    /// The contexts that were stored, as far as they can be read.
    pub(crate) fn contexts(&self) -> Vec<(u32, Vec<u8>)> {
        let len = self.counter_at(CONTEXTS_LEN).load(Ordering::Acquire);
        let len = usize::try_from(len).map_or(0, |len| len.min(CONTEXT_BYTES));
        let bytes = self.map.read(self.header.layout.contexts(), len);
        let mut rest = bytes.as_slice();
        let mut found = Vec::new();
        while let Some((head, body)) = rest.split_at_checked(8) {
            let (size, id) = head.split_at(4);
            let size = u32::from_le_bytes(size.try_into().unwrap_or_default()) as usize;
            let id = u32::from_le_bytes(id.try_into().unwrap_or_default());
            let Some(json) = body.get(..size) else {
                break;
            };
            found.push((id, json.to_vec()));
            rest = body.get(size.next_multiple_of(8)..).unwrap_or_default();
        }
        found
    }

    /// Publishes the clock's calibration. The one that stood before stays readable until the
    /// new one is whole. Only the writer calls it.
    pub(crate) fn publish_calibration(&self, calibration: Calibration) {
        let turn = self.counter_at(CALIBRATIONS);
        let next = turn.load(Ordering::Relaxed).wrapping_add(1);
        let slot = CALIBRATIONS + 64 + usize::from(next & 1 == 1) * 64;
        self.counter_at(slot).store(calibration.anchor_ticks, Ordering::Relaxed);
        self.counter_at(slot + 8).store(calibration.anchor_ns.cast_unsigned(), Ordering::Relaxed);
        self.counter_at(slot + 16).store(calibration.ns_per_tick, Ordering::Relaxed);
        turn.store(next, Ordering::Release);
    }

    /// The last calibration that was published.
    pub(crate) fn calibration(&self) -> Calibration {
        if self.header.clock == Clock::Realtime {
            return Calibration::IDENTITY;
        }
        let turn = self.counter_at(CALIBRATIONS).load(Ordering::Acquire);
        let slot = CALIBRATIONS + 64 + usize::from(turn & 1 == 1) * 64;
        Calibration {
            anchor_ticks: self.counter_at(slot).load(Ordering::Relaxed),
            anchor_ns: self.counter_at(slot + 8).load(Ordering::Relaxed).cast_signed(),
            ns_per_tick: self.counter_at(slot + 16).load(Ordering::Relaxed),
        }
    }

    /// Takes the lock that says who may settle a dead process's rings; false where another has
    /// it. Held until this value is dropped.
    pub(crate) fn lock(&self) -> io::Result<bool> {
        let Some(backing) = &self.backing else {
            return Ok(true);
        };
        match flock(&backing.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the file, if its path still leads to it.
    pub(crate) fn remove(&self) {
        if let Some(backing) = &self.backing {
            self.remove_at(&backing.path);
        }
    }

    /// Deletes the file at a path that it was moved to, if that leads to it.
    pub(crate) fn remove_at(&self, path: &Path) {
        let there = std::fs::symlink_metadata(path).ok().map(|now| (now.dev(), now.ino()));
        if there.is_some() && there == self.file_id() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Maps a ring file by an open file of its own: a mapping holds what it was made from, and a
/// forked child that inherits it must not keep its parent's lock.
fn map(path: &Path, file_id: FileId, len: usize) -> io::Result<Mapping> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let metadata = file.metadata()?;
    if (metadata.dev(), metadata.ino()) != file_id {
        return Err(io::Error::new(io::ErrorKind::NotFound, "another file has its place"));
    }
    Mapping::of_file(&file, len)
}

/// Takes real blocks for a range of the file: a write to a mapped page without one would be a
/// SIGBUS when the disk is full.
fn allocate(file: &File, start: usize, end: usize) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let (from, len) = (start as u64, (end - start) as u64);
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), from, len) {
            Err(rustix::io::Errno::OPNOTSUPP) => {}
            done => return done.map_err(io::Error::from),
        }
    }
    let zeros = vec![0u8; 64 * 1024];
    let mut at = start;
    while at < end {
        let len = (end - at).min(zeros.len());
        file.write_all_at(&zeros[..len], at as u64)?;
        at += len;
    }
    Ok(())
}

// Miri maps no files.
#[cfg(all(test, not(miri), not(lb_loom)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ring::tests_support;

    fn birth() -> Birth<'static> {
        let rotation = Rotation { max_bytes: Some(9999), max_age: None };
        let birth = tests_support::birth(7, Path::new("/x/a.jsonl"));
        Birth { clock: Clock::Counter, rotation, ..birth }
    }

    #[test]
    fn what_was_made_can_be_read_by_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rings");
        let made = RingFile::create(&path, Layout::new(65_536, 1 << 20), &birth(), true).unwrap();
        assert_eq!(made.add_ring(), Some(1));
        assert!(made.store_context(1, b"{\"a\":1}"));
        assert!(made.store_context(2, b"{}"));
        assert!(!made.store_context(3, &vec![b'x'; CONTEXT_BYTES]));
        let line = Calibration { anchor_ticks: 5, anchor_ns: -6, ns_per_tick: 7 };
        made.publish_calibration(line);
        made.count(Counter::Dropped, 3);

        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let seen = RingFile::open(file, &path).unwrap();
        assert_eq!((seen.id(), seen.rings_used(), seen.checked()), (7, 2, true));
        assert_eq!(seen.boot_id(), [3; 16]);
        assert_eq!(seen.log_path(), Path::new("/x/a.jsonl"));
        assert_eq!(seen.rotation(), birth().rotation);
        assert_eq!(seen.layout(), made.layout());
        assert_eq!(seen.contexts(), [(1, b"{\"a\":1}".to_vec()), (2, b"{}".to_vec())]);
        assert_eq!(seen.calibration(), line);
        assert_eq!(seen.counted(Counter::Dropped), 3);
        seen.remove();
        assert!(!path.exists());
    }

    #[test]
    fn rings_are_bounded() {
        let layout = Layout::new(65_536, 200_000);
        let memory = RingFile::in_memory(layout, &birth()).unwrap();
        assert_eq!(
            [memory.add_ring(), memory.add_ring(), memory.add_ring()],
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn damaged_headers_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rings");
        let made = RingFile::create(&path, Layout::new(65_536, 1 << 20), &birth(), false).unwrap();
        drop(made);
        let sound = std::fs::read(&path).unwrap();
        let reopen = || {
            RingFile::open(OpenOptions::new().read(true).write(true).open(&path).unwrap(), &path)
        };
        for at in [0, 9, 17, 25, 33, 41, 57, 100, PAGE - 1] {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            assert!(reopen().is_err(), "byte {at}");
        }
        std::fs::write(&path, &sound[..sound.len() - 1]).unwrap();
        assert!(reopen().is_err(), "cut");
        std::fs::write(&path, &sound[..100]).unwrap();
        assert!(reopen().is_err(), "cut in the header");
        std::fs::write(&path, &sound).unwrap();
        assert!(reopen().is_ok());
    }
}
