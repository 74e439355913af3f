//! Signals that lb gets, and the command should have.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::low_level::emulate_default_handler;
use signal_hook::low_level::siginfo::Cause;

use super::terminal::Terminal;

const PASSED_ON: [Signal; 8] = [
    Signal::HUP,
    Signal::INT,
    Signal::QUIT,
    Signal::TERM,
    Signal::USR1,
    Signal::USR2,
    Signal::TSTP,
    Signal::CONT,
];

/// Signals that are caught from now on, and kept until there is a command.
pub(super) struct Signals {
    caught: SignalsInfo<WithOrigin>,
}

impl Signals {
    /// Catches what is to be passed on. What is ignored stays so, also for the command: nohup, and
    /// jobs in the background of a script.
    pub(super) fn catch(tty: bool) -> io::Result<Self> {
        let ignored = ignored();
        let is_ignored = |signal: &Signal| ignored & (1 << (signal.as_raw() - 1)) != 0;
        let window = tty.then_some(Signal::WINCH);
        let wanted = PASSED_ON.into_iter().chain(window).filter(|signal| !is_ignored(signal));
        Ok(Self { caught: SignalsInfo::new(wanted.map(Signal::as_raw))? })
    }

    /// Passes on what came and what comes, on a thread of its own.
    pub(super) fn pass_on(self, pid: u32, terminal: Option<Arc<Terminal>>) -> PassingOn {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let passing = PassingOn { to: Arc::new(Mutex::new(pid)) };
        let ours = passing.clone();
        let mut caught = self.caught;
        thread::spawn(move || {
            for origin in &mut caught.forever() {
                ours.handle(&origin, terminal.as_deref());
            }
        });
        passing
    }
}

/// Signals on their way to a command.
#[derive(Clone)]
pub(super) struct PassingOn {
    /// None when it has ended.
    to: Arc<Mutex<Option<Pid>>>,
}

impl PassingOn {
    /// From now on signals are lb's own. To be called before the command's pid can be another's.
    pub(super) fn stop(&self) {
        *self.command() = None;
    }

    /// Tells the command that its terminal is gone.
    pub(super) fn hang_up(&self) {
        if let Some(pid) = *self.command() {
            let _ = kill_process(pid, Signal::HUP);
        }
    }

    fn command(&self) -> MutexGuard<'_, Option<Pid>> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, origin: &Origin, terminal: Option<&Terminal>) {
        let Some(signal) = PASSED_ON.into_iter().find(|s| s.as_raw() == origin.signal) else {
            // The window has another size.
            return terminal.map_or((), Terminal::resize);
        };
        let Some(pid) = *self.command() else {
            take(signal);
            return;
        };
        // What the kernel sends because of the terminal (Ctrl-C, Ctrl-Z, its end) goes to the
        // whole process group: the command has it already, unless it has a terminal of its own.
        let has_it = terminal.is_none() && origin.cause == Cause::Kernel;
        if !has_it {
            let _ = kill_process(pid, signal);
        }
        if signal == Signal::TSTP {
            terminal.inspect(|terminal| terminal.restore());
            // Returns when lb is continued.
            take(signal);
            terminal.inspect(|terminal| terminal.make_raw());
        }
    }
}

/// Does with lb what the signal does with a program that does not catch it.
fn take(signal: Signal) {
    if signal != Signal::TSTP || can_be_continued() {
        let _ = emulate_default_handler(signal.as_raw());
    }
}

/// Whether somebody of our session, outside our process group, could continue us. Where nobody can,
/// the kernel stops nobody of the group at SIGTSTP, and the command goes on. True where /proc does
/// not tell.
fn can_be_continued() -> bool {
    let Some(own) = Kin::of("self") else { return true };
    let mut kin = own;
    loop {
        match Kin::of(&kin.parent.to_string()) {
            Some(parent) if parent.session != own.session => return false,
            Some(parent) if parent.group != own.group => return true,
            Some(parent) => kin = parent,
            None => return false,
        }
    }
}

/// Whom a process belongs to.
#[derive(Clone, Copy)]
struct Kin {
    parent: u32,
    group: u32,
    session: u32,
}

impl Kin {
    fn of(pid: &str) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may be anything.
        let behind = stat.rsplit(|byte| *byte == b')').next()?;
        let mut numbers = std::str::from_utf8(behind).ok()?.split_whitespace().skip(1);
        let mut number = || numbers.next()?.parse().ok();
        Some(Self { parent: number()?, group: number()?, session: number()? })
    }
}

/// The signals that this process ignores, a bit each; none where the system does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
