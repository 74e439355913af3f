//! The offset file of one log and one target: read once, written so that a crash leaves the old one
//! or the new one.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::offset::{Offset, Target};
use crate::failpoint::{self, Point};
use crate::file::force_names;
use crate::names;
use crate::stats::Delivery;

/// The number of the file's form.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document<O> {
    version: u32,
    #[serde(flatten)]
    offset: O,
}

/// Where an offset is kept.
pub(crate) struct OffsetFile {
    path: PathBuf,
    temporary: PathBuf,
}

impl OffsetFile {
    pub(crate) fn new(log: &Path, target: &Target) -> Self {
        let path = names::offset(log, target.id());
        let temporary = path.with_extension("offset.tmp");
        Self { path, temporary }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says; `None` where there is none.
    ///
    /// # Errors
    /// `InvalidData` where it is damaged, or of another target or a newer version.
    pub(crate) fn read(&self, target: &Target) -> io::Result<Option<Offset>> {
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let document: Document<Offset> =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if document.version != VERSION {
            return Err(damaged(format!("it has version {}", document.version)));
        }
        if document.offset.target != *target {
            return Err(damaged("it belongs to another target".to_owned()));
        }
        Ok(Some(document.offset))
    }

    /// The accounting that it keeps; of nothing where it says nothing.
    pub(crate) fn delivery(log: &Path, target: &Target) -> Delivery {
        let offset = Self::new(log, target).read(target);
        offset.ok().flatten().map(|offset| offset.delivery()).unwrap_or_default()
    }

    /// Whether this Loki, as this tenant, got lines of the log from another level up: it may have
    /// what this target knows nothing of.
    pub(crate) fn has_sibling(&self, target: &Target) -> bool {
        let Some((stem, _)) = self.path.file_name().and_then(parse) else { return false };
        let beside = self.path.parent().and_then(|folder| std::fs::read_dir(folder).ok());
        beside.into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name();
            let ours = parse(&name).is_some_and(|(of, id)| of == stem && id != target.id());
            let bytes = if ours { std::fs::read(entry.path()).ok() } else { None };
            let other: Option<Target> = bytes.and_then(|text| serde_json::from_slice(&text).ok());
            other.is_some_and(|other| {
                (&other.endpoint, &other.tenant) == (&target.endpoint, &target.tenant)
            })
        })
    }

    /// Writes it: a temporary file, on the disk, renamed, and its name on the disk. A deleted folder is
    /// not made anew.
    pub(crate) fn write(&self, offset: &Offset) -> io::Result<()> {
        let mut text = serde_json::to_vec(&Document { version: VERSION, offset })?;
        text.push(b'\n');
        let written = self.write_temporary(&text);
        failpoint::at(Point::ShipOffsetTemporary);
        let renamed = written.and_then(|()| std::fs::rename(&self.temporary, &self.path));
        if renamed.is_err() {
            let _ = std::fs::remove_file(&self.temporary);
            return renamed;
        }
        failpoint::at(Point::ShipOffsetRenamed);
        // The old one would not know what is sent from now on.
        force_names(&self.path)
    }

    fn write_temporary(&self, text: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW);
        let mut file: File = options.open(&self.temporary)?;
        failpoint::after(Point::ShipOffsetTorn, || {
            let _ = file.write_all(&text[..text.len() / 2]);
        });
        file.write_all(text)?;
        file.sync_all()
    }
}

fn parse(name: &OsStr) -> Option<(&str, u64)> {
    name.to_str().and_then(names::parse_offset)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn is_read_as_it_was_written_and_nothing_else_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.jsonl");
        let target = Target { endpoint: "http://l".into(), tenant: None, min_level: "INFO".into() };
        let file = OffsetFile::new(&log, &target);
        assert!(file.read(&target).unwrap().is_none());
        let labels = BTreeMap::from([("plugin".to_owned(), "dfaas".to_owned())]);
        let offset = Offset { replayed: 3, ..Offset::new(target.clone(), labels) };
        file.write(&offset).unwrap();
        assert_eq!(file.read(&target).unwrap(), Some(offset));
        let name = file.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(names::parse_offset(name), Some(("a", target.id())));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

        assert!(file.read(&Target::default()).is_err());
        let text = std::fs::read_to_string(file.path()).unwrap();
        std::fs::write(file.path(), text.replace("\"version\":1", "\"version\":2")).unwrap();
        assert!(file.read(&target).is_err());
        std::fs::write(file.path(), &text[..text.len() / 2]).unwrap();
        assert!(file.read(&target).is_err());
    }

    #[test]
    fn a_sibling_is_of_the_same_log_and_loki() {
        let folder = tempfile::tempdir().unwrap();
        let target = |endpoint: &str, level: &str| Target {
            endpoint: endpoint.into(),
            tenant: None,
            min_level: level.into(),
        };
        let write = |log: &str, target: &Target| {
            let file = OffsetFile::new(&folder.path().join(log), target);
            file.write(&Offset::new(target.clone(), BTreeMap::new())).unwrap();
            file
        };
        let ours = target("http://l", "INFO");
        let file = write("a.jsonl", &ours);
        write("b.jsonl", &target("http://l", "ERROR"));
        write("a.jsonl", &target("http://m", "ERROR"));
        assert!(!file.has_sibling(&ours));
        write("a.jsonl", &target("http://l", "ERROR"));
        assert!(file.has_sibling(&ours));
    }

    #[test]
    fn a_deleted_folder_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("gone/a.jsonl");
        let file = OffsetFile::new(&log, &Target::default());
        assert!(file.write(&Offset::default()).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
