//! What a collection needs of a source, wherever that is.

use std::io::{self, Read};

use super::listing::{LogFile, LogName, Raw};

/// A file of a log, as the manifest has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Verified {
    pub(super) path: Vec<u8>,
    /// Bytes of the whole file.
    pub(super) size: u64,
    /// Of them.
    pub(super) sha256: String,
}

/// The files of a log that are to be removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Doomed {
    /// The path of its live file.
    pub(super) live: Vec<u8>,
    pub(super) files: Vec<Verified>,
}

/// What became of files that were to be removed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Removal {
    /// The paths of those that are gone.
    pub(super) removed: Vec<Vec<u8>>,
    /// Why the others stay.
    pub(super) kept: Vec<String>,
}

/// What is to be fetched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Wanted {
    Log(LogFile),
    /// Loki's offset file of a log, for its static labels.
    Offset(LogName, Vec<u8>),
}

/// Most bytes of an offset file.
pub(super) const LONGEST_OFFSET: u64 = 16 << 20;

impl Wanted {
    pub(super) fn path(&self) -> &[u8] {
        match self {
            Self::Log(file) => &file.path,
            Self::Offset(_, path) => path,
        }
    }

    /// Bytes to be read of it, at most.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Log(file) => file.bytes,
            Self::Offset(..) => LONGEST_OFFSET,
        }
    }

    /// Device and inode that the listing had seen; empty where it could not tell.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Log(file) => file.stamp.rsplit_once('-').map_or("", |(_, id)| id),
            Self::Offset(..) => "",
        }
    }
}

/// Why no more comes from a source; one sentence for a user, with what to do.
#[derive(Debug)]
pub(super) struct Ended(pub(super) String);

/// Where the files of a source arrive, one after the other.
pub(super) trait Desk {
    /// The content of the file with this number in the list. An error of reading is handed back; one
    /// of writing ends it all.
    fn take(&mut self, number: usize, content: &mut dyn Read) -> Result<(), Interrupted>;

    /// Whether what was just taken is the file that was listed, or another one had its name.
    fn taken(&mut self, number: usize, is_listed: bool) -> Result<(), Ended>;

    /// The file cannot be read.
    fn cannot(&mut self, number: usize, why: &str);
}

/// What has stopped a file on its way.
#[derive(Debug)]
pub(super) enum Interrupted {
    Reading(io::Error),
    Ended(Ended),
}

/// A place that logs are collected from.
pub(super) trait Source {
    /// What lies below the run's folder. With `touch` dead processes' rings are moved before.
    fn list(&mut self, touch: bool) -> Result<Raw, Ended>;

    /// Fetches these files, in this order.
    fn fetch(&mut self, wanted: &[Wanted], desk: &mut dyn Desk) -> Result<(), Ended>;

    /// Removes files of logs, each log's under its lock, if they are still what was collected.
    fn remove(&mut self, logs: &[Doomed]) -> Result<Removal, Ended>;
}
