//! The queue between callers and the writer, in memory that outlives the process.
//!
//! The rings know no records: they carry frames, whose meaning is `frame.rs`.
#![allow(unsafe_code)]
// The way in is one straight line of code: what it calls must not become calls.
#![allow(clippy::inline_always)]

mod file;
mod header;
mod mapping;
#[cfg(all(test, lb_loom))]
mod models;
mod queue;
mod rings;
mod sync;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod tests_support;

pub(crate) use file::{Counter, FileId, RingFile};
pub(crate) use header::{Birth, Layout};
#[cfg(any(all(test, not(lb_loom)), feature = "fuzzing"))]
pub(crate) use queue::Producer;
pub(crate) use queue::{Fill, Position, Ring, Step};
pub(crate) use rings::{Refused, Rings};
