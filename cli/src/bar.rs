//! How far long work is: a bar where stderr is a terminal, else a line now and then.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::say::{Say, safe};

/// How often there is a line where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// How often a bar is drawn, times a second.
const FREQUENCY: u8 = 10;

/// How far one work is.
pub(crate) struct Bar {
    say: Say,
    drawn: Option<ProgressBar>,
    said: Instant,
}

impl Bar {
    pub(crate) fn new(say: Say) -> Self {
        let drawn = (stderr().is_terminal() && !say.is_quiet()).then(|| {
            let bar =
                ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(FREQUENCY));
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}% {wide_msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { say, drawn, said: Instant::now() }
    }

    /// It is so far; `text` says of what.
    pub(crate) fn show(&mut self, done: u64, of: u64, text: impl FnOnce() -> String) {
        if let Some(bar) = &self.drawn {
            bar.set_length(of);
            bar.set_position(done);
            bar.set_message(safe(&text()).into_owned());
        } else if self.said.elapsed() >= LINE_INTERVAL {
            self.said = Instant::now();
            let percent = done.saturating_mul(100).checked_div(of).unwrap_or(0);
            self.say.remark(&format!("{percent}% {}", text()));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.drawn.iter().for_each(ProgressBar::finish_and_clear);
    }
}
