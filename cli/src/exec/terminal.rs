//! The terminal that a command has for itself, and ours, which shows it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::{io, thread};

use rustix::stdio::{stderr, stdin, stdout};
use rustix::termios::{
    OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::pump::write_all;

/// Ours is raw as long as this lives, where standard input is one: what is typed is for the
/// command's.
#[derive(Debug)]
pub(super) struct Terminal {
    /// The side of the command's terminal that we hold.
    own: OwnedFd,
    before: Option<Mutex<Termios>>,
}

impl Terminal {
    /// Takes our side of the command's terminal.
    pub(super) fn new(own: OwnedFd) -> Self {
        let before = tcgetattr(stdin()).ok().map(Mutex::new);
        let terminal = Self { own, before };
        terminal.resize();
        terminal.make_raw();
        terminal
    }

    /// A descriptor of our side, to read what the command writes.
    pub(super) fn output(&self) -> io::Result<OwnedFd> {
        self.own.try_clone()
    }

    /// Hands over what is typed, on a thread that ends with the process.
    pub(super) fn hand_over_input(&self) -> io::Result<()> {
        if self.before.is_none() {
            return Ok(());
        }
        let own = self.own.try_clone()?;
        thread::spawn(move || {
            let mut typed = [0; 4096];
            loop {
                match rustix::io::read(stdin(), &mut typed) {
                    Ok(0) => break,
                    Ok(read) if write_all(&own, &typed[..read]).is_ok() => {}
                    Err(rustix::io::Errno::INTR) => {}
                    _ => break,
                }
            }
        });
        Ok(())
    }

    /// Gives the command's terminal the size of ours.
    pub(super) fn resize(&self) {
        let size = ours().find_map(|fd| tcgetwinsize(fd).ok());
        if let Some(size) = size.filter(|size| size.ws_row > 0 && size.ws_col > 0) {
            let _ = tcsetwinsize(&self.own, size);
        }
    }

    /// Whatever is typed goes through, Ctrl-C included.
    pub(super) fn make_raw(&self) {
        self.set(Termios::make_raw);
    }

    /// As it was.
    pub(super) fn restore(&self) {
        self.set(|_| {});
    }

    fn set(&self, change: impl FnOnce(&mut Termios)) {
        let before = self.before.as_ref().and_then(|before| before.lock().ok());
        if let Some(before) = before {
            let mut termios = before.clone();
            change(&mut termios);
            let _ = tcsetattr(stdin(), OptionalActions::Drain, &termios);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Whether what is typed can be handed over; else the command keeps lb's standard input.
pub(super) fn input_is_one() -> bool {
    isatty(stdin())
}

/// The settings of ours for the command's, such as which key deletes.
pub(super) fn take_settings(theirs: impl AsFd) {
    if let Some(termios) = ours().find_map(|fd| tcgetattr(fd).ok()) {
        let _ = tcsetattr(theirs, OptionalActions::Now, &termios);
    }
}

fn ours() -> impl Iterator<Item = BorrowedFd<'static>> {
    [stdin(), stdout(), stderr()].into_iter()
}
