//! The log file: its lock, the append protocol, rotation, what of it is on the disk, and the notes
//! that lead to rings.
//!
//! The file knows no Loki, and of records only that they are lines.

mod beside;
mod block;
mod lock;
mod log;
mod note;
mod opening;
mod rotation;
mod state;
mod tail;
mod trust;
mod unsynced;

pub(crate) use beside::Beside;
pub(crate) use block::Block;
pub(crate) use lock::{LockError, LockFile, id_at, id_of, is_locked, try_lock};
pub(crate) use log::{Locked, LogFile, Rotation};
pub(crate) use note::open_nofollow as open_ring_file;
pub(crate) use note::{OwnNote, RingPlace, Seen, look, open_noted, ring_id_in};
pub(crate) use opening::Apart;
pub(crate) use rotation::{Segment, force_names, rename_without_replacing};
#[cfg(any(all(test, not(lb_loom)), feature = "fuzzing"))]
pub(crate) use state::State;
pub(crate) use tail::whole_lines;
pub(crate) use trust::distrusted_at;
pub(crate) use unsynced::{Batch, Dirty, Lost, Next, NotOnDisk, Unsynced};
