//! Where words go: data to stdout, everything else to stderr.

use std::io::{self, Write};

use anyhow::Context as _;
pub(crate) use lb_core::command::words::{counted, near, safe};
use lb_core::command::{Said, Told};
use serde_json::Value;

use crate::Outcome;
use crate::args::{Common, Format};

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

/// How much to say, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Say {
    quiet: bool,
    verbose: bool,
    format: Format,
}

impl Say {
    pub(crate) fn new(common: &Common) -> Self {
        Self { quiet: common.quiet, verbose: common.verbose, format: common.format }
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    pub(crate) fn is_verbose(self) -> bool {
        self.verbose
    }

    pub(crate) fn wants_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints data. A reader that has gone away (`lb … | head`) is not an error.
    #[allow(clippy::unused_self)]
    pub(crate) fn data(self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("writing to stdout"),
            _ => Ok(()),
        }
    }

    /// Prints one JSON document.
    pub(crate) fn document(self, document: &Value) -> anyhow::Result<()> {
        self.data(&format!("{document:#}\n"))
    }

    /// All that a command has to tell.
    pub(crate) fn told(self, told: &Told) -> anyhow::Result<Outcome> {
        if self.wants_json() {
            self.document(&told.document)?;
        } else {
            told.heading.iter().for_each(|heading| self.remark(heading));
            self.data(&told.text)?;
        }
        self.said(&told.said);
        Ok(told.outcome.into())
    }

    /// What there is to say.
    pub(crate) fn said(self, said: &[Said]) {
        for said in said {
            match said {
                Said::Mistake(text) => self.mistake(text),
                Said::Warning(text) => self.warning(text),
                Said::Remark(text) => self.remark(text),
            }
        }
    }

    /// What went wrong, a line for each mistake.
    pub(crate) fn error(self, error: &anyhow::Error) {
        let mut text = String::new();
        for cause in error.chain().map(ToString::to_string) {
            // Errors of the core tell their cause themselves.
            if text.is_empty() {
                text = cause;
            } else if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        text.lines().for_each(|line| self.mistake(line));
    }

    /// One mistake of several.
    #[allow(clippy::unused_self)]
    pub(crate) fn mistake(self, text: &str) {
        words(RED, "error", text);
    }

    /// What the user should know, unless quiet.
    pub(crate) fn warning(self, text: &str) {
        if !self.quiet {
            words(YELLOW, "warning", text);
        }
    }

    /// What may help, unless quiet.
    pub(crate) fn remark(self, text: &str) {
        if !self.quiet {
            line(&safe(text));
        }
    }
}

fn words(colour: &str, kind: &str, text: &str) {
    line(&format!("{colour}{kind}:{PLAIN} {}", safe(text)));
}

/// One line on stderr, with colours where it is a terminal that wants them. There is nobody to
/// tell when stderr is closed.
fn line(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}
