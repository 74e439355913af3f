//! How many lines a log has, counted beside the thread that ships it, which may be in the midst of a
//! request.

use std::fs::File;
use std::path::Path;

use super::offset::Target;
use super::offset_file::OffsetFile;
use super::segments::{Segments, recognise};
use super::source::count_lines;

/// All lines that the log has had since it is shipped: those that the offset file knows of, and those
/// behind them. `None` where that cannot be told.
pub(super) fn lines(log: &Path, target: &Target) -> Option<u64> {
    let mut offset = OffsetFile::new(log, target).read(target).ok().flatten()?;
    let parts = Segments::new(log).look().ok()?;
    let known = recognise(&mut offset, &parts, &[]).ok()?;
    let mut lines = offset.delivery().lines;
    for known in known.iter().filter(|known| known.rewind_to.is_none()) {
        let (from, to) = (offset.segments[known.segment].counted_to, known.part.committed);
        if from < to {
            let file = File::open(&known.part.path).ok()?;
            lines += count_lines(&file, from, to).ok()?;
        }
    }
    Some(lines)
}
