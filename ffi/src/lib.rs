//! The C ABI of lb-log. The book for its users is the generated header, `include/lb_log.h`;
//! every function here is a shell that checks its arguments and calls the core.
#![allow(unsafe_code, non_camel_case_types)]
// The texts are the header's: they are read by C programmers, as they stand.
#![allow(clippy::doc_markdown)]

mod boundary;
pub mod collect;
pub mod error;
pub mod logger;
pub mod record;
pub mod stats;
pub mod status;
pub mod text;
