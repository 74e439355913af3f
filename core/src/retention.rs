//! Retention: the oldest segments of a log go when there are more than are to be kept.
//!
//! Each deletion is told in the log, by a record of event type `log_deleted` that is there before
//! the file goes: killed in between, this process leaves a record too early, and whoever deletes
//! the file then tells it again under the same segment number, which no other file ever gets. The
//! other order would leave a deletion that nobody ever tells of.

use std::path::Path;

use crate::clock::realtime_ns;
use crate::config::RetentionConfig;
use crate::error::{Error, Result};
use crate::file::{LogFile, Segment};
use crate::frame::append_tag;
use crate::notice::Trouble;
use crate::own_record::OwnRecord;
use crate::record::{Context, Level, TagValue};

/// Most segments that are deleted under one lock, so that siblings do not wait for long.
const AT_ONCE: usize = 16;

/// What one process does about a log's segments.
pub(crate) struct Retention {
    config: RetentionConfig,
    /// The number of rotations behind which there was nothing left to do.
    done_at: u64,
    /// The last time has failed: not again before a while has passed.
    failed: bool,
    trouble: Trouble,
    held_back: Trouble,
}

impl Retention {
    pub(crate) fn new(config: RetentionConfig) -> Self {
        let (trouble, held_back) = (Trouble::default(), Trouble::default());
        Self { config, done_at: 0, failed: false, trouble, held_back }
    }

    /// Whether this process has rotated the log since the last time.
    pub(crate) fn is_due(&self, log: &LogFile) -> bool {
        self.config.backups.is_some() && !self.failed && log.rotations() != self.done_at
    }

    /// Lets what has failed be tried again.
    pub(crate) fn try_again(&mut self) {
        self.failed = false;
    }

    /// Deletes what is more than is to be kept; how many files that were.
    pub(crate) fn run(&mut self, log: &mut LogFile, context: &Context) -> u64 {
        let Some(backups) = self.config.backups else { return 0 };
        let mut deleted = 0;
        let done = self.delete(log, context, backups, &mut deleted);
        self.failed = done.is_err();
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
        let mut locked = log.lock()?;
        let all = locked
            .segments()
            .map_err(|error| Error::io(&path, "looking for its rotated files", error))?;
        let (gone, kept_for_loki) = split(&all, backups, self.acknowledged());
        for segment in gone.iter().take(AT_ONCE) {
            let record = deletion(segment, backups);
            locked.append_line(&record.line(context, realtime_ns()))?;
            std::fs::remove_file(&segment.path).map_err(|error| {
                Error::io(&segment.path, "deleting a rotated file; is its folder writable?", error)
            })?;
            *deleted += 1;
        }
        drop(locked);
        if gone.len() <= AT_ONCE {
            self.done_at = rotations;
        }
        if kept_for_loki > 0 {
            self.say_held_back(&path, backups);
        }
        Ok(())
    }

    /// Segments up to this number may go: Loki has acknowledged them, or is not to be asked.
    /// Nothing is acknowledged as long as nothing is shipped.
    fn acknowledged(&self) -> u64 {
        if self.config.needs_delivery { 0 } else { u64::MAX }
    }

    fn say_held_back(&mut self, log: &Path, backups: u64) {
        self.held_back.begins(|| {
            format!(
                "{}: more than {backups} rotated files stay, because Loki has not acknowledged \
                 them; set retention_over_delivery to let them go",
                log.display()
            )
        });
    }
}

/// The segments that go, of all in order of age, and how many more would without Loki.
fn split(all: &[Segment], backups: u64, acknowledged: u64) -> (&[Segment], usize) {
    let backups = usize::try_from(backups).unwrap_or(usize::MAX);
    let (surplus, _) = all.split_at(all.len().saturating_sub(backups));
    let free = surplus.partition_point(|segment| segment.number <= acknowledged);
    (&surplus[..free], surplus.len() - free)
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
