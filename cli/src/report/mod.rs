//! `lb report`: what happened in a run, or in several, as one page that needs nothing else.

mod activity;
mod document;
mod facts;
mod input;
mod measure;
mod messages;
mod page;
mod record;
mod statistics;
mod survey;
mod tally;
mod timeline;
mod volume;

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use lb_core::living::Living;
use serde_json::json;

use crate::Outcome;
use crate::args::Common;
use crate::bar::Bar;
use crate::log::Log;
use crate::rings::Rings;
use crate::run::{self, Run};
use crate::say::{Say, near};
use document::{Document, Read};
use input::Steps;
use survey::Survey;

pub(crate) fn run(
    asked: &[String],
    output: Option<&Path>,
    common: &Common,
    say: Say,
) -> anyhow::Result<Outcome> {
    let found: Vec<Run> = asked
        .iter()
        .map(|name| run::find(Some(name), &common.flags()))
        .collect::<Result<_, _>>()?;
    let target = match output {
        Some(output) => output.to_path_buf(),
        None => beside(&found),
    };
    // Before minutes are spent on reading.
    refuse_foreign(&target)?;
    let share = found.len();
    let mut steps = Steps::new(Bar::new(say), size(&found));
    let reads: Vec<Read> =
        found.into_iter().map(|run| read(run, share, common, &mut steps)).collect();
    drop(steps);
    let page = page::page(&title(&reads), &Document::new(&reads, now_ms()))?;
    if target == Path::new("-") {
        say.data(&page)?;
    } else {
        write(&target, &page)?;
        tell(&target, &reads, say)?;
    }
    Ok(outcome(&reads, say))
}

/// Reads all of a run.
fn read(run: Run, share: usize, common: &Common, steps: &mut Steps) -> Read {
    let Run { path, logs, mut problems } = run;
    let mut survey = Survey::new(share);
    let (mut files, mut living) = (Vec::new(), [0; 3]);
    let short = |file: &Path| match file.strip_prefix(&path) {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
        _ => near(file),
    };
    for log in &logs {
        // What dead processes left behind belongs into the report, too.
        let rings = Rings::settle(&log.path, common.flags().rotation(), &mut problems);
        for Living { queued, dropped, rejected, .. } in rings.processes {
            let sums = living.iter_mut().zip([queued, dropped, rejected]);
            sums.for_each(|(sum, count): (&mut u64, u64)| *sum = sum.saturating_add(count));
        }
        let log = Log::of_file(&log.path).unwrap_or_else(|| log.clone());
        for file in log.records() {
            files.push(input::read(file, short(file), &mut survey, steps));
        }
    }
    survey.groups.tidy();
    problems.extend(files.iter().filter_map(input::File::trouble));
    let folder = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = match survey.run_ids.as_slice() {
        [only] if !only.is_empty() => only.clone(),
        _ => folder.unwrap_or_else(|| path.display().to_string()),
    };
    Read { name, path: path.display().to_string(), survey, files, problems, living }
}

/// Bytes of all files, as they lie there.
fn size(runs: &[Run]) -> u64 {
    let files = runs.iter().flat_map(|run| &run.logs).flat_map(Log::records);
    files.filter_map(|file| fs::metadata(file).ok()).map(|kind| kind.len()).sum()
}

fn title(reads: &[Read]) -> String {
    let names: Vec<&str> = reads.iter().map(|read| read.name.as_str()).collect();
    names.join(" · ")
}

/// Where a report goes unless one says it: into the run's folder, or beside the first of several.
fn beside(runs: &[Run]) -> PathBuf {
    let first = runs.first().map_or(Path::new("."), |run| &run.path);
    let name = |run: &Run| run.path.file_name().map(|name| name.to_string_lossy().into_owned());
    if runs.len() > 1 {
        let names: Vec<String> = runs.iter().filter_map(name).collect();
        let mut joined = format!("compare-{}", names.join("-"));
        joined.truncate((0..=200).rev().find(|end| joined.is_char_boundary(*end)).unwrap_or(0));
        return first.with_file_name(joined + ".html");
    }
    if first.is_dir() { first.join("report.html") } else { first.with_extension("html") }
}

/// A file that is no report is never replaced: it may be what somebody wanted to read.
fn refuse_foreign(target: &Path) -> anyhow::Result<()> {
    let shown = near(target);
    let mut start = vec![0; page::BEGINNING.len()];
    match File::open(target).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) if start == page::BEGINNING.as_bytes() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        _ if target.is_dir() => bail!("{shown}: this is a folder; name a file with --output"),
        _ => bail!("{shown}: exists and is no report of ours; take another name with --output"),
    }
}

/// Whole or not at all: a browser may have the old one open.
fn write(target: &Path, page: &str) -> anyhow::Result<()> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let unfinished = target.with_file_name(name);
    let written = File::create(&unfinished)
        .and_then(|mut file| file.write_all(page.as_bytes()))
        .and_then(|()| fs::rename(&unfinished, target));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| {
        format!("{}: cannot be written; name another file with --output", near(target))
    })
}

fn tell(target: &Path, reads: &[Read], say: Say) -> anyhow::Result<()> {
    if !say.wants_json() {
        return say.data(&format!("{}\n", near(target)));
    }
    let runs: Vec<_> = reads
        .iter()
        .map(|read| {
            json!({"run": read.name, "path": read.path, "files": read.files.len(),
                "records": read.survey.records, "problems": read.problems})
        })
        .collect();
    say.document(&json!({"report": target.display().to_string(), "runs": runs}))
}

fn outcome(reads: &[Read], say: Say) -> Outcome {
    let mut outcome = Outcome::Done;
    for read in reads {
        for problem in &read.problems {
            say.warning(problem);
        }
        if read.survey.records == 0 {
            say.remark(&format!("{}: no records below it", read.path));
        }
        if read.survey.records == 0 || !read.problems.is_empty() {
            outcome = Outcome::Partly;
        }
    }
    outcome
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
