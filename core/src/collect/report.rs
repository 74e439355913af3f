//! What came of a collection, and what is told while it goes on.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::{Entry, Failure, Manifest};

/// What came of a collection.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether everything was collected, and removed where that was asked for.
    pub ok: bool,
    /// The run's id.
    pub run_id: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: PathBuf,
    /// The files that are here now, or that would be.
    pub files: Vec<Collected>,
    /// What could not be had, or not be removed.
    pub failed: Vec<Failure>,
    /// What the user should know besides.
    pub remarks: Vec<Failure>,
    /// The source files that were removed.
    pub removed: Vec<String>,
}

/// A file that is here now, or that would be.
#[derive(Clone, Debug, Serialize)]
pub struct Collected {
    /// What became of it.
    pub outcome: Outcome,
    /// As the manifest has it; of one that would be fetched its source and size.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was fetched.
    Collected,
    /// It was here already, and its source has not changed.
    Unchanged,
    /// It would be fetched.
    ToCollect,
}

/// What is told while a collection goes on.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'p> {
    /// Of which source.
    pub source: &'p str,
    /// What has happened there.
    pub step: Step,
}

/// What has happened at a source.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// It is asked what it has.
    Asked,
    /// It will give so many files, of so many bytes together.
    Found {
        /// Files that are fetched.
        files: u64,
        /// Their plain bytes.
        bytes: u64,
    },
    /// So many plain bytes more have come.
    Came(u64),
    /// It is done with, well or not.
    Done {
        /// Everything was had.
        ok: bool,
    },
}

impl Report {
    pub(super) fn new(run_id: &str, folder: &Path) -> Self {
        Self {
            ok: false,
            run_id: run_id.to_owned(),
            folder: folder.to_path_buf(),
            manifest: Manifest::path(folder),
            files: Vec::new(),
            failed: Vec::new(),
            remarks: Vec::new(),
            removed: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, part: Self) {
        self.files.extend(part.files);
        self.failed.extend(part.failed);
        self.remarks.extend(part.remarks);
        self.removed.extend(part.removed);
    }

    /// Brings everything into an order that does not depend on who was first.
    pub(super) fn sort(&mut self) {
        self.files.sort_by(|a, b| {
            (&a.entry.path, &a.entry.source).cmp(&(&b.entry.path, &b.entry.source))
        });
        let by_source = |a: &Failure, b: &Failure| (&a.source, &a.why).cmp(&(&b.source, &b.why));
        self.failed.sort_by(by_source);
        self.remarks.sort_by(by_source);
        self.removed.sort();
        self.ok = self.failed.is_empty() && !self.files.is_empty();
    }
}
