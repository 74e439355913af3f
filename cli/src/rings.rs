//! Records that are not in the file yet: those of dead processes are moved there, those of live
//! ones counted.

use std::path::Path;

use lb_core::config::Rotation;
use lb_core::{living, recover};
use serde::Serialize;

use crate::args::Common;
use crate::configuration;

/// What the rings of one log came to.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Rings {
    /// Records of dead processes, moved into the file just now.
    pub(crate) recovered: u64,
    /// Records that could not be read, because their ring was damaged.
    pub(crate) damaged: u64,
    /// Rings of dead processes that are gone, and why: what they held is lost.
    pub(crate) gone: Vec<String>,
    /// Rings of dead processes that cannot be reached from here, why, and what to do.
    pub(crate) unreachable: Vec<String>,
    /// Live processes that write to the log.
    pub(crate) processes: Vec<Process>,
}

/// A live process.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Process {
    pub(crate) pid: Option<u32>,
    /// Records whose lines are in the file.
    pub(crate) written: u64,
    /// Records that wait in its rings.
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
    pub(crate) rejected: u64,
    pub(crate) truncated: u64,
}

impl From<living::Living> for Process {
    fn from(living: living::Living) -> Self {
        Self {
            pid: living.pid,
            written: living.written,
            queued: living.queued,
            dropped: living.dropped,
            rejected: living.rejected,
            truncated: living.truncated,
        }
    }
}

/// How a program that opens a log here would rotate it. Where the configuration cannot be loaded,
/// never: recovery is not the moment to insist.
pub(crate) fn rotation(common: &Common) -> Rotation {
    configuration::load(common).map_or(Rotation::default(), |config| config.rotation)
}

impl Rings {
    /// Moves what dead processes left behind into the file, and looks at the living. What fails
    /// goes to `problems`; the rest is still told.
    pub(crate) fn settle(log: &Path, rotation: Rotation, problems: &mut Vec<String>) -> Self {
        let log = std::path::absolute(log).unwrap_or_else(|_| log.to_path_buf());
        let mut rings = Self::default();
        match recover::drain(&log, rotation) {
            Ok(moved) => {
                problems.extend(moved.problems(&log));
                rings.recovered = moved.records;
                rings.damaged = moved.damaged;
                rings.gone = moved.gone;
                rings.unreachable = moved.unreachable;
            }
            Err(error) => problems.push(error.to_string()),
        }
        match living::living(&log) {
            Ok(living) => rings.processes = living.into_iter().map(Process::from).collect(),
            Err(error) => problems.push(error.to_string()),
        }
        rings
    }
}
