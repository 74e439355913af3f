//! Gzip on several threads: independent members, one after the other, which any gunzip reads as
//! one file. What comes out depends on the level alone, not on the number of threads.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::sys::with_signals_blocked;

/// Plain bytes of a member. Each begins without knowing what stood before it, which costs some
/// thousand bytes.
const MEMBER: usize = 4 << 20;

/// Most threads of a file.
const MOST_THREADS: usize = 4;

/// A member, and its plain bytes to be used again.
type Packed = (io::Result<Vec<u8>>, Vec<u8>);

/// One thread that packs members.
struct Lane {
    /// `None` when it is to end.
    plain: Option<SyncSender<Vec<u8>>>,
    packed: Receiver<Packed>,
    thread: Option<JoinHandle<()>>,
}

impl Lane {
    fn start(level: u32) -> io::Result<Self> {
        let (plain, to_pack) = sync_channel::<Vec<u8>>(1);
        let (done, packed) = sync_channel(1);
        let work = move || {
            while let Ok(block) = to_pack.recv() {
                if done.send((member(&block, level), block)).is_err() {
                    return;
                }
            }
        };
        let builder = std::thread::Builder::new().name("lb-gzip".to_owned());
        let thread = with_signals_blocked(|| builder.spawn(work))?;
        Ok(Self { plain: Some(plain), packed, thread: Some(thread) })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.plain = None;
        // It may wait for somebody to take what it has packed.
        while self.packed.recv().is_ok() {}
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn member(plain: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::new(level));
    encoder.write_all(plain)?;
    encoder.finish()
}

/// What collection makes of a file, on this thread alone.
#[cfg(feature = "benching")]
pub(crate) fn packed_here(plain: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let members = plain.chunks(MEMBER).map(|block| member(block, level));
    members.collect::<io::Result<Vec<_>>>().map(|members| members.concat())
}

/// Packs what is written to it.
pub(super) struct Gzip<W: Write> {
    to: W,
    level: u32,
    block: Vec<u8>,
    /// Plain bytes of a member.
    member: usize,
    /// Threads at most.
    most: usize,
    lanes: Vec<Lane>,
    /// Members that were handed to lanes, and those that came back: both go around the lanes.
    handed: usize,
    back: usize,
}

impl<W: Write> Gzip<W> {
    pub(super) fn new(to: W, level: u32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let most = cores.min(MOST_THREADS);
        let (block, lanes) = (Vec::new(), Vec::new());
        Self { to, level, block, member: MEMBER, most, lanes, handed: 0, back: 0 }
    }

    /// Hands a full block to the next lane; what that has packed before is written first.
    fn hand_out(&mut self) -> io::Result<()> {
        let mut spare = Vec::new();
        if self.lanes.len() < self.most {
            self.lanes.push(Lane::start(self.level)?);
        } else if self.handed - self.back == self.lanes.len() {
            spare = self.take_back()?;
        }
        let block = std::mem::replace(&mut self.block, spare);
        let count = self.lanes.len();
        let lane = &self.lanes[self.handed % count];
        let taken = lane.plain.as_ref().is_some_and(|plain| plain.send(block).is_ok());
        self.handed += 1;
        if taken { Ok(()) } else { Err(io::Error::other("a thread that compresses has ended")) }
    }

    /// Writes the oldest member that is not written yet.
    fn take_back(&mut self) -> io::Result<Vec<u8>> {
        let count = self.lanes.len();
        let lost = |_| io::Error::other("a thread that compresses has ended");
        let (member, mut plain) = self.lanes[self.back % count].packed.recv().map_err(lost)?;
        self.back += 1;
        self.to.write_all(&member?)?;
        plain.clear();
        Ok(plain)
    }

    /// Writes what is left. An empty file is one empty member.
    pub(super) fn finish(mut self) -> io::Result<W> {
        while self.back < self.handed {
            self.take_back()?;
        }
        if !self.block.is_empty() || self.handed == 0 {
            self.to.write_all(&member(&self.block, self.level)?)?;
        }
        Ok(self.to)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() >= self.member {
            self.hand_out()?;
        }
        let len = bytes.len().min(self.member - self.block.len());
        self.block.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read as _;

    use super::*;

    /// Small ones: this is not about speed.
    const MEMBER: usize = 10_000;

    fn packed(plain: &[u8], threads: usize) -> Vec<u8> {
        let mut gzip = Gzip { most: threads, member: MEMBER, ..Gzip::new(Vec::new(), 6) };
        gzip.write_all(plain).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn any_length_on_any_number_of_threads() {
        let line = b"{\"timestamp\":\"2026-11-22T10:11:12.000000000Z\",\"number\":";
        let plain: Vec<u8> = (0..)
            .flat_map(|n: u32| [line.as_slice(), n.to_string().as_bytes(), b"}\n"].concat())
            .take(5 * MEMBER + 77)
            .collect();
        for len in [0, 1, MEMBER - 1, MEMBER, MEMBER + 1, 3 * MEMBER, plain.len()] {
            let one = packed(&plain[..len], 1);
            assert_eq!(packed(&plain[..len], 3), one, "{len}");
            let mut back = Vec::new();
            flate2::read::MultiGzDecoder::new(one.as_slice()).read_to_end(&mut back).unwrap();
            assert!(back == plain[..len], "{len}");
        }
    }

    #[test]
    fn a_full_disk_is_an_error_and_leaves_no_thread() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let len = bytes.len().min(self.0);
                self.0 -= len;
                if len == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(len) }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut gzip = Gzip { most: 2, member: MEMBER, ..Gzip::new(Full(100), 1) };
        let written =
            gzip.write_all(&vec![b'x'; 9 * MEMBER]).and_then(|()| gzip.finish().map(drop));
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
