//! What an `lb` does on a host that is collected from: it says what is there, and removes what was
//! collected. Its words are for another `lb` (`wire`).

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::local::Local;
use super::source::{Doomed, Source as _, Verified};
use super::wire;
use crate::error::{Error, Result};

/// Says what lies below a run's folder. With `touch` dead processes' rings are moved before.
///
/// # Errors
/// [`Error::Io`] where `to` cannot be written to or the folder is not there.
pub fn list(run: &Path, touch: bool, to: &mut dyn Write) -> Result<()> {
    let failed = |error| Error::io(run, "listing its logs", error);
    let raw = Local::of_run(run).list(touch).map_err(|ended| failed(io::Error::other(ended.0)))?;
    if raw.missing.is_some() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    wire::write(&raw, to).map_err(failed)
}

/// Removes a log's files below the working directory, each given by path, bytes and SHA-256, if they
/// are still that. Says of each that stays why.
///
/// # Errors
/// [`Error::Io`] where `to` cannot be written to, [`Error::Argument`].
pub fn remove(live: &Path, files: &[(&Path, u64, &str)], to: &mut dyn Write) -> Result<()> {
    let here = Path::new(".");
    let verified = |(path, size, sha256): &(&Path, u64, &str)| Verified {
        path: path.as_os_str().as_bytes().to_vec(),
        size: *size,
        sha256: (*sha256).to_owned(),
    };
    let files: Vec<Verified> = files.iter().map(verified).collect();
    let doomed = Doomed { live: live.as_os_str().as_bytes().to_vec(), files };
    let failed = |error| Error::io(live, "removing collected logs", error);
    let came =
        Local::of_run(here).remove(&[doomed]).map_err(|ended| failed(io::Error::other(ended.0)))?;
    let mut say = |letter: &[u8], text: &[u8]| to.write_all(&[letter, text, b"\0"].concat());
    for path in &came.removed {
        say(b"G\0", path).map_err(failed)?;
    }
    for why in &came.kept {
        say(b"K\0", why.replace('\0', " ").as_bytes()).map_err(failed)?;
    }
    to.flush().map_err(failed)
}
