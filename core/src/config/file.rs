//! The configuration file: which one, and what it says.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Surroundings;
use super::format::Format;

/// A file's path and what it says.
type Found = (PathBuf, Map<String, Value>);

/// More than any configuration needs; an endless file is refused instead of read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The file's path and its values; None when there is none. `explicit` is the "config" argument.
///
/// A file that was named must exist; `./lb.toml` and `~/.config/lb/config.toml` may be absent.
pub(super) fn read(explicit: Option<&str>, around: &Surroundings) -> Result<Option<Found>, String> {
    let variable = around.env.iter().find(|(name, _)| name == "LB_CONFIG").map(|(_, value)| value);
    if let Some(path) = explicit {
        return named(Path::new(path), "argument config", around).map(Some);
    }
    if let Some(path) = variable {
        return named(Path::new(path), "LB_CONFIG", around).map(Some);
    }
    let home = around.home.as_ref().map(|home| home.join(".config/lb/config.toml"));
    for path in [Some(around.cwd.join("lb.toml")), home].into_iter().flatten() {
        match bytes(&path) {
            Ok(bytes) => return values(&path, &bytes).map(|values| Some((path, values))),
            Err((ErrorKind::NotFound | ErrorKind::NotADirectory, _)) => {}
            // A folder that may not be entered: nobody meant a file in there for us.
            Err((ErrorKind::PermissionDenied, _)) if path.symlink_metadata().is_err() => {}
            Err((_, why)) => return Err(format!("{}: {why}", path.display())),
        }
    }
    Ok(None)
}

fn named(path: &Path, source: &str, around: &Surroundings) -> Result<Found, String> {
    if path.as_os_str().is_empty() {
        return Err(format!("{source}: empty; name a file or leave it out"));
    }
    let path = around.cwd.join(path);
    let bytes = bytes(&path).map_err(|(_, why)| format!("{}: {why} ({source})", path.display()))?;
    let values = values(&path, &bytes)?;
    Ok((path, values))
}

fn bytes(path: &Path) -> Result<Vec<u8>, (ErrorKind, String)> {
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| (e.kind(), format!("cannot be read: {e}")))?;
    if read as u64 > MAX_FILE_BYTES {
        return Err((ErrorKind::FileTooLarge, format!("more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

fn values(path: &Path, bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let ending = path.extension().map(OsStr::to_string_lossy).unwrap_or_default();
    let read = match Format::of_ending(&ending) {
        Some(format) => format.read(bytes),
        None => Err("the file's name must end in .toml, .json, .yaml or .yml".to_owned()),
    };
    read.map_err(|why| format!("{}: {why}", path.display()))
}
