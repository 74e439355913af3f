//! Rings notes: small files beside a log that say where the rings of its processes are.
//!
//! A note is locked by its owner from before it has its name until the owner ends, so that a
//! note whose lock can be had belongs to a dead process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::{id_at, id_of, try_lock};
use super::rotation::folder_of;
use crate::error::is_full;
use crate::failpoint::{self, Point};
use crate::names;
use crate::ring::{FileId, RingFile};
use crate::sys::NotInherited;

/// Where ring files live. The file's name follows from the note's id: a note cannot lead
/// anybody to a path of its choosing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RingPlace {
    /// `/dev/shm`.
    Shm,
    /// Beside the log.
    Log,
}

impl RingPlace {
    /// The folder of a log's ring files.
    pub(crate) fn folder(self, log: &Path) -> &Path {
        match self {
            Self::Shm => Path::new("/dev/shm"),
            Self::Log => folder_of(log),
        }
    }

    /// The ring file of an id, for a log.
    pub(crate) fn path(self, log: &Path, id: u64) -> PathBuf {
        match self {
            Self::Shm => self.folder(log).join(format!("lb-log-{id:016x}.rings")),
            Self::Log => names::ring_data(log, id),
        }
    }
}

/// The id in the name of a ring file in `/dev/shm`.
pub(crate) fn ring_id_in(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("lb-log-")?.strip_suffix(".rings")?;
    let id = u64::from_str_radix(digits, 16).ok()?;
    (format!("{id:016x}") == digits).then_some(id)
}

/// What a note says.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct RingsNote {
    ring_dir: RingPlace,
    device: u64,
    inode: u64,
    boot_id: String,
    /// Information only: a pid proves nothing.
    pid: u32,
}

/// This boot, 16 bytes; zeros where the system has no name for it.
pub(crate) fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    u128::from_str_radix(&digits, 16).unwrap_or(0).to_be_bytes()
}

fn hex(boot_id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(boot_id))
}

/// This process's note: locked for as long as the value lives. Dropping it removes nothing.
pub(crate) struct OwnNote {
    place: RingPlace,
    path: PathBuf,
    /// None as long as there was no room for it.
    file: Option<Kept>,
    text: Vec<u8>,
}

/// A note that this process holds locked, and its children do not.
struct Kept {
    /// Before the file: the place is free before the descriptor is.
    _not_inherited: NotInherited,
    file: File,
}

impl Kept {
    fn new(file: File) -> Self {
        Self { _not_inherited: NotInherited::new(&file), file }
    }
}

impl OwnNote {
    /// Makes the note of a ring file, under a temporary name first. On a full disk rings in
    /// `/dev/shm` do without until [`OwnNote::renew`] finds room: they can be swept.
    pub(crate) fn make(log: &Path, rings: &RingFile, place: RingPlace) -> io::Result<Self> {
        let (device, inode) = rings
            .file_id()
            .ok_or_else(|| io::Error::other("rings in plain memory have no note"))?;
        let note = RingsNote {
            ring_dir: place,
            device,
            inode,
            boot_id: hex(rings.boot_id()),
            pid: std::process::id(),
        };
        let mut text = serde_json::to_vec(&note)?;
        text.push(b'\n');
        let path = names::rings_note(log, rings.id());
        let file = match write_locked(log, rings.id(), &path, &text) {
            Ok(file) => Some(Kept::new(file)),
            Err(error) if place == RingPlace::Shm && is_full(&error) => None,
            Err(error) => return Err(error),
        };
        failpoint::at(Point::NoteMade);
        Ok(Self { place, path, file, text })
    }

    /// Makes the note anew where somebody removed it.
    pub(crate) fn renew(&mut self, log: &Path, id: u64) -> io::Result<()> {
        let ours = self.file.as_ref().map(|kept| id_of(&kept.file)).transpose()?;
        let there = std::fs::symlink_metadata(&self.path).ok();
        if ours.is_none() || ours != there.map(|there| (there.dev(), there.ino())) {
            self.file = Some(Kept::new(write_locked(log, id, &self.path, &self.text)?));
        }
        Ok(())
    }

    /// Leads to the same rings from beside another log of the folder, which rings that lie beside
    /// their log follow. At no moment are there two notes or none: append numbers of two lock
    /// files would mix, or the rings would seem gone.
    pub(crate) fn move_to(&mut self, from: &Path, to: &Path, rings: &RingFile) -> io::Result<()> {
        let (old, new) = (self.place.path(from, rings.id()), self.place.path(to, rings.id()));
        if old != new {
            std::fs::hard_link(&old, &new)?;
        }
        failpoint::at(Point::ApartRings);
        let path = names::rings_note(to, rings.id());
        self.renew(from, rings.id())
            .and_then(|()| std::fs::rename(&self.path, &path))
            .inspect_err(|_| {
                if old != new {
                    let _ = std::fs::remove_file(&new);
                }
            })?;
        self.path = path;
        failpoint::at(Point::ApartNoted);
        if old != new {
            let _ = std::fs::remove_file(&old);
        }
        Ok(())
    }

    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    /// Removes the note and then the rings: rings without a note are swept, a note without rings
    /// would be a gap.
    pub(crate) fn remove_with_rings(&self, log: &Path, rings: &RingFile) {
        self.remove();
        failpoint::at(Point::NoteClosed);
        rings.remove_at(&self.place.path(log, rings.id()));
    }
}

/// Writes a note under a temporary name, locks it, and gives it its name.
fn write_locked(log: &Path, id: u64, path: &Path, text: &[u8]) -> io::Result<File> {
    let temporary = names::unfinished_note(log, id);
    loop {
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary)?;
        // Whoever clears away what the dead left may take it for theirs before it is locked.
        if !try_lock(&file)? || id_at(&temporary)? != Some(id_of(&file)?) {
            continue;
        }
        let made = file.write_all(text).and_then(|()| {
            failpoint::at(Point::NoteTemporary);
            std::fs::rename(&temporary, path)
        });
        match made {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let _ = std::fs::remove_file(&temporary);
                return Err(error);
            }
        }
    }
}

/// What stands behind the note of another process.
pub(crate) enum Seen {
    /// Its owner lives, or another process is recovering it.
    Alive,
    /// Its owner is dead and its rings are here. The lock on the note is held by `note`.
    Dead { note: ForeignNote, rings: Box<RingFile> },
    /// Its owner is dead and the rings are gone: another boot, or deleted.
    Gone { note: ForeignNote, why: String },
}

/// The note of a dead process, locked by us.
pub(crate) struct ForeignNote {
    path: PathBuf,
    /// A ring file that its boot has left: what the disk kept of it proves nothing.
    outlived: Option<PathBuf>,
    _not_inherited: NotInherited,
    file: File,
}

impl ForeignNote {
    fn new(path: PathBuf, file: File) -> Self {
        Self { path, outlived: None, _not_inherited: NotInherited::new(&file), file }
    }

    /// Removes the note, if its name still leads to it.
    pub(crate) fn remove(&self) {
        if let Some(rings) = &self.outlived {
            let _ = std::fs::remove_file(rings);
        }
        let ours = id_of(&self.file).ok();
        let there = std::fs::symlink_metadata(&self.path)
            .ok()
            .map(|metadata| (metadata.dev(), metadata.ino()));
        if ours == there {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What the note of ring file `id` says; `None` where nobody can understand it.
fn read_note(file: &File) -> io::Result<Option<RingsNote>> {
    let mut text = Vec::new();
    file.take(4096).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text).ok())
}

/// Looks behind the note of ring file `id`. Only to be called under the file's lock.
///
/// # Errors
/// The note or the rings cannot be reached from here. `NotFound`: there is no note any more;
/// `InvalidInput`: what stands in its place is no file.
pub(crate) fn look(log: &Path, id: u64, boot: [u8; 16]) -> io::Result<Seen> {
    let path = names::rings_note(log, id);
    let file = open_nofollow(&path)?;
    if !try_lock(&file)? {
        return Ok(Seen::Alive);
    }
    let metadata = file.metadata()?;
    if std::fs::symlink_metadata(&path)
        .map_or(true, |now| (now.dev(), now.ino()) != (metadata.dev(), metadata.ino()))
    {
        return Ok(Seen::Alive);
    }
    let me = rustix::process::geteuid().as_raw();
    if me != 0 && metadata.uid() != me {
        let another = "it belongs to another user";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, another));
    }
    let Some(said) = read_note(&file)? else {
        let found = search_rings(log, id, boot, metadata.uid());
        let note = ForeignNote::new(path, file);
        return match found {
            Some(rings) if !rings.lock()? => Ok(Seen::Alive),
            Some(rings) => Ok(Seen::Dead { note, rings: Box::new(rings) }),
            None => Ok(Seen::Gone { note, why: "its note is damaged".into() }),
        };
    };
    if said.boot_id != hex(boot) {
        let mut note = ForeignNote::new(path, file);
        note.outlived = Some(said.ring_dir.path(log, id));
        return Ok(Seen::Gone { note, why: "the machine was restarted".into() });
    }
    let ring_path = said.ring_dir.path(log, id);
    match open_rings(&ring_path, id, Some((said.device, said.inode)), metadata.uid()) {
        // Somebody else settles these rings already.
        Ok(rings) if !rings.lock()? => Ok(Seen::Alive),
        Ok(rings) => Ok(Seen::Dead { note: ForeignNote::new(path, file), rings: Box::new(rings) }),
        Err(error) if is_gone(&error, &ring_path, said.device) => {
            let why = format!("{}: {error}", ring_path.display());
            Ok(Seen::Gone { note: ForeignNote::new(path, file), why })
        }
        // Not `NotFound`, which would say that the note has vanished.
        Err(error) => Err(io::Error::other(format!("{}: {error}", ring_path.display()))),
    }
}

/// Maps the rings behind a note whether or not their owner lives, to read its counters or to
/// finish an append of it.
pub(crate) fn open_noted(log: &Path, id: u64) -> io::Result<RingFile> {
    let file = open_nofollow(&names::rings_note(log, id))?;
    let owner = file.metadata()?.uid();
    let said = read_note(&file)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the rings note is damaged"))?;
    let path = said.ring_dir.path(log, id);
    open_rings(&path, id, Some((said.device, said.inode)), owner)
}

/// The rings of a note that cannot be read: the file's name follows from the id alone, and its
/// header says the rest.
fn search_rings(log: &Path, id: u64, boot: [u8; 16], owner: u32) -> Option<RingFile> {
    [RingPlace::Shm, RingPlace::Log]
        .iter()
        .filter_map(|place| open_rings(&place.path(log, id), id, None, owner).ok())
        .find(|rings| rings.boot_id() == boot)
}

/// Absent on the very device that the note names, or damaged: nobody can have them.
fn is_gone(error: &io::Error, path: &Path, device: u64) -> bool {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => true,
        io::ErrorKind::NotFound | io::ErrorKind::InvalidInput => path
            .parent()
            .and_then(|folder| std::fs::metadata(folder).ok())
            .is_some_and(|metadata| metadata.dev() == device),
        _ => false,
    }
}

/// Opens a note or a ring file of another process: a regular file, never through a symbolic link.
pub(crate) fn open_nofollow(path: &Path) -> io::Result<File> {
    let strange = "a link, a folder or a device stands in its place";
    let strange = || io::Error::new(io::ErrorKind::InvalidInput, strange);
    // To open a device may do something already: look first.
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(strange());
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(strange()) }
}

fn open_rings(path: &Path, id: u64, expected: Option<FileId>, owner: u32) -> io::Result<RingFile> {
    let file = open_nofollow(path)?;
    let metadata = file.metadata()?;
    if metadata.uid() != owner {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user"));
    }
    if expected.is_some_and(|expected| expected != (metadata.dev(), metadata.ino())) {
        return Err(io::Error::new(io::ErrorKind::NotFound, "another file has its place"));
    }
    let rings = RingFile::open(file, path)?;
    if rings.id() != id {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the ring file has another id"));
    }
    Ok(rings)
}
