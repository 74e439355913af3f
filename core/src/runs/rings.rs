//! Records that are not in the file yet: those of dead processes are moved there, those of live
//! ones counted.

use std::path::Path;

use serde::Serialize;

use crate::config::Rotation;
use crate::living::{self, Living};
use crate::recover;

/// What the rings of one log came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rings {
    /// Records of dead processes, moved into the file just now, or by the looks so far.
    pub recovered: u64,
    /// Records that could not be read, because their ring was damaged.
    pub damaged: u64,
    /// Rings of dead processes that are gone, and why: what they held is lost.
    pub gone: Vec<String>,
    /// Rings of dead processes that cannot be reached from here, why, and what to do.
    pub unreachable: Vec<String>,
    /// Live processes that write to the log.
    pub processes: Vec<Living>,
}

impl Rings {
    /// Moves what dead processes left behind into the file, and looks at the living. What fails
    /// goes to `problems`; the rest is still told.
    pub fn settle(log: &Path, rotation: Rotation, problems: &mut Vec<String>) -> Self {
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
            Ok(living) => rings.processes = living,
            Err(error) => problems.push(error.to_string()),
        }
        rings
    }
}
