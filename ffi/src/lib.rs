//! The C ABI of lb-log. The book for its users is the generated header, `include/lb_log.h`;
//! every function here is a shell that checks its arguments and calls the core.
#![allow(unsafe_code, non_camel_case_types)]

mod boundary;
mod error;
mod logger;
mod record;
mod stats;
mod status;
mod text;

pub use error::{lb_error, lb_error_code, lb_error_free, lb_error_message};
pub use logger::{
    LB_ABI_VERSION, lb_abi_version, lb_logger, lb_logger_close, lb_logger_config,
    lb_logger_context, lb_logger_flush, lb_logger_free, lb_logger_log, lb_logger_open,
    lb_logger_push_batch, lb_logger_stats, lb_version,
};
pub use record::{lb_record, lb_tag, lb_tag_value};
pub use stats::{lb_batch_result, lb_stats};
pub use text::lb_str;
