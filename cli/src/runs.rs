//! `lb runs`: the runs below the output folder.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use lb_core::record::Level;
use memchr::{memchr, memmem};
use serde::Serialize;

use crate::Outcome;
use crate::args::Common;
use crate::blocks::{Blocks, plain, torn};
use crate::log::Log;
use crate::record::{Record, Stamp, level_of_line};
use crate::run::Run;
use crate::say::{Say, near};
use crate::table::{Lean, Table, to_seconds};
use crate::threads;

/// The document of `--format json`.
#[derive(Debug, Serialize)]
struct Document {
    /// The folder of all runs.
    path: String,
    /// By their first record; those without any come first.
    runs: Vec<Entry>,
    problems: Vec<String>,
}

/// One run.
#[derive(Debug, Serialize)]
struct Entry {
    /// The name of its folder, by which every command knows it.
    run: String,
    path: String,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    hosts: BTreeSet<String>,
    components: BTreeSet<String>,
    lines: u64,
    /// Records of level ERROR and above.
    errors: u64,
}

pub(crate) fn run(common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let folder = common.flags().output_dir()?;
    let (mut runs, mut problems) = (Vec::new(), Vec::new());
    for path in folders(&folder)? {
        let mut run = Run::of_folder(&path);
        problems.append(&mut run.problems);
        if !run.logs.is_empty() {
            runs.push(summary(&run, &mut problems));
        }
    }
    runs.sort_by(|a, b| (&a.first_timestamp, &a.run).cmp(&(&b.first_timestamp, &b.run)));
    let document = Document { path: folder.display().to_string(), runs, problems };
    if say.wants_json() {
        say.document(&serde_json::to_value(&document)?)?;
    } else {
        say.data(&table(&document.runs).text())?;
    }
    for problem in &document.problems {
        say.warning(problem);
    }
    if document.runs.is_empty() {
        say.remark(&format!("{}: no runs yet", near(&folder)));
    }
    let all = !document.runs.is_empty() && document.problems.is_empty();
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| {
        format!("{}: no runs yet; name their folder with --output-dir", folder.display())
    })?;
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    Ok(entries.flatten().filter(is_folder).map(|entry| entry.path()).collect())
}

/// What the records of a run, or of one of its files, come to.
#[derive(Debug, Default)]
struct Sum {
    first: Option<Stamp>,
    last: Option<Stamp>,
    hosts: BTreeSet<String>,
    components: BTreeSet<String>,
    lines: u64,
    errors: u64,
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.into_iter().chain(other.last).max();
        self.hosts.extend(other.hosts);
        self.components.extend(other.components);
        self.lines += other.lines;
        self.errors += other.errors;
    }
}

fn summary(run: &Run, problems: &mut Vec<String>) -> Entry {
    let files: Vec<&Path> = run.logs.iter().flat_map(Log::records).collect();
    let mut sum = Sum::default();
    for (path, (of_file, torn)) in files.iter().zip(threads::each(&files, |path| count(path))) {
        sum += of_file;
        if let Some(why) = torn {
            problems.push(format!("{}: {why}", path.display()));
        }
    }
    let name = run.path.file_name().unwrap_or(run.path.as_os_str());
    Entry {
        run: name.to_string_lossy().into_owned(),
        path: run.path.display().to_string(),
        first_timestamp: sum.first.map(|stamp| stamp.text().into_owned()),
        last_timestamp: sum.last.map(|stamp| stamp.text().into_owned()),
        hosts: sum.hosts,
        components: sum.components,
        lines: sum.lines,
        errors: sum.errors,
    }
}

/// Counts the records of a file, and why not all of them.
fn count(path: &Path) -> (Sum, Option<String>) {
    let (mut sum, mut bytes) = (Sum::default(), 0);
    let counted = File::open(path).and_then(|file| {
        let mut blocks = Blocks::new(plain(path, file, 0), 0);
        let mut seen = Identities::default();
        while let Some((_, block)) = blocks.next_block()? {
            bytes += block.len() as u64;
            let mut rest = block;
            while let Some(end) = memchr(b'\n', rest) {
                sum.add(&rest[..end], &mut seen);
                rest = &rest[end + 1..];
            }
        }
        Ok(())
    });
    (sum, counted.err().map(|error| torn(path, &error, bytes, "counted")))
}

/// The part of a line that tells component and host, as it was last: mostly it stays.
#[derive(Default)]
struct Identities {
    last: Vec<u8>,
}

impl Identities {
    /// Where component and host may be others than in the line before.
    fn are_new(&mut self, line: &[u8]) -> bool {
        // Behind timestamp and level; their lengths are known or do no harm.
        let from = memmem::find(line, b",\"component\":");
        let to = memmem::find(line, b",\"run_id\":");
        let (Some(from), Some(to)) = (from, to) else { return true };
        let this = line.get(from..to).unwrap_or(line);
        if this == self.last {
            return false;
        }
        self.last = this.to_vec();
        true
    }
}

impl Sum {
    fn add(&mut self, line: &[u8], seen: &mut Identities) {
        let Some(stamp) = Stamp::of_line(line) else { return };
        self.lines += 1;
        self.first = Some(self.first.map_or(stamp, |first| first.min(stamp)));
        self.last = Some(self.last.map_or(stamp, |last| last.max(stamp)));
        self.errors += u64::from(level_of_line(line) >= Some(Level::Error));
        if seen.are_new(line)
            && let Some(record) = Record::of_line(line)
        {
            self.hosts.insert(record.host.into_owned());
            self.components.insert(record.component.into_owned());
        }
    }
}

fn table(runs: &[Entry]) -> Table {
    let right = |name| (name, Lean::Right);
    let left = |name| (name, Lean::Left);
    let mut table = Table::new(&[
        left("RUN"),
        left("STARTED"),
        right("LASTED"),
        left("HOSTS"),
        left("COMPONENTS"),
        right("LINES"),
        right("ERRORS"),
    ]);
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(",");
    for run in runs {
        let first = run.first_timestamp.as_deref();
        table.row(&[
            run.run.clone(),
            first.map_or_else(|| "-".to_owned(), to_seconds),
            lasted(run).unwrap_or_else(|| "-".to_owned()),
            list(&run.hosts),
            list(&run.components),
            run.lines.to_string(),
            run.errors.to_string(),
        ]);
    }
    table
}

fn lasted(run: &Entry) -> Option<String> {
    let time = |text: &Option<String>| text.as_deref()?.parse::<Timestamp>().ok();
    let took = time(&run.last_timestamp)?.duration_since(time(&run.first_timestamp)?);
    let seconds = SignedDuration::from_secs(took.as_secs());
    Some(if seconds.is_zero() { format!("{}ms", took.as_millis()) } else { format!("{seconds:#}") })
}
