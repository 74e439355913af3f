//! What was logged, afterwards: which runs there are, which files a log has, and what is in them.

pub mod blocks;
pub(crate) mod lines;
pub mod log;
pub mod rings;
pub mod run;
pub mod several;
