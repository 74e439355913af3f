//! `lb push`: what is in the files and not yet in Loki goes there.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use lb_core::config::LokiConfig;
use lb_core::loki::{Ended, PushOptions, Pushed, push};
use lb_core::stats::Delivery;
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::{Common, PushArgs};
use crate::bar::Bar;
use crate::configuration;
use crate::interrupt::Interrupt;
use crate::say::{Say, counted, near};
use crate::several::Several;
use crate::table::{Lean, Table};

pub(crate) fn run(args: &PushArgs, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let loki = configuration::loki(common, say)?;
    let mut several = Several::find(&args.what.runs, common)?;
    for file in &several.collected {
        several.problems.push(format!(
            "{}: a collected file is not pushed: unpack it (gzip -dk) and push that, or push where it was written",
            near(file)
        ));
    }
    let interrupt = Interrupt::watch()?;
    let options =
        PushOptions { from_start: args.from_start, deadline: args.what.deadline(Instant::now()) };
    let pushed = send(&several, &loki, options, &interrupt, say)?;
    if say.wants_json() {
        say.document(&document(&pushed, &loki, &several.problems))?;
    } else if !pushed.is_empty() {
        say.data(&table(&pushed).text())?;
    }
    conclude(&pushed, &several, &interrupt, say)
}

fn send(
    several: &Several,
    loki: &LokiConfig,
    options: PushOptions,
    interrupt: &Interrupt,
    say: Say,
) -> anyhow::Result<Vec<Pushed>> {
    let mut bar = Bar::new(say);
    Ok(push(&several.logs, loki, options, &mut shown(&mut bar, interrupt))?)
}

/// Shows how far a push is, until somebody wants an end.
pub(crate) fn shown(
    bar: &mut Bar,
    interrupt: &Interrupt,
) -> impl FnMut(&Path, &Delivery, Option<&str>) -> ControlFlow<()> {
    |log, delivery, why| {
        bar.show(delivery.lines - delivery.pending, delivery.lines, || {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let (pending, lines) = (delivery.pending, delivery.lines);
            format!("{}: {pending} of {lines} lines to go{why}", near(log))
        });
        interrupt.flow()
    }
}

/// Says what is left and why, and what that comes to.
fn conclude(
    pushed: &[Pushed],
    several: &Several,
    interrupt: &Interrupt,
    say: Say,
) -> anyhow::Result<Outcome> {
    for problem in &several.problems {
        say.warning(problem);
    }
    tell(pushed, say)?;
    if interrupt.is_wished() {
        say.remark("interrupted; what Loki has acknowledged is kept, push again for the rest");
    }
    if several.logs.is_empty() && several.collected.is_empty() {
        say.remark("no logs there");
        return Ok(Outcome::Partly);
    }
    let left: u64 = pushed.iter().map(|one| one.delivery.pending).sum();
    let all = left == 0 && pushed.len() == several.logs.len() && several.problems.is_empty();
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

/// Says what is left of each log, and why.
///
/// # Errors
/// Loki takes nothing until somebody mends something.
pub(crate) fn tell(pushed: &[Pushed], say: Say) -> anyhow::Result<()> {
    for one in pushed {
        tell_one(one, say);
    }
    let mut ends = pushed.iter().map(|one| &one.ended);
    match ends.find(|ended| matches!(ended, Ended::Held { .. })) {
        Some(Ended::Held { why }) => {
            bail!("Loki does not take the lines: {why}; push again when that is mended")
        }
        _ => Ok(()),
    }
}

fn tell_one(one: &Pushed, say: Say) {
    let (log, delivery) = (near(&one.log), one.delivery);
    match &one.ended {
        Ended::Busy { pid } => {
            let who = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            say.remark(&format!("{log}: {who} ships it while it runs; `lb status` shows how far"));
        }
        Ended::Unfinished { why } => {
            let why = why.as_deref().unwrap_or("there was not enough time");
            say.warning(&format!(
                "{log}: {} not in Loki yet ({why}); push again",
                counted(delivery.pending, "line")
            ));
        }
        Ended::Done | Ended::Held { .. } => {}
    }
    if delivery.parked > 0 {
        say.warning(&format!(
            "{log}: Loki refuses {} for now (too far ahead of its clock, or too far behind a stream \
             that is active); push again later, or with --timeout",
            counted(delivery.parked, "line")
        ));
    }
    if delivery.quarantined > 0 {
        say.warning(&format!(
            "{log}: Loki will never take {}; see {}",
            counted(delivery.quarantined, "line"),
            near(&lb_core::names::quarantine(&one.log))
        ));
    }
    if delivery.missing > 0 {
        say.warning(&format!(
            "{log}: {} were never in Loki and are in files that are gone",
            counted(delivery.missing, "line")
        ));
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
pub(crate) fn entries(pushed: &[Pushed]) -> Vec<Value> {
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
