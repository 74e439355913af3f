//! Between lines and HTTP.
//!
//! A line of the file becomes an entry of a stream (`line`), entries of one stream become a batch
//! (`batch`), a batch becomes the body of a push (`protobuf` or `json`), `client` sends it,
//! `answer` says what Loki made of it, `refusal` which lines it names, and `advice` what there is to
//! do about it. `query` reads back what Loki holds, by
//! questions (`ask`) whose answers are pages (`page`). Nothing here knows files or offsets.

pub(crate) mod advice;
pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod batch;
pub(crate) mod client;
#[cfg(test)]
pub(crate) mod held;
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod line;
pub(crate) mod moment;
pub(crate) mod narrow;
pub(crate) mod page;
pub(crate) mod protobuf;
pub(crate) mod query;
pub(crate) mod recent;
pub(crate) mod refusal;
pub(crate) mod sink;
pub(crate) mod snappy;
pub(crate) mod stream;
pub(crate) mod text;
