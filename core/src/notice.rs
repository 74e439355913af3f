//! What must be said to a person at once: one line on stderr, never a panic, never twice.

use std::io::Write;

/// Writes one line to stderr. A closed stderr is nobody's fault here.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "lb-log: {text}");
}

/// Says that a trouble began and that it ended, each once.
#[derive(Default)]
pub(crate) struct Trouble {
    said: bool,
}

impl Trouble {
    pub(crate) fn begins(&mut self, text: impl FnOnce() -> String) {
        if !self.said {
            self.said = true;
            say(&text());
        }
    }

    pub(crate) fn lasts(&self) -> bool {
        self.said
    }

    pub(crate) fn ends(&mut self, text: impl FnOnce() -> String) {
        if self.said {
            self.said = false;
            say(&text());
        }
    }
}
