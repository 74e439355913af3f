//! Opening a log: the one that its processes share, or one apart where its lock is of no use.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::Duration;

use super::log::LogFile;
use super::trust::distrusted_at;
use crate::config::Rotation;
use crate::error::{Error, Result};
use crate::names;
use crate::notice::say;

/// How long the lock file may stay as it is, while another holds the lock, before its holder
/// counts as stopped or stuck.
const STUCK: Duration = Duration::from_secs(2);

/// Why a process has a log of its own beside the one that its siblings share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Apart {
    /// The holder of the lock does not go on.
    Stuck,
    /// The file system, whose name this is, has no locks to trust.
    Distrusted(&'static str),
}

impl LogFile {
    /// Makes the log and its folder; or a log apart, where the lock cannot be had or trusted.
    pub(crate) fn open(path: &Path, rotation: Rotation) -> Result<Self> {
        let mut log = Self::new(path, rotation);
        if let Some(name) = distrusted_at(path) {
            log = log.apart(Apart::Distrusted(name));
        }
        loop {
            match log.lock().and_then(|mut locked| locked.ensure_log()) {
                Err(Error::Timeout(_)) if log.is_stuck() => log = log.apart(Apart::Stuck),
                Err(Error::Timeout(_)) => {}
                done => return done.map(|()| log),
            }
        }
    }

    /// Whether the holder of the lock seems to be stopped or stuck: nobody has changed the lock
    /// file for two seconds in which we could not have the lock.
    pub(crate) fn is_stuck(&self) -> bool {
        self.refused.as_ref().is_some_and(|(since, _)| since.elapsed() >= STUCK)
    }

    /// A log of this process's own beside this one; says so.
    pub(crate) fn apart(&self, why: Apart) -> Self {
        let id = RandomState::new().build_hasher().finish();
        let path = names::apart(self.path(), u32::try_from(id >> 32).unwrap_or(0));
        let (reason, price) = match why {
            Apart::Stuck => {
                ("the process that holds the lock does not go on (stopped?)".to_owned(), "")
            }
            Apart::Distrusted(name) => (
                format!("locks on this file system ({name}) are not to be trusted"),
                ", with rings in plain memory: a crash may lose the last milliseconds; set \
                 output_dir to a local disk for more",
            ),
        };
        let shown = self.path().display();
        say(&format!("{shown}: {reason}: going on in {}{price}", path.display()));
        let mut apart = Self::new(&path, self.rotation());
        apart.log.unsynced.clone_from(&self.log.unsynced);
        apart.apart = Some(why);
        apart
    }

    /// Why this is no log that processes share; `None` where it is.
    pub(crate) fn why_apart(&self) -> Option<Apart> {
        self.apart
    }
}
