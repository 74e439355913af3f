//! From a log file to Grafana Loki, and back out of it.
//!
//! `wire` turns lines into requests and answers into decisions; `ship` brings a log to Loki, from a
//! process that logs; `push` does the same for files of the past; `check` compares what Loki holds
//! with the files. Each knows only those before it.
//!
//! The file is the queue: nothing here keeps a line that the file does not have, and nothing here
//! knows rings, the writer or the append protocol.

pub(crate) mod check;
mod push;
pub(crate) mod ship;
pub(crate) mod wire;

pub use check::failure::Failure;
pub use check::patient::{Verifying, Watch};
pub use check::verified::{Extra, FileChecked, Gap, StreamChecked, Tally, Verified};
pub use check::verify::verify;
pub use push::{Ended, Progress, PushOptions, Pushed, push, repair};
pub(crate) use ship::delivered::Delivered;
pub(crate) use ship::offset::Target;
pub(crate) use ship::runner::target;
pub(crate) use ship::segments::Segments;
pub(crate) use ship::shipper::Shipper;
pub use ship::shipping::{Shipping, shipping};
