//! Where collected files go: the folder of the run, one collection at a time.
//!
//! A file gets its name only when it is whole, checked and on the disk. What has a name is
//! replaced only by a longer copy with the same beginning; whatever else wants the name gets
//! another.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::content::{Beginning, Content, CopyError, GZ, compare, copy, read_back};
use super::listing::{Kind, LogFile};
use super::manifest::{Entry, Failure, Manifest};
use crate::clock::realtime_ns;
use crate::encode::timestamp;
use crate::error::{Error, Result};
use crate::file::{LockError, LockFile, force_names, id_at, rename_without_replacing};
use crate::names;

/// The folder of collected files, below the run's.
const LOGS: &str = "logs";

/// What keeps a second collection of the same run out.
const LOCK: &str = ".collecting";

/// How temporary files are called.
const TEMPORARY: (&str, &str) = (".collecting-", ".tmp");

/// How often the manifest is written at most, while files come in.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// The run's folder, held by this collection.
pub(super) struct Shelf {
    folder: PathBuf,
    /// Of gzip; `None`: plain.
    level: Option<u32>,
    inner: Mutex<Inner>,
    /// `None` where nothing is to be written.
    lock: Option<LockFile>,
    /// Whether there was no such folder.
    is_new: bool,
}

struct Inner {
    manifest: Manifest,
    saved: Instant,
    drafts: u64,
}

/// A source file, and what is known of it besides.
pub(super) struct Origin<'o> {
    /// What the manifest calls it.
    pub(super) source: &'o str,
    /// What it calls the live file of its log.
    pub(super) log: &'o str,
    /// Where it lies, when that is here.
    pub(super) here: Option<&'o Path>,
    pub(super) file: &'o LogFile,
    pub(super) labels: BTreeMap<String, String>,
}

/// A file without a name yet; removed unless it gets one.
pub(super) struct Draft {
    path: PathBuf,
    content: Content,
    named: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.named {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What may be done with a name.
enum Name {
    Free,
    /// It has this very content, or is the source itself.
    Has,
    /// It has the beginning of it.
    HasBeginning,
    Taken,
}

impl Shelf {
    /// Opens a run's folder, making it where it is missing.
    ///
    /// # Errors
    /// [`Error::Timeout`] while another collection of this run is at work, [`Error::Io`].
    pub(super) fn open(folder: &Path, run_id: &str, level: Option<u32>) -> Result<Self> {
        let logs = folder.join(LOGS);
        let is_new = !folder.exists();
        std::fs::create_dir_all(&logs)
            .and_then(|()| force_names(&logs))
            .and_then(|()| force_names(folder))
            .map_err(|error| Error::io(&logs, "making the folder of collected files", error))?;
        let path = folder.join(LOCK);
        let mut lock = LockFile::new(path.clone());
        match lock.keep(Duration::ZERO) {
            Ok(_) => {}
            Err(LockError::Busy) => {
                let other = "another collection of this run is at work; wait for it";
                return Err(Error::Timeout(format!("{}: {other}", folder.display())));
            }
            Err(LockError::Io(error)) => return Err(Error::io(&path, "locking", error)),
        }
        clear_away(&logs);
        Ok(Self { lock: Some(lock), is_new, ..Self::look(folder, run_id, level)? })
    }

    /// Only looks at what is there.
    pub(super) fn look(folder: &Path, run_id: &str, level: Option<u32>) -> Result<Self> {
        let manifest = Manifest::read(folder, run_id)?;
        let inner = Mutex::new(Inner { manifest, saved: Instant::now(), drafts: 0 });
        Ok(Self { folder: folder.to_path_buf(), level, inner, lock: None, is_new: false })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry of a source file that has not changed since, and whose copy is still there.
    pub(super) fn has(&self, source: &str, file: &LogFile) -> Option<Entry> {
        let inner = self.inner();
        let entry = inner.manifest.of_source(source)?;
        let same = entry.source_size == file.bytes && entry.source_stamp == file.stamp;
        let there = std::fs::symlink_metadata(self.folder.join(&entry.path)).ok()?;
        let whole = there.is_file() && there.len() == entry.stored_size;
        (same && whole && !file.stamp.is_empty()).then(|| entry.clone())
    }

    /// Copies what a source gives into a file without a name, and reads it back.
    pub(super) fn draft(&self, from: &mut dyn io::Read) -> std::result::Result<Draft, CopyError> {
        let number = {
            let mut inner = self.inner();
            inner.drafts += 1;
            inner.drafts
        };
        let path = self.folder.join(LOGS).join(format!("{}{number}{}", TEMPORARY.0, TEMPORARY.1));
        let file = File::create_new(&path).map_err(CopyError::Writing)?;
        let mut draft = Draft { path, content: Content::default(), named: false };
        draft.content = copy(from, &file, self.level)?;
        let back = self.read_back(&draft.path).map_err(CopyError::Writing)?;
        if back != draft.content {
            let other = "what was written is not what is read back";
            return Err(CopyError::Writing(io::Error::new(io::ErrorKind::InvalidData, other)));
        }
        Ok(draft)
    }

    fn read_back(&self, draft: &Path) -> io::Result<Content> {
        read_back(draft, self.level.is_some())
    }

    /// Where files go, for messages.
    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join(LOGS)
    }

    /// Gives a draft its name, or finds that the same is there already.
    pub(super) fn place(&self, mut draft: Draft, origin: &Origin<'_>) -> Result<Entry> {
        let mut inner = self.inner();
        let failed = |error| Error::io(&self.logs(), "giving a collected file its name", error);
        let path = self.give_name(&inner.manifest, &mut draft, origin).map_err(failed)?;
        let stored = std::fs::metadata(self.folder.join(&path)).map_err(failed)?;
        let entry = Entry {
            path,
            source: origin.source.to_owned(),
            content: draft.content.clone(),
            labels: origin.labels.clone(),
            collected_at: timestamp(realtime_ns()),
            stored_size: stored.len(),
            source_size: origin.file.bytes,
            source_stamp: origin.file.stamp.clone(),
        };
        inner.manifest.put(entry.clone());
        self.remove_outgrown(&mut inner.manifest, &entry, origin).map_err(failed)?;
        if inner.saved.elapsed() >= SAVE_INTERVAL {
            self.write(&mut inner)?;
        }
        Ok(entry)
    }

    /// Writes down what is here by now.
    pub(super) fn save(&self) -> Result<()> {
        self.write(&mut self.inner())
    }

    fn write(&self, inner: &mut Inner) -> Result<()> {
        inner.manifest.write(&self.folder)?;
        inner.saved = Instant::now();
        Ok(())
    }

    /// The path below the run's folder that the draft's content now has.
    fn give_name(
        &self,
        manifest: &Manifest,
        draft: &mut Draft,
        origin: &Origin<'_>,
    ) -> io::Result<String> {
        let known = manifest.of_source(origin.source).map(|entry| entry.path.clone());
        let known = known.filter(|path| path.ends_with(GZ) == self.level.is_some());
        let mut nth = 0;
        let mut next = known;
        loop {
            let path = next.take().unwrap_or_else(|| {
                nth += 1;
                format!("{LOGS}/{}", self.name(origin, nth - 1))
            });
            let at = self.folder.join(&path);
            match self.may_have(manifest, &path, draft, origin)? {
                Name::Has => return Ok(path),
                Name::Taken => continue,
                Name::HasBeginning => std::fs::rename(&draft.path, &at)?,
                Name::Free if rename_without_replacing(&draft.path, &at)? => {}
                // Somebody was faster: look again.
                Name::Free => {
                    next = Some(path);
                    continue;
                }
            }
            draft.named = true;
            force_names(&at)?;
            return Ok(path);
        }
    }

    fn may_have(
        &self,
        manifest: &Manifest,
        path: &str,
        draft: &Draft,
        origin: &Origin<'_>,
    ) -> io::Result<Name> {
        let at = self.folder.join(path);
        match std::fs::symlink_metadata(&at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Name::Free),
            Err(error) => return Err(error),
            Ok(there) if !there.is_file() => return Ok(Name::Taken),
            Ok(_) => {}
        }
        if let Some(here) = origin.here
            && id_at(here)? == id_at(&at)?
        {
            return Ok(Name::Has);
        }
        if names::lock_file(&at).exists() {
            // Somebody logs to it.
            return Ok(Name::Taken);
        }
        let mut owners = manifest.files.iter().filter(|entry| entry.path == path).peekable();
        // A collection that was killed leaves gzipped files that nobody owns. A plain one may be
        // the log of a program.
        let orphan = owners.peek().is_none() && path.ends_with(GZ);
        let ours = orphan || owners.any(|entry| entry.source == origin.source);
        // What cannot be read is not ours to replace.
        match compare((&at, path.ends_with(GZ)), (&draft.path, self.level.is_some())) {
            Ok(Beginning::Same) => Ok(Name::Has),
            Ok(Beginning::FirstIsShorter) if ours => Ok(Name::HasBeginning),
            Ok(_) | Err(_) => Ok(Name::Taken),
        }
    }

    /// The name of a collected file; the later ones bear a mark of their source.
    fn name(&self, origin: &Origin<'_>, nth: u32) -> String {
        let stem = names::collected_stem(&origin.file.log.stem, origin.log, nth);
        let live = PathBuf::from(format!("{stem}{}", names::LOG_SUFFIX));
        let plain = match origin.file.kind {
            Kind::Live => live,
            Kind::Segment(number) => names::segment(&live, number),
            Kind::Quarantine => names::quarantine(&live),
        };
        let ending = if self.level.is_some() { GZ } else { "" };
        format!("{}{ending}", plain.display())
    }

    /// Removes older copies that are a beginning of the new one under another name: of the same
    /// source file, and of the live log that has become this segment.
    fn remove_outgrown(
        &self,
        manifest: &mut Manifest,
        new: &Entry,
        origin: &Origin<'_>,
    ) -> io::Result<()> {
        let segment = matches!(origin.file.kind, Kind::Segment(_));
        let related = |old: &&Entry| {
            let of = old.source == new.source || segment && old.source == origin.log;
            let itself = self.is_copy(old, Path::new(&old.source))
                || origin.here.is_some_and(|here| self.is_copy(old, here));
            let in_use = names::lock_file(&self.folder.join(&old.path)).exists();
            of && old.path != new.path && !itself && !in_use
        };
        let old: Vec<Entry> = manifest.files.iter().filter(related).cloned().collect();
        for old in old {
            let at = self.folder.join(&old.path);
            let (one, two) = (
                (&*at, old.path.ends_with(GZ)),
                (&*self.folder.join(&new.path), new.path.ends_with(GZ)),
            );
            let outgrown = old.content.first_timestamp == new.content.first_timestamp
                && old.content.size <= new.content.size
                && compare(one, two).is_ok_and(|beginning| beginning != Beginning::Other);
            if outgrown {
                manifest
                    .files
                    .retain(|entry| (&entry.path, &entry.source) != (&old.path, &old.source));
                if !manifest.files.iter().any(|entry| entry.path == old.path) {
                    std::fs::remove_file(&at)?;
                }
            }
        }
        Ok(())
    }

    /// Whether the copy of a source file still holds what the manifest says.
    pub(super) fn is_sound(&self, entry: &Entry) -> bool {
        let gzipped = entry.path.ends_with(GZ);
        read_back(&self.folder.join(&entry.path), gzipped).is_ok_and(|back| back == entry.content)
    }

    /// Whether a path of this machine leads to the copy itself.
    pub(super) fn is_copy(&self, entry: &Entry, here: &Path) -> bool {
        let copy = id_at(&self.folder.join(&entry.path)).ok().flatten();
        copy.is_some() && copy == id_at(here).ok().flatten()
    }

    /// Writes down what came of it all, of the sources that were asked. A folder that was made for nothing goes again: no run has
    /// come into being by being asked for.
    pub(super) fn finish(&self, failed: &[Failure], asked: &[String]) -> Result<()> {
        let mut inner = self.inner();
        if self.is_new && inner.manifest.files.is_empty() {
            if let Some(lock) = &self.lock {
                let _ = std::fs::remove_file(lock.path());
            }
            let _ = std::fs::remove_dir(self.logs());
            let _ = std::fs::remove_dir(&self.folder);
            return Ok(());
        }
        // What other sources could not give is as true as before.
        inner
            .manifest
            .failed
            .retain(|old| !asked.iter().any(|label| old.source.starts_with(label)));
        inner.manifest.failed.extend_from_slice(failed);
        self.write(&mut inner)
    }
}

/// Removes what a killed collection has left without a name.
fn clear_away(logs: &Path) {
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(TEMPORARY.0)?.strip_suffix(TEMPORARY.1));
        if number.is_some_and(|digits| digits.parse::<u64>().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
