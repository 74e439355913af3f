//! Bars on stderr while a collection goes on, where that is a terminal.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use lb_core::collect::{Progress, Step};

use crate::say::safe;

const ASKING: &str = "{prefix:24!} {spinner} {msg}";
const FETCHING: &str =
    "{prefix:24!} {wide_bar} {bytes:>10} of {total_bytes:>10} {bytes_per_sec:>12} {eta:>4}";

/// A bar for each source.
pub(crate) struct Bars {
    all: MultiProgress,
    bars: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    /// None where nobody would see them.
    pub(crate) fn new(quiet: bool) -> Option<Self> {
        let seen = std::io::stderr().is_terminal() && !quiet;
        seen.then(|| Self { all: MultiProgress::new(), bars: Mutex::default() })
    }

    pub(crate) fn show(&self, progress: Progress<'_>) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(progress.source.to_owned()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::no_length());
            bar.set_prefix(safe(progress.source).into_owned());
            bar
        });
        match progress.step {
            Step::Asked => {
                style(bar, ASKING);
                bar.set_message("asking what it has");
                bar.enable_steady_tick(Duration::from_millis(100));
            }
            Step::Found { bytes, .. } => {
                bar.set_length(bytes);
                bar.set_position(0);
                style(bar, FETCHING);
            }
            Step::Came(bytes) => bar.inc(bytes),
            Step::Done { ok } => {
                style(bar, ASKING);
                bar.finish_with_message(if ok { "done" } else { "not all of it" });
            }
        }
    }

    /// Takes the bars away: what follows says it all.
    pub(crate) fn end(&self) {
        let _ = self.all.clear();
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}
