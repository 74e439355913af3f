//! Opening a log: the one that its processes share, or one apart where its lock is of no use.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::Duration;

use super::log::LogFile;
use super::trust::distrusted_at;
use crate::config::Rotation;
use crate::error::{Error, Result, is_full};
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
        let why = match distrusted_at(path) {
            Some(name) => Apart::Distrusted(name),
            None => loop {
                match log.make() {
                    Err(Error::Timeout(_)) if log.is_stuck() => break Apart::Stuck,
                    Err(Error::Timeout(_)) => {}
                    done => return done.map(|()| log),
                }
            },
        };
        let apart = log.apart(why)?;
        log.say_apart(&apart);
        Ok(apart)
    }

    /// Makes the file and its folder. Where the file is there and its disk is merely full, that is
    /// no reason to fail: the writer goes on when there is room again.
    fn make(&mut self) -> Result<()> {
        match self.lock().and_then(|mut locked| locked.ensure_log()) {
            Err(Error::Io { source, .. }) if is_full(&source) && self.path().is_file() => Ok(()),
            done => done,
        }
    }

    /// Whether the holder of the lock seems to be stopped or stuck: nobody has changed the lock
    /// file for two seconds in which we could not have the lock.
    pub(crate) fn is_stuck(&self) -> bool {
        self.refused.as_ref().is_some_and(|(since, _)| since.elapsed() >= STUCK)
    }

    /// A log of this process's own beside this one.
    pub(crate) fn apart(&self, why: Apart) -> Result<Self> {
        let id = RandomState::new().build_hasher().finish();
        let path = names::apart(self.path(), u32::try_from(id >> 32).unwrap_or(0));
        let mut apart = Self::new(&path, self.rotation());
        apart.log.unsynced.clone_from(&self.log.unsynced);
        apart.lock.lingers.clone_from(&self.lock.lingers);
        apart.apart = Some(why);
        apart.make()?;
        Ok(apart)
    }

    /// Says that this process goes on in a log apart, and why.
    pub(crate) fn say_apart(&self, apart: &Self) {
        let (reason, price) = if let Some(Apart::Distrusted(name)) = apart.apart {
            (
                format!("locks on this file system ({name}) are not to be trusted"),
                ", with rings in plain memory: a crash may lose the last milliseconds; set \
                 output_dir to a local disk for more",
            )
        } else {
            let lock = names::lock_file(self.path());
            let what = "the process that holds the lock does not go on";
            (format!("{what} (is it stopped? fuser {} names it)", lock.display()), "")
        };
        let (shown, own) = (self.path().display(), apart.path().display());
        say(&format!("{shown}: {reason}: going on in {own}{price}"));
    }

    /// Why this is no log that processes share; `None` where it is.
    pub(crate) fn why_apart(&self) -> Option<Apart> {
        self.apart
    }
}
