//! What is in the files and not yet in Loki goes there.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::copies::push_copies;
use super::table::{Lean, Table};
use super::told::{Outcome, Said, Told};
use super::words::{counted, near};
use crate::config::{Flags, LokiConfig};
use crate::loki::{self, Ended, Failure, Progress, PushOptions, Pushed};
use crate::names;
use crate::runs::several::Several;

/// Pushes the logs of runs, folders and files.
///
/// # Errors
/// One of them is not there, the configuration has mistakes, or there is no Loki in it.
pub fn push(
    runs: &[String],
    flags: &Flags,
    options: PushOptions,
    progress: &mut Progress<'_>,
) -> Result<Told, Failure> {
    let (loki, warnings) = flags.loki()?;
    let mut several = Several::find(runs, flags)?;
    let mut interrupted = false;
    let mut progress = |log: &_, delivery: &_, why: Option<&_>| {
        let flow = progress(log, delivery, why);
        interrupted |= flow.is_break();
        flow
    };
    let mut pushed = loki::push(&several.logs, &loki, options, &mut progress)?;
    if pushed.len() == several.logs.len() {
        let (copies, labels) = (several.collected.iter().map(PathBuf::as_path), &several.labels);
        let problems = &mut several.problems;
        pushed.extend(push_copies(copies, labels, &loki, options, &mut progress, problems)?);
    }
    let text = if pushed.is_empty() { String::new() } else { table(&pushed).text() };
    let mut told = Told::new(document(&pushed, &loki, &several.problems), text);
    told.said.extend(warnings.into_iter().map(Said::Warning));
    if several.logs.is_empty() && several.collected.is_empty() {
        told.remark(format!("{}: no logs there", runs.join(", ")));
    }
    conclude(&mut told, &pushed, &several, interrupted);
    Ok(told)
}

/// Says what is left and why, and what that comes to.
fn conclude(told: &mut Told, pushed: &[Pushed], several: &Several, interrupted: bool) {
    told.problems(&several.problems);
    let held = tell(pushed, &mut told.said);
    if interrupted && !held {
        told.remark(
            "interrupted; what Loki has acknowledged is kept, push again for the rest".into(),
        );
    }
    let left: u64 = pushed.iter().map(|one| one.delivery.pending).sum();
    if several.logs.is_empty() && several.collected.is_empty() {
        told.outcome = Outcome::Partly;
    } else if held {
        told.outcome = Outcome::Failed;
    } else if left > 0 || pushed.len() != several.logs.len() + several.collected.len() {
        told.outcome = Outcome::Partly;
    }
}

/// Says what is left of each log, and why; whether Loki takes nothing until somebody mends
/// something.
pub fn tell(pushed: &[Pushed], said: &mut Vec<Said>) -> bool {
    for one in pushed {
        tell_one(one, said);
    }
    let why = pushed.iter().find_map(|one| match &one.ended {
        Ended::Held { why } => Some(why),
        _ => None,
    });
    said.extend(why.map(|why| {
        Said::Mistake(format!(
            "Loki does not take the lines: {why}; push again when that is mended"
        ))
    }));
    why.is_some()
}

fn tell_one(one: &Pushed, said: &mut Vec<Said>) {
    let (log, delivery) = (near(&one.log), one.delivery);
    match &one.ended {
        Ended::Busy { pid } => {
            let who = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            said.push(Said::Remark(format!(
                "{log}: {who} ships it while it runs; `lb status` shows how far"
            )));
        }
        Ended::Unfinished { why } => {
            let why = why.as_deref().unwrap_or("there was not enough time");
            said.push(Said::Warning(format!(
                "{log}: {} not in Loki yet ({why}); push again",
                counted(delivery.pending, "line")
            )));
        }
        Ended::Done | Ended::Held { .. } => {}
    }
    if delivery.parked > 0 {
        said.push(Said::Warning(format!(
            "{log}: Loki refuses {} for now (too far ahead of its clock, or too far behind a stream \
             that is active); push again later, or with --timeout",
            counted(delivery.parked, "line")
        )));
    }
    if delivery.quarantined > 0 {
        said.push(Said::Warning(format!(
            "{log}: Loki will never take {}; see {}",
            counted(delivery.quarantined, "line"),
            near(&names::quarantine(&names::log_of(&one.log)))
        )));
    }
    if delivery.missing > 0 {
        said.push(Said::Warning(format!(
            "{log}: {} were never in Loki and are in files that are gone",
            counted(delivery.missing, "line")
        )));
    }
}

fn document(pushed: &[Pushed], loki: &LokiConfig, problems: &[String]) -> Value {
    json!({
        "endpoint": loki.endpoint.shown(),
        "min_level": loki.min_level.name(),
        "logs": entries(pushed),
        "problems": problems,
    })
}

/// What became of each log, for a document.
#[must_use]
pub fn entries(pushed: &[Pushed]) -> Vec<Value> {
    let entry = |one: &Pushed| {
        let (ended, why, pid) = match &one.ended {
            Ended::Done => ("done", None, None),
            Ended::Unfinished { why } => ("unfinished", why.as_deref(), None),
            Ended::Held { why } => ("held", Some(why.as_str()), None),
            Ended::Busy { pid } => ("busy", None, *pid),
        };
        let delivery = one.delivery;
        json!({
            "path": one.log.display().to_string(),
            "ended": ended,
            "why": why,
            "pid": pid,
            "lines": delivery.lines,
            "acknowledged": delivery.acknowledged,
            "below_level": delivery.below_level,
            "pending": delivery.pending,
            "parked": delivery.parked,
            "quarantined": delivery.quarantined,
            "replayed": delivery.replayed,
            "missing": delivery.missing,
        })
    };
    pushed.iter().map(entry).collect()
}

fn table(pushed: &[Pushed]) -> Table {
    let right = |name| (name, Lean::Right);
    let mut table = Table::new(&[
        ("LOG", Lean::Left),
        right("LINES"),
        right("ACKNOWLEDGED"),
        right("BELOW LEVEL"),
        right("PENDING"),
        right("PARKED"),
        right("QUARANTINED"),
        right("REPLAYED"),
    ]);
    for one in pushed {
        let delivery = one.delivery;
        let counts = [
            delivery.lines,
            delivery.acknowledged,
            delivery.below_level,
            delivery.pending,
            delivery.parked,
            delivery.quarantined,
            delivery.replayed,
        ];
        let mut row = vec![near(&one.log)];
        row.extend(counts.map(|count| count.to_string()));
        table.row(&row);
    }
    table
}
