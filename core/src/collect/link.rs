//! A conversation with a program: what it is told, what it says, and how long it may be silent.

use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::sys::with_own_signals;

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// Most bytes that are kept of what it says on stderr: the first, which tell why.
const MOST_SAID: usize = 16 * 1024;

/// How long it may take to end when everything was said.
const PARTING: Duration = Duration::from_secs(2);

/// A program that runs. Dropped, it is ended.
pub(super) struct Link {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it is still to be told.
    script: Vec<u8>,
    told: usize,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    said: Vec<u8>,
    buffer: Vec<u8>,
    at: usize,
    len: usize,
    timeout: Duration,
}

impl Link {
    /// Starts the program, to be told `script` on stdin, and to be given up when it says nothing
    /// for `timeout`.
    pub(super) fn start(
        mut command: Command,
        script: Vec<u8>,
        timeout: Duration,
    ) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        with_own_signals(&mut command);
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("a pipe is missing"));
        };
        for end in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            let flags = rustix::fs::fcntl_getfl(end)?;
            rustix::fs::fcntl_setfl(end, flags | OFlags::NONBLOCK)?;
        }
        let (stdin, stderr) = (Some(stdin), Some(stderr));
        let (told, said, buffer, at, len) = (0, Vec::new(), vec![0; CHUNK], 0, 0);
        Ok(Self { child, stdin, script, told, stdout, stderr, said, buffer, at, len, timeout })
    }

    /// What it said on stderr, as text.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.said).into_owned()
    }

    /// Lets it end by itself, for a moment, and tells how it ended; `None`: it did not.
    pub(super) fn part(&mut self) -> Option<ExitStatus> {
        self.stdin = None;
        let deadline = Instant::now() + PARTING;
        loop {
            self.listen_to_stderr();
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.listen_to_stderr();
                    return Some(status);
                }
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => return None,
            }
        }
    }

    /// Waits until stdout has something or has ended, and meanwhile tells what is to be told.
    fn wait(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let [ready, speaks, hears] = self.poll(left)?;
            if speaks {
                self.listen_to_stderr();
            }
            if hears {
                self.tell();
            }
            if ready {
                return Ok(());
            }
        }
    }

    /// Whether stdout, stderr and stdin are ready.
    fn poll(&self, patience: Duration) -> io::Result<[bool; 3]> {
        let ends: [Option<(BorrowedFd<'_>, PollFlags)>; 3] = [
            Some((self.stdout.as_fd(), PollFlags::IN)),
            self.stderr.as_ref().map(|end| (end.as_fd(), PollFlags::IN)),
            self.stdin.as_ref().map(|end| (end.as_fd(), PollFlags::OUT)),
        ];
        let mut fds: Vec<PollFd<'_>> = ends
            .iter()
            .flatten()
            .map(|(end, flags)| PollFd::from_borrowed_fd(*end, *flags))
            .collect();
        let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut answers = fds.iter().map(|fd| !fd.revents().is_empty());
        Ok(ends.map(|end| end.is_some() && answers.next().unwrap_or(false)))
    }

    /// Tells what can be told now. Who hears no more has a reason, which stdout and stderr tell.
    fn tell(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(&self.script[self.told..]) {
            Ok(len) => self.told += len,
            Err(error) if passing(&error) => return,
            Err(_) => self.told = self.script.len(),
        }
        if self.told == self.script.len() {
            self.stdin = None;
        }
    }

    fn listen_to_stderr(&mut self) {
        let mut chunk = [0; 4096];
        while let Some(stderr) = &mut self.stderr {
            match stderr.read(&mut chunk) {
                Ok(0) => self.stderr = None,
                Ok(len) => {
                    let room = MOST_SAID - self.said.len();
                    self.said.extend_from_slice(&chunk[..len.min(room)]);
                }
                Err(error) if passing(&error) => return,
                Err(_) => self.stderr = None,
            }
        }
    }
}

fn passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl BufRead for Link {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.len {
            match self.stdout.read(&mut self.buffer) {
                Ok(len) => {
                    (self.at, self.len) = (0, len);
                    break;
                }
                Err(error) if passing(&error) => self.wait()?,
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.at..self.len])
    }

    fn consume(&mut self, len: usize) {
        self.at = (self.at + len).min(self.len);
    }
}

impl Read for Link {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let len = held.len().min(to.len());
        to[..len].copy_from_slice(&held[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sh(script: &[u8], timeout: Duration) -> Link {
        Link::start(Command::new("sh"), script.to_vec(), timeout).unwrap()
    }

    #[test]
    fn a_long_script_is_told_while_its_answer_is_read() {
        let mut script = b"cat <<'E'\n".to_vec();
        let text = [b"x".repeat(99).as_slice(), b"\n"].concat();
        script.extend(text.repeat(20_000));
        script.extend(b"E\necho why >&2; exit 3\n");
        let mut link = sh(&script, Duration::from_secs(20));
        let mut answer = Vec::new();
        link.read_to_end(&mut answer).unwrap();
        assert_eq!(answer.len(), 2_000_000);
        assert_eq!(link.part().unwrap().code(), Some(3));
        assert_eq!(link.said(), "why\n");
    }

    #[test]
    fn who_says_nothing_is_given_up() {
        let mut link = sh(b"echo one; exec sleep 60\n", Duration::from_millis(300));
        let mut heard = String::new();
        link.read_line(&mut heard).unwrap();
        assert_eq!(heard, "one\n");
        assert_eq!(link.read_line(&mut heard).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let pid = link.child.id();
        drop(link);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
