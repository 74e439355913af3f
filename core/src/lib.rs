//! The logging core of lb-log.
//!
//! The path of one record is told, with file names, in `ARCHITECTURE.md`.

mod clock;
pub mod config;
mod encode;
pub mod error;
mod file;
pub mod frame;
mod gather;
pub mod names;
pub mod record;
mod ring;
mod sys;
