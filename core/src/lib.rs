//! The logging core of lb-log.
//!
//! The path of one record is told, with file names, in `ARCHITECTURE.md`.

pub mod config;
pub mod error;
pub mod names;
pub mod record;
