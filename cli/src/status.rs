//! `lb status`: each file of a run, and the records that are still on their way into it.

use std::path::Path;

use lb_core::config::Rotation;
use serde::Serialize;

use crate::Outcome;
use crate::args::Common;
use crate::lines::{self, Content};
use crate::log::Log;
use crate::rings::{Process, Rings, rotation};
use crate::say::{Say, near};
use crate::table::{Lean, Table, to_seconds};

/// The document of `--format json`.
#[derive(Debug, Serialize)]
struct Document {
    /// The run's folder, or the one file that was asked for.
    path: String,
    logs: Vec<Entry>,
    problems: Vec<String>,
}

/// One log.
#[derive(Debug, Serialize)]
struct Entry {
    path: String,
    /// Oldest first; the last is the one that is written to.
    files: Vec<FileEntry>,
    /// Sums over the files that hold records.
    lines: u64,
    bytes: u64,
    last_timestamp: Option<String>,
    #[serde(flatten)]
    rings: Rings,
    /// Sums over the live processes.
    queued: u64,
    dropped: u64,
    rejected: u64,
}

/// One file of a log.
#[derive(Debug, Serialize)]
struct FileEntry {
    path: String,
    lines: u64,
    bytes: u64,
    last_timestamp: Option<String>,
    quarantine: bool,
}

pub(crate) fn run(run: Option<&str>, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let run = crate::run::find(run, common)?;
    let mut problems = run.problems;
    let rotation = rotation(common);
    let logs: Vec<Entry> = run.logs.iter().map(|log| look(log, rotation, &mut problems)).collect();
    let found = !logs.is_empty();
    let document = Document { path: run.path.display().to_string(), logs, problems };
    if say.wants_json() {
        say.document(&serde_json::to_value(&document)?)?;
    } else {
        say.remark(&format!("{}:", near(&run.path)));
        say.data(&table(&document, &run.path).text())?;
    }
    for problem in &document.problems {
        say.warning(problem);
    }
    if !found {
        say.remark(&format!("{}: no logs below it", run.path.display()));
    }
    let all = found && document.problems.is_empty();
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

/// Rings first: what they give is then counted in the files.
fn look(log: &Log, rotation: Rotation, problems: &mut Vec<String>) -> Entry {
    let rings = Rings::settle(&log.path, rotation, problems);
    // Recovery may have rotated or begun the file.
    let log = Log::of_file(&log.path).unwrap_or_else(|| log.clone());
    let mut files = Vec::new();
    for path in log.files() {
        let content = lines::read(path).unwrap_or_else(|error| {
            problems.push(format!("{}: cannot be read: {error}", path.display()));
            Content::default()
        });
        let Content { lines, bytes, last } = content;
        let quarantine = Some(path) == log.quarantine.as_deref();
        let path = path.display().to_string();
        files.push(FileEntry { path, lines, bytes, last_timestamp: last, quarantine });
    }
    let records = || files.iter().filter(|file| !file.quarantine);
    // What a damaged ring file says may be any number.
    let sum = |of: fn(&Process) -> u64| rings.processes.iter().map(of).fold(0, u64::saturating_add);
    Entry {
        path: log.path.display().to_string(),
        lines: records().map(|file| file.lines).sum(),
        bytes: records().map(|file| file.bytes).sum(),
        last_timestamp: records().rev().find_map(|file| file.last_timestamp.clone()),
        queued: sum(|process| process.queued),
        dropped: sum(|process| process.dropped),
        rejected: sum(|process| process.rejected),
        rings,
        files,
    }
}

fn table(document: &Document, folder: &Path) -> Table {
    let right = |name| (name, Lean::Right);
    let mut table = Table::new(&[
        ("FILE", Lean::Left),
        right("LINES"),
        right("BYTES"),
        ("LAST RECORD", Lean::Left),
        right("RECOVERED"),
        right("IN RINGS"),
        right("DROPPED"),
        right("REJECTED"),
    ]);
    let short = |path: &str| {
        let path = Path::new(path);
        match path.strip_prefix(folder) {
            Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
            _ => near(path),
        }
    };
    for log in &document.logs {
        if log.files.is_empty() {
            table.row(&[short(&log.path), "-".to_owned()]);
        }
        for file in &log.files {
            let last = file.last_timestamp.as_deref().map_or_else(|| "-".to_owned(), to_seconds);
            let mut row =
                vec![short(&file.path), file.lines.to_string(), file.bytes.to_string(), last];
            if file.path == log.path {
                let counts = [log.rings.recovered, log.queued, log.dropped, log.rejected];
                row.extend(counts.map(|count| count.to_string()));
            }
            table.row(&row);
        }
    }
    table
}
