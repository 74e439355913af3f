//! What a verification found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::walk::is_compressed;
use crate::loki::ship::mend::Lost;

/// What became of lines: `lines = held + lacking + pending + parked + quarantined`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Lines from the lowest level up.
    pub lines: u64,
    /// Loki holds them.
    pub held: u64,
    /// The held lines that have an equal one of the same nanosecond before them: Loki shows one of
    /// them, and nobody can say whether it has both.
    pub equal: u64,
    /// Loki lacks them: gaps.
    pub lacking: u64,
    /// Loki lacks them, and they were not sent yet.
    pub pending: u64,
    /// Loki has refused them for now.
    pub parked: u64,
    /// Loki will never take them; they lie in the quarantine.
    pub quarantined: u64,
}

/// A file, compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileChecked {
    /// The file.
    pub path: PathBuf,
    /// All its lines.
    pub lines: u64,
    /// Those below the lowest level.
    pub below_level: u64,
    /// Those that are no records, and not in the quarantine.
    pub unreadable: u64,
    /// The others.
    pub tally: Tally,
    /// Why it could not be read to its end, where a collected copy is cut or damaged: what comes
    /// before was compared.
    pub damaged: Option<String>,
}

/// A stream, compared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StreamChecked {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its lines in all files.
    pub tally: Tally,
    /// Lines that Loki has and no file.
    pub extra: Extra,
    /// What a metric query counts of it; `None` where it could not be asked.
    pub counted: Option<u64>,
}

/// Lines that Loki has and no file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Extra {
    /// So many, the first and the last of this time; the times are empty where there are none.
    Lines {
        /// How many.
        count: u64,
        /// The time of the first.
        first: String,
        /// The time of the last.
        last: String,
    },
    /// They were more than can be remembered.
    Uncounted,
}

/// Lines of one stream that follow each other in one file, and that Loki lacks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Gap {
    /// The file.
    pub file: PathBuf,
    /// From which line on, counted from 1.
    pub first_line: u64,
    /// To which; lines of other streams may lie between.
    pub last_line: u64,
    /// How many lines of the stream.
    pub lines: u64,
    /// The earliest of their times.
    pub first: String,
    /// The latest of their times.
    pub last: String,
    /// Which of [`Verified::streams`].
    pub stream: usize,
}

/// What a verification found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// All files, in the order of their logs, the oldest of each first.
    pub files: Vec<FileChecked>,
    /// All streams of their lines.
    pub streams: Vec<StreamChecked>,
    /// What Loki lacks.
    pub gaps: Vec<Gap>,
    /// False where it was ended before everything was compared.
    pub finished: bool,
    /// The logs, each with where its files' missing lines stand, for [`crate::loki::repair`].
    pub(super) logs: Vec<(PathBuf, Vec<Lost>)>,
}

impl Verified {
    /// The sum over the files.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for Tally { lines, held, equal, lacking, pending, parked, quarantined } in
            self.files.iter().map(|file| file.tally)
        {
            sum.lines += lines;
            sum.held += held;
            sum.equal += equal;
            sum.lacking += lacking;
            sum.pending += pending;
            sum.parked += parked;
            sum.quarantined += quarantined;
        }
        sum
    }

    /// The logs of which Loki lacks something that can be sent.
    pub(crate) fn to_repair(&self) -> Vec<PathBuf> {
        let whole = |file: &FileChecked| {
            file.tally.lacking + file.tally.pending + file.tally.parked + file.unreadable == 0
        };
        let mut files = self.files.iter();
        let mut logs = Vec::new();
        for (log, parts) in &self.logs {
            let all_whole =
                files.by_ref().take(parts.len()).filter(|file| !whole(file)).count() == 0;
            if !all_whole && !is_compressed(log) {
                logs.push(log.clone());
            }
        }
        logs
    }

    /// The collected files of which Loki does not have every line that it can take.
    pub fn copies_to_repair(&self) -> impl Iterator<Item = &Path> {
        let lacks = |file: &&FileChecked| file.tally.lacking > 0 && is_compressed(&file.path);
        self.files.iter().filter(lacks).map(|file| file.path.as_path())
    }

    /// The missing lines of a log.
    pub(crate) fn lost(&self, log: &Path) -> Vec<Lost> {
        let parts = self.logs.iter().filter(|(path, _)| path == log).flat_map(|(_, parts)| parts);
        parts.filter(|lost| lost.bytes.len() > 0).cloned().collect()
    }

    /// Whether Loki was shown to hold every line that it can take.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let Tally { lacking, pending, parked, .. } = self.tally();
        let whole = |file: &FileChecked| file.unreadable == 0 && file.damaged.is_none();
        let readable = self.files.iter().all(whole);
        self.finished && lacking + pending + parked == 0 && readable
    }
}
