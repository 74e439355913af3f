//! Each file of a run, and the records that are still on their way into it.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::table::{Lean, Table, to_seconds};
use super::told::{Outcome, Told};
use super::words::near;
use crate::config::{Flags, LokiConfig, Rotation};
use crate::error::Result;
use crate::loki::{Shipping, shipping};
use crate::runs::lines::{self, Content};
use crate::runs::log::Log;
use crate::runs::rings::{Process, Rings};
use crate::runs::run;

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

/// Looks at a run, behind moving what dead processes left behind into its files.
///
/// # Errors
/// There is no such run, or the configuration that says where runs are has mistakes.
pub fn status(run: Option<&str>, flags: &Flags) -> Result<Told> {
    let run = run::find(run, flags)?;
    let mut problems = run.problems;
    let rotation = flags.rotation();
    let loki = flags.load().ok().and_then(|config| config.loki);
    let look = |log: &Log| look(log, rotation, loki.as_ref(), &mut problems);
    let logs: Vec<Entry> = run.logs.iter().map(look).collect();
    let document =
        json!({"path": run.path.display().to_string(), "logs": logs, "problems": problems});
    let mut told = Told::new(document, table(&logs, &run.path).text());
    told.heading = Some(format!("{}:", near(&run.path)));
    told.problems(&problems);
    for log in &logs {
        for wait in log.loki.iter().flat_map(|loki| &loki.waits) {
            told.remark(format!("{}: {wait}", near(Path::new(&log.path))));
        }
    }
    if logs.is_empty() {
        told.remark(format!("{}: no logs below it", run.path.display()));
        told.outcome = Outcome::Partly;
    }
    Ok(told)
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

fn table(logs: &[Entry], folder: &Path) -> Table {
    let right = |name| (name, Lean::Right);
    let ships = logs.iter().any(|log| log.loki.is_some());
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
    for log in logs {
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
