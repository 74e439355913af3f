//! The files of one log, and which part of the offset belongs to which.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::identity::{first_line, line_before};
use super::offset::{Offset, Proof, Segment};
use crate::error::{Error, Result};
use crate::file::{LogFile, Rotation, id_of, whole_lines};
use crate::names;
use crate::ring::FileId;

/// How often deleted segments are looked for.
const LISTED_FOR: Duration = Duration::from_secs(5);

/// A file of the log: a rotated segment, or the live one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) id: FileId,
    /// Bytes that are whole, finished appends; behind a newline or 0.
    pub(crate) committed: u64,
}

/// Looks at the files of a log.
pub(crate) struct Segments {
    log: LogFile,
    listed: Option<Listed>,
}

struct Listed {
    at: Instant,
    live: Option<FileId>,
    rotated: Vec<Part>,
}

impl Segments {
    pub(crate) fn new(log: &Path) -> Self {
        Self { log: LogFile::new(log, Rotation::default()), listed: None }
    }

    /// All files of the log with what they have for good, oldest first.
    ///
    /// # Errors
    /// [`Error::Timeout`] where the log's lock cannot be had, [`Error::Io`].
    pub(crate) fn look(&mut self) -> Result<Vec<Part>> {
        let path = self.log.path().to_path_buf();
        let failed = |error| Error::io(&path, "looking at the files of the log", error);
        // A log that no process of ours writes to has no lock file, and gets none.
        let in_use = names::lock_file(&path).exists();
        let locked = if in_use { Some(self.log.lock()?) } else { None };
        let current = locked.as_ref().map(crate::file::Locked::current);
        // Rotation needs the lock, too: no file appears twice or not at all.
        let live = live_part(&path, current).map_err(failed)?;
        let id = live.as_ref().map(|part| part.id);
        // Who rotates begins a new live file, so that the same one means: not rotated.
        let fresh = |listed: &&Listed| {
            id.is_some() && listed.live == id && listed.at.elapsed() < LISTED_FOR
        };
        let mut parts = if let Some(listed) = self.listed.as_ref().filter(fresh) {
            listed.rotated.clone()
        } else {
            let rotated = rotated_parts(&path).map_err(failed)?;
            let at = Instant::now();
            self.listed = Some(Listed { at, live: id, rotated: rotated.clone() });
            rotated
        };
        parts.extend(live);
        Ok(parts)
    }
}

fn live_part(path: &Path, current: Option<(FileId, u64)>) -> io::Result<Option<Part>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let (id, size) = (id_of(&file)?, file.metadata()?.len());
    // Of a file that no writer has taken over yet, and of one that was cut, whole lines count.
    let known = current.filter(|(log, committed)| *log == id && *committed <= size);
    let committed = match known {
        Some((_, committed)) => committed,
        None => whole_lines(&file, 0)?,
    };
    Ok(Some(Part { path: path.to_path_buf(), id, committed }))
}

fn rotated_parts(log: &Path) -> io::Result<Vec<Part>> {
    let (Some(stem), Some(folder)) = (names::stem(log), log.parent()) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut parts = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(names::parse_segment).filter(|(of, _)| *of == stem);
        let Some((_, number)) = number else { continue };
        let file = File::open(entry.path())?;
        let metadata = file.metadata()?;
        let committed = whole_lines(&file, 0)?;
        let id = (metadata.dev(), metadata.ino());
        parts.push((number, Part { path: entry.path(), id, committed }));
    }
    parts.sort_by_key(|(number, _)| *number);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

/// A part and the place of its segment in the offset.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) part: Part,
    pub(crate) segment: usize,
    /// The file is not what was read: everything behind this point is to be done again.
    pub(crate) rewind_to: Option<u64>,
}

/// Finds each part's segment in the offset, by its first line and not by its name; new ones are
/// added behind the others. Parts without a line are left out, and those that have just gone; what
/// has not changed since `before` is not looked at again.
pub(crate) fn recognise(
    offset: &mut Offset,
    parts: &[Part],
    before: &[Known],
) -> io::Result<Vec<Known>> {
    let same = |part: &Part| before.iter().find(|known| known.part == *part).cloned();
    let mut known: Vec<Known> = parts.iter().filter_map(same).collect();
    for part in parts.iter().filter(|part| part.committed > 0 && same(part).is_none()) {
        let file = match File::open(&part.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let Some(first) = first_line(&file, part.committed)? else { continue };
        let free = |index: &usize| {
            offset.segments[*index].first == first && known.iter().all(|k| k.segment != *index)
        };
        let hinted = |index: &usize| {
            let segment = &offset.segments[*index];
            (segment.device, segment.inode) == part.id
        };
        let all = 0..offset.segments.len();
        let found = all.clone().filter(free).find(hinted).or_else(|| all.clone().find(free));
        let segment = found.unwrap_or(offset.segments.len());
        if found.is_none() {
            offset.segments.push(Segment { first, ..Segment::default() });
        }
        let entry = &mut offset.segments[segment];
        (entry.device, entry.inode) = part.id;
        entry.file =
            part.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let rewind_to = proven(entry, &file, part.committed)?;
        known.push(Known { part: part.clone(), segment, rewind_to });
    }
    known.sort_by_key(|known| parts.iter().position(|part| *part == known.part));
    Ok(known)
}

/// `None` where the file is what was looked at; else the last point up to which it is.
pub(super) fn proven(segment: &Segment, file: &File, committed: u64) -> io::Result<Option<u64>> {
    let is_there = |proof: &Proof| -> io::Result<bool> {
        Ok(proof.at <= committed && line_before(file, proof.at)? == Some(proof.last))
    };
    let reached = segment.reach.as_ref().map_or(Ok(true), is_there)?;
    let mut whole = reached && segment.mark <= committed && segment.counted_to <= committed;
    for proof in segment.proofs.iter().rev() {
        if is_there(proof)? {
            return Ok((!whole).then_some(proof.at));
        }
        whole = false;
    }
    Ok((!whole).then_some(0))
}

#[cfg(test)]
#[path = "segments_tests.rs"]
mod tests;
