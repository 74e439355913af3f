//! The logging core of lb-log.
//!
//! The path of one record is told, with file names, in `ARCHITECTURE.md`.

mod bell;
#[cfg(feature = "benching")]
#[doc(hidden)]
pub mod benching;
mod clock;
pub mod collect;
pub mod command;
pub mod config;
mod contexts;
mod core;
mod encode;
pub mod error;
mod failpoint;
mod file;
pub mod frame;
#[cfg(any(all(test, not(lb_loom)), feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gap;
mod gather;
pub mod http;
mod intake;
pub mod line;
pub mod living;
pub mod logger;
pub mod loki;
mod mover;
pub mod names;
mod notice;
mod own_record;
mod place;
pub mod record;
pub mod recover;
mod retention;
mod ring;
pub mod runs;
pub mod shared;
pub mod stats;
pub mod sweep;
mod syncer;
mod sys;
mod worker;
mod writer;

pub use encode::parse_timestamp;
pub use error::{Error, Result};
pub use logger::Logger;
