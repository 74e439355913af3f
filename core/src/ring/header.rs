//! The first page of a ring file: what it is, whose, and where its parts lie.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::queue::Control;
use crate::clock::Clock;
use crate::config::Rotation;

const MAGIC: &[u8; 8] = b"lbrings1";
pub(super) const PAGE: usize = 4096;
/// The page behind the header: counters and the clock.
pub(super) const STATE: usize = PAGE;
pub(super) const CONTROLS: usize = 2 * PAGE;
/// Bytes for contexts; what does not fit travels in the frames.
pub(super) const CONTEXT_BYTES: usize = 64 * 1024;
/// Where the log's path begins.
const PATH_AT: usize = 96;
const MAX_RINGS: u64 = 4096;
/// No configuration allows longer lines than this.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// Where each part of a ring file lies; follows from two numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Layout {
    ring_bytes: u64,
    rings: u64,
}

impl Layout {
    /// Rings of `ring_bytes`, as many as `total_bytes` holds, at least one.
    pub(crate) fn new(ring_bytes: u64, total_bytes: u64) -> Self {
        let ring_bytes = ring_bytes.max(PAGE as u64).next_power_of_two();
        Self { ring_bytes, rings: (total_bytes / ring_bytes).clamp(1, MAX_RINGS) }
    }

    fn read(ring_bytes: u64, rings: u64) -> Option<Self> {
        let sound = ring_bytes.is_power_of_two()
            && (PAGE as u64..=1 << 40).contains(&ring_bytes)
            && (1..=MAX_RINGS).contains(&rings);
        sound.then_some(Self { ring_bytes, rings })
    }

    /// Bytes of a ring.
    pub(crate) fn ring_bytes(&self) -> u64 {
        self.ring_bytes
    }

    /// How many rings there can be.
    pub(crate) fn rings(&self) -> usize {
        usize::try_from(self.rings).unwrap_or(1)
    }

    pub(super) fn contexts(&self) -> usize {
        (CONTROLS + self.rings() * size_of::<Control>()).next_multiple_of(PAGE)
    }

    fn data(&self) -> usize {
        self.contexts() + CONTEXT_BYTES
    }

    pub(super) fn ring(&self, index: usize) -> usize {
        self.data() + index * self.ring_len()
    }

    pub(super) fn ring_len(&self) -> usize {
        usize::try_from(self.ring_bytes).unwrap_or(PAGE)
    }

    pub(super) fn total(&self) -> usize {
        self.ring(self.rings())
    }
}

/// What a new ring file is told about its world.
#[derive(Clone, Debug)]
pub(crate) struct Birth<'a> {
    pub(crate) id: u64,
    pub(crate) boot_id: [u8; 16],
    pub(crate) log_path: &'a Path,
    pub(crate) clock: Clock,
    /// The longest line that the process writes: its records are not cut shorter by others.
    pub(crate) max_record_bytes: u64,
    /// How the process rotates its log.
    pub(crate) rotation: Rotation,
}

/// Names the mount namespace of this process; 0 where the system has no such name.
pub(super) fn mounts() -> u64 {
    if cfg!(miri) {
        return 0; // Nor has an interpreter.
    }
    std::fs::metadata("/proc/self/ns/mnt").map_or(0, |metadata| metadata.ino())
}

/// What a header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) id: u64,
    pub(super) boot_id: [u8; 16],
    pub(super) clock: Clock,
    /// Frames bear checksums.
    pub(super) checked: bool,
    pub(super) pid: u32,
    pub(super) max_record_bytes: u64,
    pub(super) rotation: Rotation,
    /// The mount namespace in which the log's path means what it means.
    pub(super) mounts: u64,
}

impl Header {
    pub(super) fn new(layout: Layout, birth: &Birth<'_>, checked: bool) -> Self {
        Self {
            layout,
            id: birth.id,
            boot_id: birth.boot_id,
            clock: birth.clock,
            checked,
            pid: std::process::id(),
            max_record_bytes: birth.max_record_bytes,
            rotation: birth.rotation,
            mounts: mounts(),
        }
    }

    /// The page, with the log's path for whoever finds the file alone.
    pub(super) fn encode(&self, log_path: &Path) -> io::Result<[u8; PAGE]> {
        let path = log_path.as_os_str().as_bytes();
        let mut page = [0; PAGE];
        let place = page[PATH_AT..PAGE - 4].get_mut(..path.len());
        place
            .ok_or_else(|| io::Error::other("the log's path is too long for a ring file's header"))?
            .copy_from_slice(path);
        page[..8].copy_from_slice(MAGIC);
        page[8..16].copy_from_slice(&self.id.to_le_bytes());
        page[16..24].copy_from_slice(&self.layout.ring_bytes.to_le_bytes());
        page[24..32].copy_from_slice(&self.layout.rings.to_le_bytes());
        page[32] = u8::from(self.clock == Clock::Counter);
        page[33] = u8::from(self.checked);
        page[36..40].copy_from_slice(&self.pid.to_le_bytes());
        page[40..56].copy_from_slice(&self.boot_id);
        page[56..64].copy_from_slice(&(path.len() as u64).to_le_bytes());
        page[64..72].copy_from_slice(&self.max_record_bytes.to_le_bytes());
        let seconds = self.rotation.max_age.map_or(0, |age| age.as_secs());
        page[72..80].copy_from_slice(&self.rotation.max_bytes.unwrap_or(0).to_le_bytes());
        page[80..88].copy_from_slice(&seconds.to_le_bytes());
        page[88..PATH_AT].copy_from_slice(&self.mounts.to_le_bytes());
        let sum = crc32fast::hash(&page[..PAGE - 4]);
        page[PAGE - 4..].copy_from_slice(&sum.to_le_bytes());
        Ok(page)
    }

    /// Whether a page that is not sound bears our mark, or nothing yet.
    pub(super) fn was_begun(page: &[u8]) -> bool {
        page.starts_with(MAGIC) || page.iter().all(|byte| *byte == 0)
    }

    /// The log's path in a page that was found sound.
    pub(super) fn log_path(page: &[u8; PAGE]) -> PathBuf {
        let len = u64::from_le_bytes(page[56..64].try_into().unwrap_or_default());
        let room = &page[PATH_AT..PAGE - 4];
        let path = usize::try_from(len).ok().and_then(|len| room.get(..len)).unwrap_or_default();
        PathBuf::from(OsStr::from_bytes(path))
    }

    /// Reads a page; every number in it is checked.
    pub(super) fn decode(page: &[u8; PAGE]) -> io::Result<Self> {
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let stored = u32::from_le_bytes(page[PAGE - 4..].try_into().unwrap_or_default());
        if !page.starts_with(MAGIC) || crc32fast::hash(&page[..PAGE - 4]) != stored {
            return Err(damaged("not a ring file, or its header is damaged"));
        }
        let number =
            |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap_or_default());
        let layout = Layout::read(number(16), number(24))
            .ok_or_else(|| damaged("a ring file with an impossible layout"))?;
        Ok(Self {
            layout,
            id: number(8),
            boot_id: page[40..56].try_into().unwrap_or_default(),
            clock: if page[32] == 1 { Clock::Counter } else { Clock::Realtime },
            checked: page[33] == 1,
            pid: u32::from_le_bytes(page[36..40].try_into().unwrap_or_default()),
            max_record_bytes: number(64).min(MAX_LINE),
            rotation: Rotation {
                max_bytes: Some(number(72)).filter(|max| *max > 0),
                max_age: Some(number(80)).filter(|max| *max > 0).map(Duration::from_secs),
            },
            mounts: number(88),
        })
    }
}
