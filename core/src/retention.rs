//! Retention: the oldest segments of a log go when there are more than are to be kept.
//!
//! Each deletion is told in the log, by a record of event type `log_deleted` that is there before
//! the file goes: killed in between, this process leaves a record too early, and whoever deletes
//! the file then tells it again under the same segment number, which no other file ever gets. The
//! other order would leave a deletion that nobody ever tells of.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::clock::realtime_ns;
use crate::config::RetentionConfig;
use crate::error::{Error, Result};
use crate::file::{LogFile, Segment};
use crate::frame::append_tag;
use crate::loki::{Delivered, Target};
use crate::notice::Trouble;
use crate::own_record::OwnRecord;
use crate::record::{Context, Level, TagValue};

/// Most segments that are deleted under one lock, so that siblings do not wait for long.
const AT_ONCE: usize = 16;

/// Nothing is said as long as Loki may merely be a little behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one process does about a log's segments.
pub(crate) struct Retention {
    config: RetentionConfig,
    /// The Loki that must have what goes; empty as long as none is asked.
    target: Arc<OnceLock<Target>>,
    /// The number of rotations behind which there was nothing left to do.
    done_at: u64,
    /// The last time has failed, or Loki lacked something: not again before a while has passed.
    paused: bool,
    held_since: Option<Instant>,
    trouble: Trouble,
    held_back: Trouble,
}

impl Retention {
    pub(crate) fn new(config: RetentionConfig, target: Arc<OnceLock<Target>>) -> Self {
        Self {
            config,
            target,
            done_at: 0,
            paused: false,
            held_since: None,
            trouble: Trouble::default(),
            held_back: Trouble::default(),
        }
    }

    /// Whether this process has rotated the log and there may be something left to do.
    pub(crate) fn is_due(&self, log: &LogFile) -> bool {
        self.config.backups.is_some() && !self.paused && log.rotations() != self.done_at
    }

    /// Lets what could not be done be tried again.
    pub(crate) fn try_again(&mut self) {
        self.paused = false;
    }

    /// Deletes what is more than is to be kept; how many files that were.
    pub(crate) fn run(&mut self, log: &mut LogFile, context: &Context) -> u64 {
        let Some(backups) = self.config.backups else { return 0 };
        let mut deleted = 0;
        let done = self.delete(log, context, backups, &mut deleted);
        self.paused |= done.is_err();
        let path = log.path().display();
        match done {
            Ok(()) => self.trouble.ends(|| format!("{path}: rotated files are deleted again")),
            Err(error) => self.trouble.begins(|| format!("{error}; more rotated files stay")),
        }
        deleted
    }

    fn delete(
        &mut self,
        log: &mut LogFile,
        context: &Context,
        backups: u64,
        deleted: &mut u64,
    ) -> Result<()> {
        let path = log.path().to_path_buf();
        let rotations = log.rotations();
        let delivered = self.target.get().map(|target| Delivered::read(&path, target));
        let mut locked = log.lock()?;
        let all = locked
            .segments()
            .map_err(|error| Error::io(&path, "looking for its rotated files", error))?;
        let surplus = surplus(&all, backups);
        let free = free(&surplus[..surplus.len().min(AT_ONCE)], delivered.as_ref())?;
        for segment in free {
            let record = deletion(segment, backups);
            locked.append_line(&record.line(context, realtime_ns()))?;
            std::fs::remove_file(&segment.path).map_err(|error| {
                Error::io(&segment.path, "deleting a rotated file; is its folder writable?", error)
            })?;
            *deleted += 1;
        }
        drop(locked);
        if free.len() == surplus.len() {
            self.done_at = rotations;
        }
        self.hold(free.len() < surplus.len().min(AT_ONCE), &path, backups);
        Ok(())
    }

    /// Notes whether Loki holds files back. It is said when that lasts.
    fn hold(&mut self, held: bool, log: &Path, backups: u64) {
        let log = log.display();
        if !held {
            self.held_since = None;
            self.held_back
                .ends(|| format!("{log}: Loki has them: rotated files are deleted again"));
            return;
        }
        self.paused = true;
        if self.held_since.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
            self.held_back.begins(|| {
                format!(
                    "{log}: more than {backups} rotated files stay, because Loki has not \
                     acknowledged them; set retention_over_delivery to let them go"
                )
            });
        }
    }
}

/// The segments beyond those that are to be kept, of all in order of age.
fn surplus(all: &[Segment], backups: u64) -> &[Segment] {
    let backups = usize::try_from(backups).unwrap_or(usize::MAX);
    &all[..all.len().saturating_sub(backups)]
}

/// Those that may go: the oldest up to the first one that Loki does not have to its end.
fn free<'s>(surplus: &'s [Segment], delivered: Option<&Delivered>) -> Result<&'s [Segment]> {
    let Some(delivered) = delivered else { return Ok(surplus) };
    for (index, segment) in surplus.iter().enumerate() {
        let has = delivered.has(&segment.path).map_err(|error| {
            Error::io(&segment.path, "looking whether Loki has a rotated file", error)
        })?;
        if !has {
            return Ok(&surplus[..index]);
        }
    }
    Ok(surplus)
}

fn deletion(segment: &Segment, backups: u64) -> OwnRecord {
    let name = segment.path.file_name().unwrap_or_default().to_string_lossy();
    let reason = match backups {
        1 => "1 rotated file is kept".to_owned(),
        _ => format!("{backups} rotated files are kept"),
    };
    let message = format!("{name} ({} bytes) was deleted: {reason}", segment.bytes);
    let mut tags = Vec::new();
    append_tag(&mut tags, b"file", TagValue::String(name.as_bytes()));
    append_tag(&mut tags, b"segment", TagValue::Unsigned(segment.number));
    append_tag(&mut tags, b"bytes", TagValue::Unsigned(segment.bytes));
    append_tag(&mut tags, b"reason", TagValue::String(reason.as_bytes()));
    OwnRecord { event_type: "log_deleted", level: Level::Info, message, tags }
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
