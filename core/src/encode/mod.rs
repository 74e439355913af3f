//! From a frame to its line: the only module that turns records into JSON.

mod escape;
mod line;
mod tags;
mod time;

pub(crate) use escape::escape;
pub(crate) use line::{EncodedContext, Encoder, Source};
pub(crate) use time::{TimeReader, parse_timestamp, timestamp};
