//! Whether Loki holds what the files hold.
//!
//! `verify` reads the lines of all logs once, by time so far as the files are (`walk`), and compares
//! them stream by stream with what Loki shows (`compare`). What is missing becomes gaps (`gaps`),
//! except what offset file and quarantine explain (`standing`).

pub(crate) mod compare;
pub(crate) mod failure;
pub(crate) mod gaps;
pub(crate) mod patient;
pub(crate) mod standing;
pub(crate) mod verified;
pub(crate) mod verify;
pub(crate) mod walk;
