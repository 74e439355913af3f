//! What must be said to a person at once: one line on stderr, never a panic, never twice.

use std::io::Write;
use std::os::fd::AsFd;

use rustix::io::{FdFlags, fcntl_getfd};

/// Writes one line to stderr. A closed stderr is nobody's fault here.
pub(crate) fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if is_stderr(&stderr) {
        let _ = writeln!(stderr, "lb-log: {text}");
    }
}

/// Whether a descriptor is what it was given to the program for. Where a daemon has closed its
/// standard error, any file of ours may have its number: a log, a connection to Loki. Ours close on
/// exec, a standard error does not.
fn is_stderr(descriptor: &impl AsFd) -> bool {
    fcntl_getfd(descriptor).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_of_ours_is_no_standard_error() {
        let file = tempfile::tempfile().unwrap();
        assert!(!is_stderr(&file));
        rustix::io::fcntl_setfd(&file, FdFlags::empty()).unwrap();
        assert!(is_stderr(&file));
    }
}
