//! `lb verify`: whether Loki holds what the files hold.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use lb_core::command::{self, push_copies};
use lb_core::config::LokiConfig;
use lb_core::loki::{
    Extra, Gap, PushOptions, Pushed, StreamChecked, Tally, Verified, repair, verify,
};
use serde_json::{Value, json};

use crate::Outcome;
use crate::args::{Common, VerifyArgs};
use crate::bar::Bar;
use crate::configuration;
use crate::interrupt::Interrupt;
use crate::progress;
use crate::say::{Say, counted, near};
use crate::several::Several;
use crate::table::{Lean, Table};

/// So many gaps are named in text, unless everything is wanted.
const GAPS_SHOWN: usize = 20;

pub(crate) fn run(args: &VerifyArgs, common: &Common, say: Say) -> anyhow::Result<Outcome> {
    let loki = configuration::loki(common, say)?;
    let mut several = Several::find(&args.what.runs, &common.flags())?;
    let interrupt = Interrupt::watch()?;
    let deadline = args.what.deadline(Instant::now());
    let mut verified = compare(&several, &loki, deadline, &interrupt, say)?;
    let mut repaired = Vec::new();
    if args.repair && verified.finished && !verified.is_equal() {
        repaired = mend(&verified, &mut several, &loki, deadline, &interrupt, say)?;
        // Also after the deadline: what was pushed is not proved otherwise.
        verified = compare(&several, &loki, None, &interrupt, say)?;
    }
    if say.wants_json() {
        let mut document = document(&verified, &loki, &several.problems);
        document["repaired"] = command::entries(&repaired).into();
        say.document(&document)?;
    } else {
        say.data(&text(&verified, say))?;
    }
    for problem in &several.problems {
        say.warning(problem);
    }
    if verified.files.is_empty() {
        say.remark(&format!("{}: no logs there", args.what.runs.join(", ")));
        return Ok(Outcome::Partly);
    }
    let mut said = Vec::new();
    let held = command::tell(&repaired, &mut said);
    say.said(&said);
    if held {
        return Ok(Outcome::Failed);
    }
    tell(&verified, &loki, args.repair, say);
    let all = verified.is_equal() && several.problems.is_empty();
    Ok(if all { Outcome::Done } else { Outcome::Partly })
}

fn mend(
    verified: &Verified,
    several: &mut Several,
    loki: &LokiConfig,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
    say: Say,
) -> anyhow::Result<Vec<Pushed>> {
    let mut bar = Bar::new(say);
    let mut shown = progress::shown(&mut bar, interrupt);
    let mut pushed = repair(verified, loki, deadline, &mut shown)?;
    let (copies, labels) = (verified.copies_to_repair(), &several.labels);
    let options = PushOptions { from_start: true, deadline };
    let problems = &mut several.problems;
    pushed.extend(push_copies(copies, labels, loki, options, &mut shown, problems)?);
    Ok(pushed)
}

fn compare(
    several: &Several,
    loki: &LokiConfig,
    deadline: Option<Instant>,
    interrupt: &Interrupt,
    say: Say,
) -> anyhow::Result<Verified> {
    let logs: Vec<PathBuf> = several.logs.iter().chain(&several.collected).cloned().collect();
    let mut bar = Bar::new(say);
    Ok(verify(&logs, &several.beside, several.labels.clone(), loki, &mut |seen, why| {
        bar.show(seen.bytes, seen.of_bytes, || {
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let lacking = match seen.lacking {
                0 => String::new(),
                lacking => format!(", {lacking} not in Loki"),
            };
            format!("{} compared{lacking}{why}", counted(seen.compared, "line"))
        });
        let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late { ControlFlow::Break(()) } else { interrupt.flow() }
    })?)
}

/// What was found, in one sentence each.
fn tell(verified: &Verified, loki: &LokiConfig, repaired: bool, say: Say) {
    let tally = verified.tally();
    let (endpoint, level) = (loki.endpoint.shown(), loki.min_level.name());
    let Tally { lines, held, equal, lacking, pending, parked, quarantined } = tally;
    if !verified.finished {
        say.warning("it was ended before everything was compared: this proves nothing");
    }
    if lacking > 0 {
        let gaps = counted(verified.gaps.len() as u64, "gap");
        let lines = counted(lacking, "line");
        let next = if repaired { "" } else { "; `lb verify --repair` pushes just those" };
        say.warning(&format!("{gaps}: {lines} not in Loki{next}"));
    }
    if pending > 0 {
        say.warning(&format!("{} not sent yet; see `lb push`", counted(pending, "line")));
    }
    if parked > 0 {
        say.warning(&format!(
            "{} parked: Loki refuses them for now; see `lb push --timeout`",
            counted(parked, "line")
        ));
    }
    for file in &verified.files {
        if let Some(damaged) = &file.damaged {
            say.warning(&format!("{}: {damaged}", near(&file.path)));
        }
    }
    let unreadable: u64 = verified.files.iter().map(|file| file.unreadable).sum();
    if unreadable > 0 {
        let lines = counted(unreadable, "line");
        say.warning(&format!(
            "{lines} without a record; `lb push` puts such lines into the quarantine"
        ));
    }
    if quarantined > 0 {
        let lines = counted(quarantined, "line");
        say.warning(&format!("{lines} in quarantine: Loki will never take them"));
    }
    if equal > 0 {
        say.remark(&format!(
            "{} equal to another one of the same nanosecond: Loki shows such lines as one, and so they are counted",
            counted(equal, "line")
        ));
    }
    tell_of_extra(&verified.streams, say);
    let replays: u64 = verified.streams.iter().map(replays).sum();
    if replays > 0 {
        say.remark(&format!(
            "metric queries (count_over_time) count {replays} more: lines that were sent twice; looks at the lines show each once"
        ));
    }
    let verdict = if verified.is_equal() { "equal" } else { "not equal" };
    say.remark(&format!(
        "{verdict}: {endpoint} holds {held} of {} from {level} up, in {}",
        counted(lines, "line"),
        counted(verified.streams.len() as u64, "stream")
    ));
}

fn tell_of_extra(streams: &[StreamChecked], say: Say) {
    for stream in streams {
        let labels = labels(stream);
        match &stream.extra {
            Extra::Lines { count: 0, .. } => {}
            Extra::Lines { count, first, last } => say.warning(&format!(
                "Loki has {} more than the files, {first} to {last}, in {labels}",
                counted(*count, "line")
            )),
            Extra::Uncounted => {
                say.warning(&format!(
                    "Loki has more than the files, too much to count, in {labels}"
                ));
            }
        }
    }
}

/// How many lines metric queries count more often than they are there.
fn replays(stream: &StreamChecked) -> u64 {
    let Extra::Lines { count, .. } = stream.extra else { return 0 };
    let shown = stream.tally.held - stream.tally.equal + count;
    stream.counted.map_or(0, |counted| counted.saturating_sub(shown))
}

/// As in a query.
fn labels(stream: &StreamChecked) -> String {
    let pairs: Vec<String> =
        stream.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn text(verified: &Verified, say: Say) -> String {
    let right = |name| (name, Lean::Right);
    let counts = ["HELD", "MISSING", "PENDING", "PARKED", "QUARANTINED"].map(right);
    let mut columns = vec![("FILE", Lean::Left), right("LINES"), right("BELOW LEVEL")];
    columns.extend(counts);
    let row = |tally: &Tally| {
        let Tally { held, lacking, pending, parked, quarantined, .. } = *tally;
        [held, lacking, pending, parked, quarantined].map(|count| count.to_string())
    };
    let mut files = Table::new(&columns);
    for file in &verified.files {
        let mut cells =
            vec![near(&file.path), file.lines.to_string(), file.below_level.to_string()];
        cells.extend(row(&file.tally));
        files.row(&cells);
    }
    let mut text = files.text();
    if say.is_verbose() {
        let mut columns = vec![("STREAM", Lean::Left), right("LINES")];
        columns.extend(counts);
        let mut streams = Table::new(&columns);
        for stream in &verified.streams {
            let mut cells = vec![labels(stream), stream.tally.lines.to_string()];
            cells.extend(row(&stream.tally));
            streams.row(&cells);
        }
        text.push('\n');
        text.push_str(&streams.text());
    }
    let shown = if say.is_verbose() { usize::MAX } else { GAPS_SHOWN };
    if !verified.gaps.is_empty() {
        text.push('\n');
    }
    for gap in verified.gaps.iter().take(shown) {
        text.push_str(&crate::say::safe(&sentence(gap, verified)));
        text.push('\n');
    }
    if let Some(more @ 1..) = verified.gaps.len().checked_sub(shown) {
        let _ = writeln!(text, "and {} more; -v shows all", counted(more as u64, "gap"));
    }
    text
}

fn sentence(gap: &Gap, verified: &Verified) -> String {
    let Gap { file, first_line, last_line, lines, first, last, stream } = gap;
    let stream = verified.streams.get(*stream).map(labels).unwrap_or_default();
    let count = counted(*lines, "line");
    format!("{}:{first_line}-{last_line}: {count} missing, {first} to {last}, {stream}", near(file))
}

fn document(verified: &Verified, loki: &LokiConfig, problems: &[String]) -> Value {
    let with = |mut value: Value, tally: &Tally| {
        value["held"] = tally.held.into();
        value["equal"] = tally.equal.into();
        value["missing"] = tally.lacking.into();
        value["pending"] = tally.pending.into();
        value["parked"] = tally.parked.into();
        value["quarantined"] = tally.quarantined.into();
        value
    };
    let files = verified.files.iter().map(|file| {
        let value = json!({
            "path": file.path.display().to_string(),
            "lines": file.lines,
            "below_level": file.below_level,
            "unreadable": file.unreadable,
            "damaged": file.damaged,
        });
        with(value, &file.tally)
    });
    let streams = verified.streams.iter().map(|stream| {
        let more = match &stream.extra {
            Extra::Lines { count, .. } => Some(*count),
            Extra::Uncounted => None,
        };
        let value = json!({
            "labels": stream.labels,
            "lines": stream.tally.lines,
            "more_in_loki": more,
            "counted": stream.counted,
        });
        with(value, &stream.tally)
    });
    let gaps = verified.gaps.iter().map(|gap| {
        json!({
            "file": gap.file.display().to_string(),
            "first_line": gap.first_line,
            "last_line": gap.last_line,
            "lines": gap.lines,
            "first_timestamp": gap.first,
            "last_timestamp": gap.last,
            "labels": verified.streams.get(gap.stream).map(|stream| &stream.labels),
        })
    });
    json!({
        "equal": verified.is_equal(),
        "finished": verified.finished,
        "endpoint": loki.endpoint.shown(),
        "min_level": loki.min_level.name(),
        "files": files.collect::<Vec<_>>(),
        "streams": streams.collect::<Vec<_>>(),
        "gaps": gaps.collect::<Vec<_>>(),
        "problems": problems,
    })
}
