//! What can go wrong in the core, and the status number that each language sees for it.

use std::io;
use std::path::{Path, PathBuf};

/// The result of everything in the core that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the core. Its text names the file or key it speaks of and, where
/// the user can do something, what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument that a caller must not pass.
    #[error("{0}")]
    Argument(String),
    /// All mistakes of a configuration, one a line.
    #[error("{0}")]
    Config(String),
    /// A file or folder that cannot be used.
    #[error("{path}: {doing}: {source}{}", remedy(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted, and where it helps what to do next.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A record or a context that was refused and counted.
    #[error("{0}")]
    Rejected(String),
    /// The record's ring was full: dropped and counted.
    #[error("the ring was full: the record was dropped and counted")]
    Dropped,
    /// The logger was closed.
    #[error("the logger was closed")]
    Closed,
    /// Not finished within the time that the caller gave.
    #[error("{0}")]
    Timeout(String),
    /// A call inside a call on one thread, as from a signal handler.
    #[error("a call inside a call on the same thread was refused and counted")]
    Nested,
    /// Nothing was done: the caller would have to wait, and has asked not to.
    #[error("the call would have to wait")]
    WouldWait,
    /// A bound of the library was reached.
    #[error("{0}")]
    Limit(String),
}

/// What a person can do about an error of the system, behind a semicolon; empty where that is not
/// known.
fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull => "; free some space there",
        ErrorKind::QuotaExceeded => "; free some space there, or have the quota raised",
        ErrorKind::ReadOnlyFilesystem => {
            "; make its file system writable again (after an error of the disk: repair and mount it)"
        }
        ErrorKind::PermissionDenied => "; give this user the right to write there",
        ErrorKind::IsADirectory => "; a folder has its place: move that away",
        ErrorKind::NotADirectory => "; a file has the place of its folder: move that away",
        _ if error.raw_os_error() == Some(libc::ELOOP) => {
            "; a symbolic link has its place: move that away"
        }
        _ => "",
    }
}

/// Whether an error says that there is no room, now, on a disk that is otherwise sound.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Error {
    /// An I/O error with the path it speaks of and what was attempted.
    pub fn io(path: &Path, doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { path: path.to_path_buf(), doing: doing.into(), source: source.into() }
    }

    /// The status number of the C ABI (`LB_ERR_…`). Numbers are never reused.
    #[must_use]
    pub const fn status(&self) -> i32 {
        match self {
            Self::Argument(_) => 1,
            Self::Config(_) => 2,
            Self::Io { .. } => 3,
            Self::Rejected(_) => 4,
            Self::Dropped => 5,
            Self::Closed => 6,
            Self::Timeout(_) => 7,
            Self::Nested => 8,
            // 9 is reserved.
            Self::Limit(_) => 10,
            // No function of the C ABI answers this.
            Self::WouldWait => 11,
        }
    }
}
