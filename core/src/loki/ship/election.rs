//! One shipper a log: whoever holds its lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::offset::Target;
use crate::failpoint::{self, Point};
use crate::file::{LockError, LockFile, id_at, id_of, is_locked};
use crate::names;
use crate::ring::FileId;

/// What the elected one says of itself in the lock file; information only.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) pid: u32,
    #[serde(flatten)]
    pub(crate) target: Target,
    /// Why Loki does not take its lines now.
    #[serde(default)]
    pub(crate) trouble: Option<String>,
    /// It is about to end: what comes into the log from now on may be nobody's but the next one's.
    #[serde(default)]
    leaving: bool,
}

/// One who would ship a log.
pub(crate) struct Candidate {
    lock: LockFile,
    card: Card,
    elected: Option<FileId>,
}

impl Candidate {
    pub(crate) fn new(log: &Path, target: &Target) -> Self {
        let (pid, target) = (std::process::id(), target.clone());
        let card = Card { pid, target, trouble: None, leaving: false };
        Self { lock: LockFile::new(names::shipper_lock(log)), card, elected: None }
    }

    /// Whether this one is elected, now or since before. A folder that is gone elects nobody.
    pub(crate) fn stand(&mut self) -> io::Result<bool> {
        if self.is_elected() {
            return Ok(true);
        }
        self.elected = None;
        if !self.lock.path().parent().is_some_and(Path::is_dir) {
            return Ok(false);
        }
        let file = match self.lock.keep(Duration::ZERO) {
            Ok(file) => file,
            Err(LockError::Busy) => return Ok(false),
            Err(LockError::Io(error)) => return Err(error),
        };
        let id = id_of(file)?;
        self.card.trouble = None;
        write_card(file, &self.card)?;
        self.elected = Some(id);
        Ok(true)
    }

    /// Shows on the card why Loki does not take the lines, where this one is elected.
    pub(crate) fn tell(&mut self, trouble: Option<&str>) {
        if self.elected.is_some() && self.card.trouble.as_deref() != trouble {
            self.card.trouble = trouble.map(str::to_owned);
            // It is information only.
            let _ = self.lock.file().map(|file| write_card(file, &self.card));
        }
    }

    /// Whether this one is still elected. Where somebody has deleted the lock, another may be.
    pub(crate) fn is_elected(&self) -> bool {
        self.elected.is_some() && id_at(self.lock.path()).is_ok_and(|there| there == self.elected)
    }

    /// Tells whoever ends now not to count on this one. Who is elected looks at the log once more
    /// behind it, so that every line is somebody's: that of one who ended before was there already,
    /// and who ends later waits for the lock.
    pub(crate) fn take_leave(&mut self) -> io::Result<()> {
        self.card.leaving = true;
        // Where somebody has removed the lock, nobody counts on this one.
        match self.is_elected().then(|| self.lock.keep(Duration::ZERO)) {
            None | Some(Err(LockError::Busy)) => Ok(()),
            Some(Ok(file)) => write_card(file, &self.card),
            Some(Err(LockError::Io(error))) => Err(error),
        }
    }
}

fn write_card(file: &File, card: &Card) -> io::Result<()> {
    let mut text = serde_json::to_vec(card)?;
    text.push(b'\n');
    file.set_len(0)?;
    failpoint::at(Point::ShipElected);
    file.write_all_at(&text, 0)
}

/// Whether the one who ships a log is about to end.
pub(crate) fn is_leaving(log: &Path) -> bool {
    elected(log).is_some_and(|card| card.leaving)
}

/// Whether somebody alive ships a log.
pub(crate) fn is_shipped(log: &Path) -> bool {
    is_locked(&names::shipper_lock(log))
}

/// Who ships a log, or was the last to do so, where it can be told.
pub(crate) fn elected(log: &Path) -> Option<Card> {
    serde_json::from_slice(&std::fs::read(names::shipper_lock(log)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_is_elected_and_another_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.jsonl");
        let target = |endpoint: &str| Target { endpoint: endpoint.into(), ..Target::default() };
        let mut one = Candidate::new(&log, &target("http://one"));
        let mut two = Candidate::new(&log, &target("http://two"));
        assert!(one.stand().unwrap() && one.stand().unwrap());
        assert!(!two.stand().unwrap());
        assert_eq!(elected(&log).unwrap().target, target("http://one"));
        one.tell(Some("connection refused"));
        two.tell(Some("not elected"));
        assert_eq!(elected(&log).unwrap().trouble.as_deref(), Some("connection refused"));
        one.tell(None);
        assert_eq!(elected(&log).unwrap().trouble, None);
        assert!(is_shipped(&log) && !is_leaving(&log));
        one.take_leave().unwrap();
        assert!(is_leaving(&log) && !two.stand().unwrap());
        drop(one);
        assert!(!is_shipped(&log));
        assert!(two.stand().unwrap() && !is_leaving(&log));
        assert_eq!(elected(&log).unwrap().target, target("http://two"));
        // Somebody cleans up: whoever comes first is elected anew.
        assert!(two.is_elected());
        std::fs::remove_file(names::shipper_lock(&log)).unwrap();
        assert!(!two.is_elected());
        let mut three = Candidate::new(&log, &target("http://three"));
        assert!(three.stand().unwrap() && !two.stand().unwrap());
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(!two.stand().unwrap() && !folder.path().exists());
    }
}
