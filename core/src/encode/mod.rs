//! From a frame to its line: the only module that turns records into JSON.

mod escape;
mod line;
mod tags;
mod time;

pub(crate) use escape::escape;
pub(crate) use line::{EncodedContext, Encoder, Source};
pub use time::parse_timestamp;
pub(crate) use time::{TimeReader, timestamp};
