//! What is known of a log's lines without asking Loki: what the offset file and the quarantine say.

use std::collections::BTreeMap;
use std::path::Path;

use super::walk::first_of_collected;
use crate::error::{Error, Result};
use crate::loki::ship::identity::LineHash;
use crate::loki::ship::offset::{LineState, Offset, Segment, Target};
use crate::loki::ship::offset_file::OffsetFile;
use crate::loki::ship::quarantine::Quarantine;
use crate::loki::ship::ranges::Ranges;
use crate::loki::ship::segments::{Part, recognise};
use crate::names;

/// What is known of the lines of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// `None` where nobody has ever shipped the log to this Loki from here.
    segment: Option<Segment>,
    /// What the offset file says of bytes behind this is void.
    upto: u64,
    quarantined: Ranges,
}

impl Standing {
    /// What is known of the line that starts here.
    pub(super) fn of(&self, start: u64) -> LineState {
        let known = start < self.upto;
        match &self.segment {
            _ if known && self.quarantined.end_at(start).is_some() => LineState::Quarantined,
            Some(segment) if known => segment.state_of(start),
            Some(_) => LineState::Pending,
            None => LineState::Passed,
        }
    }
}

/// What is known of a collected file: what the quarantine says that was collected with it.
///
/// # Errors
/// [`Error::Io`], of a file that cannot be read.
pub(super) fn collected_standing(path: &Path, target: &Target, part: &Part) -> Result<Standing> {
    let log = names::log_of(path);
    let first =
        first_of_collected(part).map_err(|error| Error::io(path, "reading the log", error))?;
    let quarantine = Quarantine::new(&log, LineHash::from_id(target.id()));
    let mut standing = Standing { upto: u64::MAX, ..Standing::default() };
    quarantine
        .collected_entries(|held| {
            if Some(held.first) == first {
                standing.quarantined.insert(held.position, held.position + held.bytes);
            }
        })
        .map_err(|error| Error::io(quarantine.path(), "reading the quarantine", error))?;
    Ok(standing)
}

/// What is known of each of a log's files, and its static labels.
///
/// # Errors
/// [`Error::Io`], of a file that cannot be read.
pub(super) fn standings(
    log: &Path,
    target: &Target,
    parts: &[Part],
) -> Result<(BTreeMap<String, String>, Vec<Standing>)> {
    // A damaged one says nothing.
    let found = OffsetFile::new(log, target).read(target).unwrap_or_default();
    let shipped = found.is_some();
    let mut offset = found.unwrap_or_else(|| Offset::new(target.clone(), BTreeMap::new()));
    let known = recognise(&mut offset, parts, &[])
        .map_err(|error| Error::io(log, "reading the files of the log", error))?;
    let quarantine = Quarantine::new(log, LineHash::from_id(target.id()));
    let mut standings = vec![Standing::default(); parts.len()];
    let of = |known: &crate::loki::ship::segments::Known| {
        parts.iter().position(|part| *part == known.part)
    };
    for known in &known {
        let Some(standing) = of(known).and_then(|index| standings.get_mut(index)) else { continue };
        standing.segment = shipped.then(|| offset.segments[known.segment].clone());
        standing.upto = known.rewind_to.unwrap_or(u64::MAX);
    }
    quarantine
        .entries(|held| {
            let known = known.iter().find(|k| offset.segments[k.segment].first == held.first);
            let Some(index) = known.and_then(of) else { return };
            standings[index].quarantined.insert(held.position, held.position + held.bytes);
        })
        .map_err(|error| Error::io(quarantine.path(), "reading the quarantine", error))?;
    Ok((offset.labels, standings))
}
