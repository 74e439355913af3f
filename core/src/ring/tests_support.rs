//! What tests, models and fuzz targets of the rings share.

use std::path::Path;

#[cfg(test)]
use super::Fill;
use super::header::Birth;
use crate::clock::Clock;
use crate::config::Rotation;

/// The birth of a small ring file.
pub(crate) fn birth(id: u64, log_path: &Path) -> Birth<'_> {
    Birth {
        id,
        boot_id: [3; 16],
        log_path,
        clock: Clock::Realtime,
        max_record_bytes: 4096,
        rotation: Rotation::default(),
    }
}

/// A frame of a size, of one byte again and again.
#[cfg(test)]
pub(super) struct Same(pub(super) usize, pub(super) u8);

#[cfg(test)]
impl Fill for Same {
    fn size(&self) -> usize {
        self.0
    }

    #[allow(clippy::cast_possible_truncation)]
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.1);
        out[..4].copy_from_slice(&(self.0 as u32).to_le_bytes());
    }
}
