//! The command while it runs.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::stdio::{stderr, stdout};

use super::pump::Pump;
use super::records::{Identity, Records, Stream};
use super::signals::{PassingOn, Signals};
use super::terminal::{self, Terminal};
use crate::args::Exec;
use crate::say::Say;

/// A command that was started.
pub(super) struct Running {
    child: Child,
    streams: Vec<(Stream, OwnedFd)>,
    terminal: Option<Arc<Terminal>>,
}

impl Running {
    pub(super) fn start(
        exec: &Exec,
        identity: Identity<'_>,
        signals: Signals,
    ) -> io::Result<(Self, PassingOn)> {
        let running =
            if exec.tty { in_terminal(exec, identity) } else { in_pipes(exec, identity) }?;
        let passing = signals.pass_on(running.child.id(), running.terminal.clone());
        Ok((running, passing))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Carries the output until the command has ended and what it wrote is recorded.
    pub(super) fn wait(
        mut self,
        records: &Records<'_>,
        signals: &PassingOn,
        say: Say,
    ) -> io::Result<ExitStatus> {
        let (running, ended) = pipe_with(PipeFlags::CLOEXEC)?;
        let streams = std::mem::take(&mut self.streams);
        let (running, in_terminal) = (&running, self.terminal.is_some());
        let status = thread::scope(|scope| {
            for (stream, from) in streams {
                let to = if stream == Stream::Out { stdout() } else { stderr() };
                let pump = Pump { stream, from, to, running, records, say };
                scope.spawn(move || {
                    let read_on = pump.run();
                    // A pipe that we read no more tells so itself.
                    if in_terminal && !read_on {
                        signals.hang_up();
                    }
                });
            }
            let status = self.ended(signals);
            drop(ended);
            status
        });
        if let Some(terminal) = self.terminal {
            terminal.restore();
        }
        status
    }

    fn ended(&mut self, signals: &PassingOn) -> io::Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // As long as nobody has asked for its status, no other process gets its pid.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), ended) {}
        }
        signals.stop();
        self.child.wait()
    }
}

fn in_pipes(exec: &Exec, identity: Identity<'_>) -> io::Result<Running> {
    let mut child = Command::new(&exec.command[0])
        .args(&exec.command[1..])
        .envs(identity.variables())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().map(|pipe| (Stream::Out, pipe.into()));
    let err = child.stderr.take().map(|pipe| (Stream::Err, pipe.into()));
    Ok(Running { child, streams: out.into_iter().chain(err).collect(), terminal: None })
}

/// In a session of its own, whose terminal it is. What both streams write there is one.
fn in_terminal(exec: &Exec, identity: Identity<'_>) -> io::Result<Running> {
    let (own, theirs) = pty_process::blocking::open().map_err(of_terminal)?;
    terminal::take_settings(own.as_fd());
    let terminal = Arc::new(Terminal::new(own.into()));
    let command = pty_process::blocking::Command::new(&exec.command[0])
        .args(&exec.command[1..])
        .envs(identity.variables());
    let typed = terminal::input_is_one();
    let command = if typed { command } else { command.stdin(Stdio::inherit()) };
    let child = command.spawn(theirs).map_err(of_terminal)?;
    terminal.hand_over_input()?;
    let streams = vec![(Stream::Out, terminal.output()?)];
    Ok(Running { child, streams, terminal: Some(terminal) })
}

fn of_terminal(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(error) => error.into(),
    }
}
