//! Who reads our stdout, and whether they still do.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdout;

use crate::interrupt::Interrupt;

/// Between two looks at whether somebody wants an end.
const SLICE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Waits for a moment; whether nobody reads any more.
pub(crate) fn is_gone() -> bool {
    let stdout = stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let ready = poll(&mut polled, Some(&SLICE)).map_err(io::Error::from);
    match ready {
        Err(error) => error.kind() != ErrorKind::Interrupted,
        Ok(_) => polled[0].revents().intersects(PollFlags::ERR),
    }
}

/// Waits so long, for a reader who is still there and wants more; false where that is over.
pub(crate) fn stays(pause: Duration, interrupt: &Interrupt) -> bool {
    let began = Instant::now();
    while began.elapsed() < pause {
        if interrupt.is_wished() || is_gone() {
            return false;
        }
    }
    !interrupt.is_wished()
}
