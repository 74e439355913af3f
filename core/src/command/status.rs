//! Each file of a run, and the records that are still on their way into it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::table::{Lean, Table, to_seconds};
use super::told::{Outcome, Told};
use super::words::near;
use crate::config::{Flags, LokiConfig, Rotation};
use crate::encode::timestamp;
use crate::error::Result;
use crate::living::Living;
use crate::loki::{Shipping, shipping};
use crate::runs::blocks::torn;
use crate::runs::lines::Counts;
use crate::runs::log::Log;
use crate::runs::rings::Rings;
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
    /// Since the look before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines_per_second: Option<u64>,
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

/// Looks at a run once.
///
/// # Errors
/// As [`Looks::look`].
pub fn status(run: Option<&str>, flags: &Flags) -> Result<Told> {
    Looks::new(run.unwrap_or("latest"), flags).look()
}

/// Looks at a run, one after the other. Of a file that has grown only what is new is read.
#[derive(Debug)]
pub struct Looks<'a> {
    run: &'a str,
    flags: &'a Flags,
    counts: Counts,
    before: HashMap<PathBuf, Seen>,
}

/// A log at the last look.
#[derive(Debug)]
struct Seen {
    lines: u64,
    at: Instant,
    /// Records that all looks together have moved into the file.
    recovered: u64,
}

impl<'a> Looks<'a> {
    /// No look yet.
    #[must_use]
    pub fn new(run: &'a str, flags: &'a Flags) -> Self {
        Self { run, flags, counts: Counts::default(), before: HashMap::new() }
    }

    /// How it is now, behind moving what dead processes left behind into the files. `latest` may be
    /// another run than at the look before.
    ///
    /// # Errors
    /// There is no such run, or the configuration that says where runs are has mistakes.
    pub fn look(&mut self) -> Result<Told> {
        let run = run::find(Some(self.run), self.flags)?;
        let mut problems = run.problems;
        let rotation = self.flags.rotation();
        let loki = self.flags.load().ok().and_then(|config| config.loki);
        let look = |log| self.log(log, rotation, loki.as_ref(), &mut problems);
        let logs: Vec<Entry> = run.logs.iter().map(look).collect();
        let document = json!({
            "path": run.path.display().to_string(),
            "timestamp": timestamp(crate::clock::realtime_ns()),
            "logs": logs,
            "problems": problems,
        });
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
    fn log(
        &mut self,
        log: &Log,
        rotation: Rotation,
        loki: Option<&LokiConfig>,
        problems: &mut Vec<String>,
    ) -> Entry {
        let mut rings = Rings::settle(&log.path, rotation, problems);
        // Recovery may have rotated or begun the file.
        let log = Log::of_file(&log.path).unwrap_or_else(|| log.clone());
        let mut files = Vec::new();
        for path in log.files() {
            let (content, read) = self.counts.count(path);
            if let Err(error) = read {
                let why = torn(path, &error, content.bytes, "counted");
                problems.push(format!("{}: {why}", path.display()));
            }
            files.push(FileEntry {
                path: path.display().to_string(),
                lines: content.lines,
                bytes: content.bytes,
                last_timestamp: content.last,
                quarantine: Some(path) == log.quarantine.as_deref(),
            });
        }
        let records = || files.iter().filter(|file| !file.quarantine);
        let lines = records().map(|file| file.lines).sum();
        let lines_per_second = self.again(&log.path, lines, &mut rings);
        // What a damaged ring file says may be any number.
        let sum =
            |of: fn(&Living) -> u64| rings.processes.iter().map(of).fold(0, u64::saturating_add);
        Entry {
            path: log.path.display().to_string(),
            lines,
            bytes: records().map(|file| file.bytes).sum(),
            last_timestamp: records().rev().find_map(|file| file.last_timestamp.clone()),
            lines_per_second,
            queued: sum(|process| process.queued),
            dropped: sum(|process| process.dropped),
            rejected: sum(|process| process.rejected),
            loki: in_loki(&log.path, lines, loki),
            rings,
            files,
        }
    }

    /// What has changed since the last look, if there was one.
    fn again(&mut self, log: &Path, lines: u64, rings: &mut Rings) -> Option<u64> {
        let now = Instant::now();
        let before = self.before.get(log);
        rings.recovered += before.map_or(0, |before| before.recovered);
        let rate = before.map(|before| {
            let nanoseconds = now.duration_since(before.at).as_nanos().max(1);
            let more = u128::from(lines.saturating_sub(before.lines));
            u64::try_from(more * 1_000_000_000 / nanoseconds).unwrap_or(u64::MAX)
        });
        self.before.insert(log.to_path_buf(), Seen { lines, at: now, recovered: rings.recovered });
        rate
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
    let again = logs.iter().any(|log| log.lines_per_second.is_some());
    let mut columns = vec![("FILE", Lean::Left), right("LINES"), right("BYTES")];
    columns.push(("LAST RECORD", Lean::Left));
    columns.extend(again.then(|| right("LINES/S")));
    columns.extend(["RECOVERED", "IN RINGS", "DROPPED", "REJECTED"].map(right));
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
                let rate = log.lines_per_second.map_or_else(|| "-".to_owned(), |r| r.to_string());
                row.extend(again.then_some(rate));
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
