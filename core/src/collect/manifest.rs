//! `manifest.json`: what was collected, from where, and what was not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::error::{Error, Result};
use crate::file::force_names;

/// Its name, in the run's folder.
const NAME: &str = "manifest.json";

/// The number of its form.
const VERSION: u32 = 1;

/// The whole file.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// The run's id, as it was asked for.
    pub run_id: String,
    /// One for each collected file and its source, in the order of their paths.
    pub files: Vec<Entry>,
    /// What the last collection could not have.
    pub failed: Vec<Failure>,
}

/// A collected file.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the run's folder.
    pub path: String,
    /// The file it was: a path, or `[user@]host:path`.
    pub source: String,
    /// What it holds.
    #[serde(flatten)]
    pub content: Content,
    /// The static labels of the streams that Loki has of it.
    pub labels: BTreeMap<String, String>,
    /// When it was collected.
    pub collected_at: String,
    /// Bytes of the collected file as it lies there.
    pub stored_size: u64,
    /// Bytes that the source had to give then.
    pub source_size: u64,
    /// Changes with the source; empty where that cannot tell.
    pub source_stamp: String,
}

/// What could not be collected, or not be removed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The source, or a file of it.
    pub source: String,
    /// Why, and what to do.
    pub why: String,
}

impl Manifest {
    /// Reads that of a run's folder; an empty one where there is none.
    pub(super) fn read(folder: &Path, run_id: &str) -> Result<Self> {
        let path = folder.join(NAME);
        let unusable = |error: io::Error| {
            Error::io(
                &path,
                "reading what was collected before; if it is damaged, move it away",
                error,
            )
        };
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let run_id = run_id.to_owned();
                return Ok(Self { version: VERSION, run_id, ..Self::default() });
            }
            read => read.map_err(unusable)?,
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| unusable(e.into()))?;
        if manifest.version != VERSION {
            let other = format!("it has version {}, of another lb", manifest.version);
            return Err(unusable(io::Error::other(other)));
        }
        Ok(manifest)
    }

    /// The static labels of the files that were collected into a run's folder, by their paths. A
    /// manifest that is damaged tells none.
    pub(crate) fn labels(folder: &Path) -> BTreeMap<PathBuf, BTreeMap<String, String>> {
        let files = Self::read(folder, "").map(|manifest| manifest.files).unwrap_or_default();
        let labelled = files.into_iter().filter(|entry| !entry.labels.is_empty());
        labelled.map(|entry| (folder.join(entry.path), entry.labels)).collect()
    }

    /// Where that of a run's folder lies.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Writes it whole, or leaves the old one.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let temporary = folder.join(format!(".{NAME}.tmp"));
        let write = || -> io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&temporary, &path)?;
            force_names(&path)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&temporary);
            Error::io(&path, "writing what was collected", error)
        })
    }

    /// The newest entry of a source file. One whose file could not be replaced has older ones, too.
    pub(super) fn of_source(&self, source: &str) -> Option<&Entry> {
        let entries = self.files.iter().filter(|entry| entry.source == source);
        entries.max_by_key(|entry| entry.collected_at.as_str())
    }

    /// Adds the entry of a collected file, in the place of those that spoke of another content.
    pub(super) fn put(&mut self, entry: Entry) {
        self.files.retain(|old| {
            let shared = old.source != entry.source && old.content == entry.content;
            old.path != entry.path || shared
        });
        self.files.push(entry);
        self.files.sort_by(|a, b| (&a.path, &a.source).cmp(&(&b.path, &b.source)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn entry(path: &str, source: &str, size: u64) -> Entry {
        let content = Content { size, ..Content::default() };
        Entry { path: path.into(), source: source.into(), content, ..Entry::default() }
    }

    #[test]
    fn is_read_as_it_was_written_and_merged() {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::read(folder.path(), "run-1").unwrap();
        manifest.put(entry("b", "h1:b", 1));
        manifest.put(entry("a", "h1:a", 1));
        manifest.put(entry("a", "h2:a", 1));
        manifest.failed.push(Failure { source: "h3:x".into(), why: "it hangs".into() });
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path(), "run-1").unwrap(), manifest);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let sources: Vec<_> = manifest.files.iter().map(|entry| entry.source.as_str()).collect();
        assert_eq!(sources, ["h1:a", "h2:a", "h1:b"]);
        manifest.put(entry("a", "h1:a", 2));
        assert!(manifest.of_source("h2:a").is_none(), "the file that it spoke of was replaced");
        assert_eq!(manifest.of_source("h1:a").unwrap().content.size, 2);
        manifest.put(Entry { collected_at: "later".into(), ..entry("a~1", "h1:a", 1) });
        assert_eq!(manifest.of_source("h1:a").unwrap().path, "a~1");
        assert_eq!(manifest.files.len(), 3, "the older one is still there");
    }

    #[test]
    fn a_damaged_one_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{",
            "{\"version\":1}",
            "{\"version\":2,\"run_id\":\"r\",\"files\":[],\"failed\":[]}",
        ] {
            std::fs::write(folder.path().join(NAME), text).unwrap();
            let error = Manifest::read(folder.path(), "r").unwrap_err().to_string();
            assert!(error.contains("move it away"), "{error}");
        }
    }
}
