//! The log file: its lock, the append protocol, rotation, and the notes that lead to rings.
//!
//! The file knows no Loki, and of records only that they are lines.

mod block;
mod lock;
mod log;
mod note;
mod state;
mod tail;

pub(crate) use block::Block;
pub(crate) use lock::{LockError, LockFile};
pub(crate) use log::{Locked, LogFile, Rotation};
pub(crate) use note::{OwnNote, RingPlace, Seen, boot_id, look};
pub(crate) use state::State;
