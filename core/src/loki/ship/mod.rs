//! One log on its way to one Loki.
//!
//! `engine` finds the log's files (`segments`), reads their lines (`source`, `lap`, `read`), packs
//! and sends them (`parcel`, `send`), decides what follows from an answer (`plan`, `pace`), and keeps
//! how far it came (`offset`, `offset_file`, `quarantine`; `mend` where they disagree with the log).
//! `shipper` is the thread of a process that logs; who ships is elected before (`election`).
//! `delivered` tells retention which files Loki needs no more, `shipping` people how far it is.

pub(crate) mod counting;
pub(crate) mod delivered;
pub(crate) mod election;
pub(crate) mod engine;
pub(crate) mod identity;
pub(crate) mod lap;
pub(crate) mod mend;
pub(crate) mod offset;
pub(crate) mod offset_file;
pub(crate) mod pace;
pub(crate) mod parcel;
pub(crate) mod plan;
pub(crate) mod quarantine;
pub(crate) mod ranges;
pub(crate) mod read;
pub(crate) mod runner;
#[cfg(test)]
pub(crate) mod scene;
pub(crate) mod segments;
pub(crate) mod send;
pub(crate) mod shipper;
pub(crate) mod shipping;
pub(crate) mod source;
