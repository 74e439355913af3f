//! Commands that take their time, with their progress shown.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use lb_core::command::{self, Told};
use lb_core::config::Flags;
use lb_core::loki::PushOptions;
use lb_core::stats::Delivery;

use crate::args::{CollectArgs, PushArgs};
use crate::bar::Bar;
use crate::bars::Bars;
use crate::interrupt::Interrupt;
use crate::say::{Say, near};

/// `lb push`.
pub(crate) fn push(args: &PushArgs, flags: &Flags, say: Say) -> anyhow::Result<Told> {
    let interrupt = Interrupt::watch()?;
    let options =
        PushOptions { from_start: args.from_start, deadline: args.what.deadline(Instant::now()) };
    let mut bar = Bar::new(say);
    Ok(command::push(&args.what.runs, flags, options, &mut shown(&mut bar, &interrupt))?)
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

/// `lb collect`.
pub(crate) fn collect(args: &CollectArgs, flags: &Flags, say: Say) -> anyhow::Result<Told> {
    let bars = Bars::new(say.is_quiet());
    let told = command::collect(&args.collecting(), flags, &|progress| {
        if let Some(bars) = &bars {
            bars.show(progress);
        }
    });
    if let Some(bars) = &bars {
        bars.end();
    }
    Ok(told?)
}
