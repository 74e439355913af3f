//! The logs of a run, from where they were written to the run's folder here.

use super::table::{Lean, Table};
use super::told::{Outcome, Said, Told};
use super::words::{counted, near};
use crate::collect::{self, Address, Collected, Outcome as Became, Progress, Report, Request};
use crate::config::Flags;
use crate::error::{Error, Result};
use crate::runs::run;

/// What to collect, from where, and how.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // They are the flags.
pub struct Collecting {
    /// The run's id, or `latest`.
    pub run: String,
    /// Folders and hosts, as [`Address::parse`] takes them.
    pub from: Vec<String>,
    /// Whether what was verified is deleted at its source.
    pub remove_source: bool,
    /// Seconds a host may be silent.
    pub timeout: f64,
    /// Sources at once.
    pub jobs: usize,
    /// Whether only to say what there is to do.
    pub dry_run: bool,
    /// None keeps plain files.
    pub gzip_level: Option<u32>,
    /// The command that reaches hosts, where it is not the configured one.
    pub ssh: Option<String>,
}

/// Collects.
///
/// # Errors
/// An argument that means nothing, a configuration with mistakes, or a folder that cannot be
/// written to. What fails at a source is told.
pub fn collect(
    what: &Collecting,
    flags: &Flags,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Told> {
    let report = collect::collect(&request(what, flags)?, progress)?;
    let document = serde_json::to_value(&report).unwrap_or_default();
    let text =
        if report.files.is_empty() { String::new() } else { table(&report, what.dry_run).text() };
    let mut told = Told::new(document, text);
    for remark in &report.remarks {
        told.remark(format!("{}: {}", remark.source, remark.why));
    }
    let failed = report.failed.iter().map(|failure| format!("{}: {}", failure.source, failure.why));
    told.said.extend(failed.map(Said::Mistake));
    told.remark(summary(&report, what.dry_run));
    told.outcome = if report.ok { Outcome::Done } else { Outcome::Partly };
    Ok(told)
}

/// What the arguments mean.
fn request(what: &Collecting, flags: &Flags) -> Result<Request> {
    let ssh = what.ssh.as_deref().map(|ssh| ("--ssh", "collect.ssh", ssh));
    let config = flags.load_for(ssh.as_slice())?;
    let sources = what.from.iter().map(|from| Address::parse(from)).collect::<Result<_>>()?;
    let mut request = Request::new(&run_id(&what.run, flags)?, sources, &config)?;
    let named = |error: Error| Error::Argument(format!("--timeout: {error}"));
    request.timeout = collect::timeout(what.timeout).map_err(named)?;
    request.jobs = what.jobs;
    request.gzip_level = what.gzip_level;
    request.remove_source = what.remove_source;
    request.dry_run = what.dry_run;
    Ok(request)
}

/// `latest` is the newest run that is known here.
fn run_id(run: &str, flags: &Flags) -> Result<String> {
    if run.contains('/') || run == "." || run == ".." {
        return Err(Error::Argument(format!(
            "{run}: name the run by its id; its folder here comes from --output-dir"
        )));
    }
    if run != "latest" {
        return Ok(run.to_owned());
    }
    let nameless = |why: &str| Error::Argument(format!("name the run by its id: {why}"));
    let newest = run::find(Some(run), flags).map_err(|error| nameless(&error.to_string()))?;
    let name = newest.path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| nameless("the newest run's folder has no name"))?;
    Ok(name.to_owned())
}

fn table(report: &Report, dry_run: bool) -> Table {
    let right = |name| (name, Lean::Right);
    let left = |name| (name, Lean::Left);
    if dry_run {
        let mut table = Table::new(&[left("SOURCE"), right("BYTES"), left("STATE")]);
        for file in &report.files {
            let bytes = file.entry.source_size.to_string();
            table.row(&[file.entry.source.clone(), bytes, became(file).to_owned()]);
        }
        return table;
    }
    let columns = [left("FILE"), right("LINES"), right("BYTES"), left("STATE"), left("SOURCE")];
    let mut table = Table::new(&columns);
    for file in &report.files {
        let (entry, content) = (&file.entry, &file.entry.content);
        let (lines, bytes) = (content.lines.to_string(), content.size.to_string());
        let state = became(file).to_owned();
        table.row(&[entry.path.clone(), lines, bytes, state, entry.source.clone()]);
    }
    table
}

fn became(file: &Collected) -> &'static str {
    match file.outcome {
        Became::Collected => "collected",
        Became::Unchanged => "unchanged",
        Became::ToCollect => "to collect",
    }
}

fn summary(report: &Report, dry_run: bool) -> String {
    let of = |became| report.files.iter().filter(|file| file.outcome == became).count() as u64;
    let folder = near(&report.folder);
    if dry_run {
        let files = counted(of(Became::ToCollect), "file");
        return format!("{folder}: {files} to collect, {} here already", of(Became::Unchanged));
    }
    let files = counted(of(Became::Collected), "file");
    let mut text = format!("{folder}: {files} collected, {} unchanged", of(Became::Unchanged));
    if !report.removed.is_empty() {
        let removed = counted(report.removed.len() as u64, "source file");
        text.extend([", ", &removed, " removed"]);
    }
    if !report.ok && !report.files.is_empty() {
        text.push_str("; the rest is named above: collect again when that is mended");
    }
    text
}
