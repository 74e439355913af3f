//! What must be said to a person at once: one line on stderr, never a panic, never twice.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_getfd};

/// Who opens a log anew right away is not told the same again.
const FRESH: Duration = Duration::from_mins(1);

/// What this process has said last, and when.
static LAST: Mutex<Option<(String, Instant)>> = Mutex::new(None);

/// Writes one line to stderr, unless it is what was said last, a moment ago. A closed stderr is
/// nobody's fault here.
pub(crate) fn say(text: &str) {
    // Never waited for: it may have been held when this process was forked.
    if let Ok(mut last) = LAST.try_lock() {
        if last.as_ref().is_some_and(|(said, at)| said == text && at.elapsed() < FRESH) {
            return;
        }
        *last = Some((text.to_owned(), Instant::now()));
    }
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
