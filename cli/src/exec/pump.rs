//! Carries one stream of the command's output: at once and unchanged to where lb's own goes, and
//! line by line into the log.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::lines::Lines;
use super::records::{Records, Stream};
use crate::say::Say;

/// How long after the command's end its own children may go on writing into its output.
const GRACE: Duration = Duration::from_millis(200);

/// Most bytes that lie in a pipe at the end of the grace: what was written before it is read.
const MOST_LEFT: usize = 1 << 20;

const READ_BYTES: usize = 64 << 10;

/// One stream on its way.
pub(super) struct Pump<'r> {
    pub(super) stream: Stream,
    /// What the command writes into.
    pub(super) from: OwnedFd,
    pub(super) to: BorrowedFd<'static>,
    /// Closed on its other side when the command has ended.
    pub(super) running: &'r OwnedFd,
    pub(super) records: &'r Records<'r>,
    pub(super) say: Say,
}

impl Pump<'_> {
    /// Until the end of the stream. Where the reader of lb's output goes away, so does the
    /// command's; false then.
    pub(super) fn run(self) -> bool {
        let level = Cell::new(None);
        let mut each = |line: super::lines::Line<'_>| self.records.line(self.stream, line, &level);
        let mut lines = Lines::new(self.records.room());
        let mut buffer = vec![0; READ_BYTES];
        let mut end = End::default();
        let (mut shown, mut reader) = (true, true);
        while end.waits_for(&self.from, self.running) {
            let read = match rustix::io::read(&self.from, &mut buffer) {
                // EIO: a terminal that nobody has open any more.
                Ok(0) | Err(rustix::io::Errno::IO) => break,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    let name = self.stream.name();
                    self.say.warning(&format!("the command's {name} cannot be read: {error}"));
                    break;
                }
                Ok(read) => read,
            };
            end.read(read);
            let copied = if shown { write_all(self.to, &buffer[..read]) } else { Ok(()) };
            lines.take(&buffer[..read], &mut each);
            match copied {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    reader = false;
                    break;
                }
                Err(error) => {
                    shown = false;
                    let name = self.stream.name();
                    self.say.warning(&format!(
                        "{name} cannot be written: {error}; what the command says is in the log"
                    ));
                }
            }
        }
        lines.finish(&mut each);
        reader
    }
}

/// When to stop reading from a pipe whose other end may stay open.
#[derive(Debug, Default)]
struct End {
    /// When the grace is over, once the command has ended.
    deadline: Option<Instant>,
    /// Read behind it.
    late: usize,
}

impl End {
    /// Waits until there is something to read; false where the stream is taken for ended.
    fn waits_for(&mut self, from: &OwnedFd, running: &OwnedFd) -> bool {
        loop {
            let Some(deadline) = self.deadline else {
                let mut both =
                    [PollFd::new(from, PollFlags::IN), PollFd::new(running, PollFlags::IN)];
                if poll(&mut both, None).is_err() {
                    continue;
                }
                if !both[1].revents().is_empty() {
                    self.deadline = Some(Instant::now() + GRACE);
                }
                if !both[0].revents().is_empty() {
                    return true;
                }
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).ok();
            match poll(&mut [PollFd::new(from, PollFlags::IN)], left.as_ref()) {
                Err(_) => {}
                Ok(ready) => return ready > 0 && self.late <= MOST_LEFT,
            }
        }
    }

    fn read(&mut self, bytes: usize) {
        if self.deadline.is_some_and(|deadline| deadline < Instant::now()) {
            self.late += bytes;
        }
    }
}

/// Also where somebody has made the descriptor non-blocking.
pub(super) fn write_all(to: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
