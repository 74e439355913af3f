//! `lb status --watch`: one look after the other, until its reader has seen enough.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use lb_core::command::table::to_seconds;
use lb_core::command::{self, Looks, Said, Told};
use lb_core::config::Flags;
use rustix::stdio::stdout;
use rustix::termios::tcgetwinsize;
use serde_json::Value;

use crate::Outcome;
use crate::args::StatusArgs;
use crate::interrupt::Interrupt;
use crate::reader;
use crate::say::{Say, safe};

pub(crate) fn run(args: &StatusArgs, flags: &Flags, say: Say) -> anyhow::Result<Outcome> {
    let interrupt = Interrupt::watch()?;
    let mut looks = Looks::new(&args.run, flags);
    let mut view = View::new(args.interval, say);
    // Who has mistyped the run is told at once. Later a run may vanish, and come again.
    let mut told = looks.look()?;
    loop {
        match view.show(&told) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            shown => shown.context("writing to stdout")?,
        }
        if !reader::stays(args.interval, &interrupt) {
            break;
        }
        told = looks.look().unwrap_or_else(|error| nothing(&error));
    }
    Ok(told.outcome.into())
}

/// A look that came to nothing.
fn nothing(error: &lb_core::error::Error) -> Told {
    let mut told = Told::new(Value::Null, String::new());
    told.said.push(Said::Warning(error.to_string()));
    told.outcome = command::Outcome::Partly;
    told
}

/// What the reader sees.
struct View {
    say: Say,
    pause: Duration,
    /// None where stdout is no terminal.
    screen: Option<Screen>,
    /// What was said behind the last look: what stays so is said once.
    said: Vec<Said>,
}

impl View {
    fn new(pause: Duration, say: Say) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let redrawn = io::stdout().is_terminal() && !dumb && !say.wants_json();
        Self { say, pause, screen: redrawn.then(Screen::default), said: Vec::new() }
    }

    fn show(&mut self, told: &Told) -> io::Result<()> {
        let heading = heading(told);
        if let Some(screen) = &mut self.screen {
            let heading =
                heading.map(|text| format!("{text}, every {:?} until Ctrl-C", self.pause));
            let said = told.said.iter().filter(|_| !self.say.is_quiet()).map(sentence);
            let table = told.text.lines().map(str::to_owned);
            return screen.draw(&heading.into_iter().chain(table).chain(said).collect::<Vec<_>>());
        }
        let new: Vec<Said> =
            told.said.iter().filter(|said| !self.said.contains(said)).cloned().collect();
        self.say.said(&new);
        self.said.clone_from(&told.said);
        match heading {
            Some(_) if self.say.wants_json() => write(&format!("{}\n", told.document)),
            Some(heading) => write(&format!("{heading}\n{}\n", told.text)),
            None => Ok(()),
        }
    }
}

/// Which run it was, and when; None where there was none.
fn heading(told: &Told) -> Option<String> {
    let run = told.heading.as_deref()?.trim_end_matches(':');
    let time = told.document.get("timestamp").and_then(Value::as_str).map(to_seconds)?;
    Some(safe(&format!("{run} at {time}")).into_owned())
}

fn sentence(said: &Said) -> String {
    let text = match said {
        Said::Mistake(text) => format!("error: {text}"),
        Said::Warning(text) => format!("warning: {text}"),
        Said::Remark(text) => text.clone(),
    };
    safe(&text).into_owned()
}

/// The part of a terminal that is drawn anew each time. What was there before stays above it, and
/// the last look stays when the program ends.
#[derive(Default)]
struct Screen {
    drawn: usize,
    size: Option<(u16, u16)>,
}

impl Screen {
    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        const NO_WRAP: &str = "\u{1b}[?7l";
        const WRAP: &str = "\u{1b}[?7h";
        const ALL_ANEW: &str = "\u{1b}[H\u{1b}[J";
        const REST_OF_LINE: &str = "\u{1b}[K";
        const ALL_BELOW: &str = "\u{1b}[J";
        let size = tcgetwinsize(stdout()).ok().map(|size| (size.ws_row, size.ws_col));
        let mut text = String::new();
        if self.drawn > 0 && size != self.size {
            // The terminal has moved the lines about.
            text.push_str(ALL_ANEW);
        } else if self.drawn > 0 {
            let _ = write!(text, "\u{1b}[{}A\r", self.drawn);
        }
        // The cursor stands below the last line; a terminal that does not tell has size zero.
        let room = size.map_or(usize::MAX, |(rows, _)| usize::from(rows.wrapping_sub(1)));
        let shown = if lines.len() <= room { lines.len() } else { room.saturating_sub(1) };
        let left_out = lines.len() - shown;
        let note = (left_out > 0).then(|| format!("… and {left_out} more: make the window higher"));
        self.drawn = 0;
        text.push_str(NO_WRAP);
        for line in lines.iter().take(shown).chain(&note) {
            let _ = writeln!(text, "{line}{REST_OF_LINE}");
            self.drawn += 1;
        }
        text.extend([ALL_BELOW, WRAP]);
        self.size = size;
        write(&text)
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
