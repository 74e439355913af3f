//! What lies beside a log for the rings of its processes, by the names of the files.

use std::path::Path;

use super::rotation::folder_of;
use crate::error::{Error, Result};
use crate::names;

/// The ids in those names.
#[derive(Default)]
pub(crate) struct Beside {
    /// Of rings notes.
    pub(crate) notes: Vec<u64>,
    /// Of notes that are being made, or that were left so.
    pub(crate) unfinished: Vec<u64>,
    /// Of ring files.
    pub(crate) rings: Vec<u64>,
}

impl Beside {
    /// Looks once through the log's folder.
    pub(crate) fn of(log: &Path) -> Result<Self> {
        let folder = folder_of(log);
        let failed = |error| Error::io(folder, "looking for rings of dead processes", error);
        let stem = names::stem(log);
        let mut found = Self::default();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(name) = name.to_str() else { continue };
            for (parsed, ids) in [
                (names::parse_rings_note(name), &mut found.notes),
                (names::parse_unfinished_note(name), &mut found.unfinished),
                (names::parse_ring_data(name), &mut found.rings),
            ] {
                ids.extend(parsed.filter(|(of, _)| Some(*of) == stem).map(|(_, id)| id));
            }
        }
        Ok(found)
    }
}
