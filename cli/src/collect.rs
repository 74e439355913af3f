//! `lb collect`: the logs of a run, from where they were written to the run's folder here.

use anyhow::{Context as _, bail};
use lb_core::collect::{self, Address, Collected, Outcome as Became, Report, Request};

use crate::args::{CollectArgs, Common};
use crate::bars::Bars;
use crate::say::{Say, counted, near};
use crate::table::{Lean, Table};
use crate::{Outcome, configuration};

pub(crate) fn run(args: &CollectArgs, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let request = request(args, common)?;
    let bars = Bars::new(say.is_quiet());
    let report = collect::collect(&request, &|progress| {
        if let Some(bars) = &bars {
            bars.show(progress);
        }
    });
    if let Some(bars) = &bars {
        bars.end();
    }
    let report = report?;
    if say.wants_json() {
        say.document(&serde_json::to_value(&report)?)?;
    } else if !report.files.is_empty() {
        say.data(&table(&report, args.dry_run).text())?;
    }
    for remark in &report.remarks {
        say.remark(&format!("{}: {}", remark.source, remark.why));
    }
    for failure in &report.failed {
        say.mistake(&format!("{}: {}", failure.source, failure.why));
    }
    say.remark(&summary(&report, args.dry_run));
    Ok(if report.ok { Outcome::Done } else { Outcome::Partly })
}

/// What the arguments mean.
fn request(args: &CollectArgs, common: &Common) -> anyhow::Result<Request> {
    let ssh = args.ssh.as_deref().map(|ssh| ("--ssh", "collect.ssh", ssh));
    let config = configuration::load_for(common, ssh.as_slice())?;
    let sources = args.from.iter().map(|from| Address::parse(from)).collect::<Result<_, _>>()?;
    let mut request = Request::new(&run_id(&args.run, common)?, sources, &config)?;
    request.timeout = collect::timeout(args.timeout).context("--timeout")?;
    request.jobs = args.jobs.into();
    request.gzip_level = (!args.no_gzip).then_some(args.gzip_level);
    request.remove_source = args.remove_source;
    request.dry_run = args.dry_run;
    Ok(request)
}

/// `latest` is the newest run that is known here.
fn run_id(run: &str, common: &Common) -> anyhow::Result<String> {
    if run.contains('/') || run == "." || run == ".." {
        bail!("{run}: name the run by its id; its folder here comes from --output-dir");
    }
    if run != "latest" {
        return Ok(run.to_owned());
    }
    let newest = crate::run::find(Some(run), common).context("name the run by its id")?;
    let name = newest.path.file_name().and_then(|name| name.to_str());
    Ok(name.context("the newest run's folder has no name; name the run by its id")?.to_owned())
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
