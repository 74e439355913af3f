//! `lb status`: each file of a run, and the records that are still on their way into it.

use std::path::Path;

use lb_core::config::{LokiConfig, Rotation};
use lb_core::loki::{Shipping, shipping};
use serde::Serialize;

use crate::Outcome;
use crate::args::Common;
use crate::configuration;
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
    /// How far it is in Loki, where that is or was in use.
    loki: Option<InLoki>,
}

/// How far a log is in Loki.
#[derive(Debug, Serialize)]
struct InLoki {
    endpoint: String,
    tenant: Option<String>,
    min_level: String,
    /// The live process that ships it.
    shipper: Option<u32>,
    lines: u64,
    acknowledged: u64,
    below_level: u64,
    pending: u64,
    parked: u64,
    quarantined: u64,
    replayed: u64,
    /// Lines that were pending in files that are gone.
    missing: u64,
    /// Why lines wait.
    waits: Vec<String>,
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
    let loki = configuration::load(common).ok().and_then(|config| config.loki);
    let loki = loki.as_ref();
    let look = |log: &Log| look(log, rotation, loki, &mut problems);
    let logs: Vec<Entry> = run.logs.iter().map(look).collect();
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
    for log in &document.logs {
        for wait in log.loki.iter().flat_map(|loki| &loki.waits) {
            say.remark(&format!("{}: {wait}", near(Path::new(&log.path))));
        }
    }
    if !found {
        say.remark(&format!("{}: no logs below it", run.path.display()));
    }
    let all = found && document.problems.is_empty();
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

/// Rings first: what they give is then counted in the files.
fn look(
    log: &Log,
    rotation: Rotation,
    loki: Option<&LokiConfig>,
    problems: &mut Vec<String>,
) -> Entry {
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
    let lines = records().map(|file| file.lines).sum();
    // What a damaged ring file says may be any number.
    let sum = |of: fn(&Process) -> u64| rings.processes.iter().map(of).fold(0, u64::saturating_add);
    Entry {
        path: log.path.display().to_string(),
        lines,
        bytes: records().map(|file| file.bytes).sum(),
        last_timestamp: records().rev().find_map(|file| file.last_timestamp.clone()),
        queued: sum(|process| process.queued),
        dropped: sum(|process| process.dropped),
        rejected: sum(|process| process.rejected),
        loki: in_loki(&log.path, lines, loki),
        rings,
        files,
    }
}

/// `lines` are those of the files now: the offset file may be a second behind.
fn in_loki(log: &Path, lines: u64, configured: Option<&LokiConfig>) -> Option<InLoki> {
    let log = std::path::absolute(log).ok()?;
    let Shipping { endpoint, tenant, min_level, alive, pid, delivery, mut waits } =
        shipping(&log, configured)?;
    let pending = delivery.pending + lines.saturating_sub(delivery.lines);
    if pending > 0 && !alive {
        waits.push("no process ships it now; `lb push` does".to_owned());
    }
    Some(InLoki {
        endpoint,
        tenant,
        min_level,
        shipper: pid.filter(|_| alive),
        lines: delivery.lines.max(lines),
        acknowledged: delivery.acknowledged,
        below_level: delivery.below_level,
        pending,
        parked: delivery.parked,
        quarantined: delivery.quarantined,
        replayed: delivery.replayed,
        missing: delivery.missing,
        waits,
    })
}

fn table(document: &Document, folder: &Path) -> Table {
    let right = |name| (name, Lean::Right);
    let ships = document.logs.iter().any(|log| log.loki.is_some());
    let mut columns = vec![
        ("FILE", Lean::Left),
        right("LINES"),
        right("BYTES"),
        ("LAST RECORD", Lean::Left),
        right("RECOVERED"),
        right("IN RINGS"),
        right("DROPPED"),
        right("REJECTED"),
    ];
    if ships {
        let names = ["ACKNOWLEDGED", "PENDING", "PARKED", "QUARANTINED", "REPLAYED"];
        columns.extend(names.map(right));
    }
    let mut table = Table::new(&columns);
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
                row.extend(log.loki.iter().flat_map(|loki| {
                    let InLoki { acknowledged, pending, parked, quarantined, replayed, .. } = loki;
                    [acknowledged, pending, parked, quarantined, replayed].map(u64::to_string)
                }));
            }
            table.row(&row);
        }
    }
    table
}
