//! From a log file to Grafana Loki, and back out of it.
//!
//! A line of the file becomes an entry of a stream (`line`), entries of one stream become a batch
//! (`batch`), a batch becomes the body of a push (`protobuf` or `json`), `client` sends it, and
//! `answer` says what Loki made of it. `query` reads back what Loki holds.
//!
//! The file is the queue: nothing here keeps a line that the file does not have, and nothing here
//! knows rings, the writer or the append protocol.

pub(crate) mod answer;
pub(crate) mod batch;
pub(crate) mod client;
mod json;
pub(crate) mod limits;
pub(crate) mod line;
mod moment;
mod narrow;
mod page;
mod protobuf;
pub(crate) mod query;
mod recent;
pub(crate) mod refusal;
pub(crate) mod sink;
pub(crate) mod stream;
mod text;
