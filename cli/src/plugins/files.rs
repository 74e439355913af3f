//! Reading a plugin's files.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// More than any file of a plugin needs.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file =
        File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match file {
        Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => {
            Err(format!("more than {MAX_FILE_BYTES} bytes"))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// What a folder holds, by name; nothing where there is no such folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let listed = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| {
            entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()
        }),
    };
    let mut paths = listed.map_err(|error| format!("cannot be listed: {error}"))?;
    paths.retain(|path| {
        !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
    });
    paths.sort();
    Ok(paths)
}
