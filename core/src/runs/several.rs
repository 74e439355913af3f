//! What several RUN|FILE stand for: logs, with what dead processes left behind moved into them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::blocks::is_gzipped;
use super::log::{self, Log};
use super::rings::Rings;
use super::run;
use crate::collect::Manifest;
use crate::config::Flags;
use crate::error::Result;

/// Logs to work on.
#[derive(Debug, Default)]
pub struct Several {
    /// Logs, absolute; each with its rotated segments.
    pub logs: Vec<PathBuf>,
    /// Collected files of logs, `.gz`, absolute.
    pub collected: Vec<PathBuf>,
    /// The static labels that the collected files' streams have in Loki, where there are any.
    pub labels: BTreeMap<PathBuf, BTreeMap<String, String>>,
    /// Other logs in the folders of files that were named.
    pub beside: Vec<PathBuf>,
    /// What could not be read or moved.
    pub problems: Vec<String>,
}

impl Several {
    /// Finds them all.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn find(runs: &[String], flags: &Flags) -> Result<Self> {
        let mut named = Files::default();
        let mut beside = Files::default();
        let mut problems = Vec::new();
        for name in runs {
            let run = run::find(Some(name), flags)?;
            let folder = run.path.parent().filter(|_| run.path.is_file());
            beside.add(&folder.map(neighbours).unwrap_or_default());
            named.add(&run.logs);
            problems.extend(run.problems);
        }
        let rotation = flags.rotation();
        for log in &named.logs {
            Rings::settle(log, rotation, &mut problems);
        }
        let copies = named.collected.iter().chain(&beside.collected);
        // They lie in `<run's folder>/logs/`.
        let folders: BTreeSet<&Path> = copies.filter_map(|copy| copy.parent()?.parent()).collect();
        let labels = folders.into_iter().flat_map(Manifest::labels).collect();
        let others = beside.logs.difference(&named.logs);
        let others = others.chain(beside.collected.difference(&named.collected));
        Ok(Self {
            beside: others.cloned().collect(),
            logs: named.logs.into_iter().collect(),
            collected: named.collected.into_iter().collect(),
            labels,
            problems,
        })
    }
}

/// Files, absolute.
#[derive(Default)]
struct Files {
    logs: BTreeSet<PathBuf>,
    collected: BTreeSet<PathBuf>,
}

impl Files {
    fn add(&mut self, logs: &[Log]) {
        for log in logs {
            if log.is_here() {
                self.logs.insert(absolute(&log.path));
            }
            let collected = log.records().filter(|path| is_gzipped(path));
            self.collected.extend(collected.map(absolute));
        }
    }
}

/// All logs below a folder.
fn neighbours(folder: &Path) -> Vec<Log> {
    log::below(&absolute(folder)).0
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
