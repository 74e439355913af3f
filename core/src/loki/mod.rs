//! From a log file to Grafana Loki, and back out of it.
//!
//! A line of the file becomes an entry of a stream (`line`), entries of one stream become a batch
//! (`batch`), a batch becomes the body of a push (`protobuf` or `json`), `client` sends it
//! (`connection`: who we are, whom we trust), `answer` says what Loki made of it, and `advice` what
//! there is to do about it. `query` reads back what Loki holds.
//!
//! `engine` ships one log: it finds the log's files (`segments`), reads their lines (`source`,
//! `lap`, `read`), packs and sends them (`parcel`, `send`), decides what follows from an answer (`plan`,
//! `pace`), and keeps how far it came (`offset`, `offset_file`, `quarantine`). `shipper` is the
//! thread of a process that logs, `push` does the same for files of the past; both are elected
//! before (`election`). `delivered` tells retention which files Loki needs no more.
//!
//! The file is the queue: nothing here keeps a line that the file does not have, and nothing here
//! knows rings, the writer or the append protocol.

mod advice;
pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod batch;
pub(crate) mod client;
mod compare;
mod connection;
mod counting;
mod delivered;
mod election;
mod engine;
mod failure;
mod gaps;
#[cfg(test)]
mod held;
mod identity;
pub(crate) mod json;
mod lap;
pub(crate) mod limits;
pub(crate) mod line;
mod mend;
mod moment;
mod narrow;
pub(crate) mod offset;
mod offset_file;
mod pace;
mod page;
pub(crate) mod parcel;
mod patient;
mod plan;
pub(crate) mod protobuf;
mod push;
mod quarantine;
pub(crate) mod query;
mod ranges;
mod read;
mod recent;
pub(crate) mod refusal;
mod runner;
#[cfg(test)]
mod scene;
mod segments;
mod send;
mod shipper;
mod shipping;
pub(crate) mod sink;
mod snappy;
mod source;
mod standing;
pub(crate) mod stream;
mod text;
mod verified;
mod verify;
mod walk;

pub(crate) use delivered::Delivered;
pub use failure::Failure;
pub(crate) use offset::Target;
pub use patient::{Verifying, Watch};
pub use push::{Ended, Progress, PushOptions, Pushed, push, repair};
pub(crate) use runner::target;
pub(crate) use segments::Segments;
pub(crate) use shipper::Shipper;
pub use shipping::{Shipping, shipping};
pub use verified::{Extra, FileChecked, Gap, StreamChecked, Tally, Verified};
pub use verify::verify;
