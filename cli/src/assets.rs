//! What comes with lb and is no part of the program: scripts and plugins.

use std::path::{Path, PathBuf};

/// A folder of ours, known by a file in it: beside the program, in the checkout that it was built in,
/// or where `make install` puts it.
pub(crate) fn folder(name: &str, file_in_it: &str) -> Option<PathBuf> {
    let program = std::env::current_exe().and_then(std::fs::canonicalize).ok()?;
    let beside = program.parent()?;
    let places = [beside.join(name), beside.join("../share/lb-log").join(name)];
    // build/lb, target/debug/lb
    let checkouts = beside.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    let found =
        places.into_iter().chain(checkouts).find(|folder| folder.join(file_in_it).is_file());
    found.map(|folder| folder.canonicalize().unwrap_or(folder))
}

/// The plugins that come with lb.
pub(crate) fn plugins() -> Option<PathBuf> {
    folder("plugins", "platform/plugin.toml")
}

/// A script that comes with lb.
pub(crate) fn script(name: &str) -> Option<PathBuf> {
    folder("scripts", name).map(|folder| folder.join(Path::new(name)))
}
