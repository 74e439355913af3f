//! Where words go: data to stdout, everything else to stderr.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

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

    /// What went wrong, a line for each mistake.
    pub(crate) fn error(self, error: &anyhow::Error) {
        for line in format!("{error:#}").lines() {
            self.mistake(line);
        }
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

/// Text that cannot steer a terminal: names and messages come from anywhere.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}

/// `1 log`, `2 logs`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A path as one would write it from here.
pub(crate) fn near(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let rest = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    rest.filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(safe("plain ü"), "plain ü");
        assert_eq!(safe("a\u{1b}[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
    }
}
