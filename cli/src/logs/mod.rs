//! `lb logs`: the records of runs, by time.

mod filter;
mod follow;
mod merge;
mod moment;
mod print;
mod search;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};
use lb_core::record::Level;

use crate::Outcome;
use crate::args::{Common, Logs};
use crate::blocks::{Blocks, is_gzipped, plain};
use crate::log::{Log, in_real_folder};
use crate::record::Stamp;
use crate::run::{self, Run};
use crate::say::Say;
use crate::threads;
use filter::{Field, Filter, Text, Wanted};
use follow::Follow;
use merge::Merge;
use print::{Printer, Style};
use search::{Searched, search};

/// How far around a time `--around` goes.
const AROUND: SignedDuration = SignedDuration::from_mins(1);

pub(crate) fn run(logs: &Logs, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let runs = runs(logs, common)?;
    let mut problems: Vec<String> = runs.iter().flat_map(|run| run.problems.clone()).collect();
    let files = files(&runs);
    let filter = filter(logs, &files)?;
    allow_many_files();
    let searched = search_all(&files, &filter, &mut problems);
    let style = Style {
        format: common.format,
        colour: Style::colour_of_stdout(),
        verbose: say.is_verbose(),
        terminal: Style::stdout_is_a_terminal(),
        runs: runs.len() > 1,
    };
    let follow = logs.follow.then(|| Follow::new(&runs, &searched));
    let mut printer = Printer::to_stdout(style)?;
    let mut merge = Merge::new(searched, &filter);
    let mut done = merge.run(|line| printer.print(line)).and_then(|()| printer.flush());
    problems.append(&mut merge.problems);
    if merge.disordered {
        problems
            .push("some records are so far from their place in time that they come late".into());
    }
    for problem in &problems {
        say.warning(problem);
    }
    if let Some(follow) = follow {
        done = done.and_then(|()| follow.run(&filter, &mut printer, say));
    } else if printer.printed == 0 && done.is_ok() {
        say.remark(&nothing(&runs, &files));
    }
    match done {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Outcome::Done),
        other => other.context("writing to stdout")?,
    }
    let all = problems.is_empty() && (printer.printed > 0 || logs.follow);
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

fn runs(logs: &Logs, common: &Common) -> anyhow::Result<Vec<Run>> {
    if logs.runs.is_empty() {
        return Ok(vec![run::find(None, &common.flags())?]);
    }
    let found = logs.runs.iter().map(|name| run::find(Some(name), &common.flags()));
    Ok(found.collect::<Result<_, _>>()?)
}

/// Each file of records once, also where runs overlap.
fn files(runs: &[Run]) -> Vec<PathBuf> {
    let logs = runs.iter().flat_map(|run| &run.logs);
    let mut files: Vec<PathBuf> = logs.flat_map(Log::records).map(PathBuf::from).collect();
    files.sort_by_cached_key(|file| in_real_folder(file));
    files.dedup_by_key(|file| in_real_folder(file));
    files
}

fn search_all(files: &[PathBuf], filter: &Filter, problems: &mut Vec<String>) -> Vec<Searched> {
    let results = threads::each(files, |path| {
        let mut problems = Vec::new();
        let file = File::open(path);
        let found = file.and_then(|file| search(path, file, 0, filter, &mut problems));
        (found, problems)
    });
    let mut searched = Vec::new();
    for (path, (found, told)) in files.iter().zip(results) {
        problems.extend(told);
        match found {
            Ok(found) => searched.push(found),
            Err(error) => problems.push(format!("{}: cannot be read: {error}", path.display())),
        }
    }
    searched
}

/// Each file stays open until its last record is printed, whatever becomes of its name.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, ..limit };
    let _ = setrlimit(Resource::Nofile, most);
}

fn filter(logs: &Logs, files: &[PathBuf]) -> anyhow::Result<Filter> {
    let now = Timestamp::now();
    let last_day =
        || files.iter().filter_map(|path| last_stamp(path)).max().and_then(|s| moment::day(&s));
    let time = |flag: &str, text: &Option<String>, by: SignedDuration| {
        let Some(text) = text else { return Ok(None) };
        let time = moment::parse(text, now, last_day).with_context(|| flag.to_owned())?;
        let time = time.checked_add(by).with_context(|| format!("{flag}: {text}"))?;
        anyhow::Ok(moment::stamp(time))
    };
    let level = |name: &String| {
        Level::from_name(name).with_context(|| {
            let known = Level::ALL.map(|level| level.name().to_lowercase()).join(", ");
            format!("--level {name}: there is no such level; there are {known}")
        })
    };
    let fields = [
        (Field::Component, logs.component.clone()),
        (Field::Host, logs.host.clone()),
        (Field::Workload, logs.workload.clone()),
        (Field::Repetition, logs.repetition.iter().map(u64::to_string).collect()),
        (Field::Phase, logs.phase.clone()),
    ];
    let wanted = fields.into_iter().filter(|(_, values)| !values.is_empty());
    let filter = Filter {
        since: time("--since", &logs.since, SignedDuration::ZERO)?.or(time(
            "--around",
            &logs.around,
            -AROUND,
        )?),
        until: time("--until", &logs.until, SignedDuration::ZERO)?.or(time(
            "--around",
            &logs.around,
            AROUND,
        )?),
        level: logs.level.as_ref().map(level).transpose()?,
        fields: wanted.map(|(field, values)| Wanted::new(field, values)).collect(),
        text: logs
            .grep
            .as_ref()
            .map(|p| Text::new(p).with_context(|| format!("--grep {p}")))
            .transpose()?,
    };
    if filter.since.is_some() && filter.until.is_some() && filter.since > filter.until {
        bail!("--since is later than --until: no record can be between them; exchange them");
    }
    Ok(filter)
}

/// The time of a file's last record; of a gzipped one that of its first, which costs nothing.
fn last_stamp(path: &Path) -> Option<Stamp> {
    /// No line is longer unless that was configured.
    const TAIL: u64 = 256 << 10;
    let file = File::open(path).ok()?;
    let from = file.metadata().ok()?.len().saturating_sub(TAIL);
    let mut blocks = Blocks::new(plain(path, file, from), from);
    let (_, block) = blocks.next_block().ok()??;
    let mut lines = block.split(|byte| *byte == b'\n');
    if is_gzipped(path) {
        lines.find_map(Stamp::of_line)
    } else {
        lines.rev().find_map(Stamp::of_line)
    }
}

/// Why nothing was printed, and what there is.
fn nothing(runs: &[Run], files: &[PathBuf]) -> String {
    let paths: Vec<String> = runs.iter().map(|run| run.path.display().to_string()).collect();
    let paths = paths.join(", ");
    if files.is_empty() {
        return format!("{paths}: no logs below it");
    }
    let last = files.iter().filter_map(|path| last_stamp(path)).max();
    let newest =
        last.map_or_else(String::new, |last| format!("; the newest is of {}", last.text()));
    format!("{paths}: no such records{newest}")
}
