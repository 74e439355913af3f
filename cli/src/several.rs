//! What several RUN|FILE stand for: logs, with what dead processes left behind moved into them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lb_core::names;

use crate::args::Common;
use crate::log::{self, Log};
use crate::rings::{Rings, rotation};
use crate::run;

/// Logs to work on.
#[derive(Debug, Default)]
pub(crate) struct Several {
    /// Logs, absolute; each with its rotated segments.
    pub(crate) logs: Vec<PathBuf>,
    /// Collected files of logs, `.gz`, absolute.
    pub(crate) collected: Vec<PathBuf>,
    /// Other logs in the folders of files that were named.
    pub(crate) beside: Vec<PathBuf>,
    /// What could not be read or moved.
    pub(crate) problems: Vec<String>,
}

impl Several {
    /// Finds them all.
    pub(crate) fn find(runs: &[String], common: &Common) -> anyhow::Result<Self> {
        let (mut logs, mut collected, mut beside) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut problems = Vec::new();
        for name in runs {
            let path = Path::new(name);
            if is_collected(path) && path.is_file() {
                collected.insert(absolute(path));
                beside.extend(neighbours(path));
                continue;
            }
            let run = run::find(Some(name), common)?;
            if run.path.is_file() {
                beside.extend(neighbours(&run.path));
            }
            let here = run.logs.iter().filter(|log| log.is_here());
            logs.extend(here.map(|log| absolute(&log.path)));
            problems.extend(run.problems);
        }
        let rotation = rotation(common);
        for log in &logs {
            Rings::settle(log, rotation, &mut problems);
        }
        let beside = beside.difference(&logs).cloned().collect();
        let (logs, collected) = (logs.into_iter().collect(), collected.into_iter().collect());
        Ok(Self { logs, collected, beside, problems })
    }
}

/// `{stem}.jsonl.gz`.
fn is_collected(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_suffix(".gz"))
        .is_some_and(|name| name.ends_with(names::LOG_SUFFIX))
}

/// All logs below the folder of a file.
fn neighbours(file: &Path) -> Vec<PathBuf> {
    let folder = absolute(file).parent().map(Path::to_path_buf);
    let (logs, _) = folder.map(|folder| log::below(&folder)).unwrap_or_default();
    logs.into_iter().filter(Log::is_here).map(|log| absolute(&log.path)).collect()
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
