//! Status numbers: never reused.

/// Done.
pub const LB_OK: i32 = 0;
/// An argument that must not be passed: a NULL handle or pointer, a wrong struct_size, a batch
/// that cannot be read.
pub const LB_ERR_ARGUMENT: i32 = 1;
/// The configuration was refused; the message lists every mistake, one a line.
pub const LB_ERR_CONFIG: i32 = 2;
/// A file or folder cannot be used; the message names it and what to do.
pub const LB_ERR_IO: i32 = 3;
/// The record was refused, and counted as rejected.
pub const LB_ERR_REJECTED: i32 = 4;
/// The ring was full: the record was dropped, and counted as dropped.
pub const LB_ERR_DROPPED: i32 = 5;
/// The logger was closed.
pub const LB_ERR_CLOSED: i32 = 6;
/// Flush or close was not finished within its time.
pub const LB_ERR_TIMEOUT: i32 = 7;
/// A call inside a call on one thread (a signal handler); counted as rejected.
pub const LB_ERR_NESTED: i32 = 8;
// 9 is reserved: it was a logger in a forked child, which now opens the log anew.
/// A bound of the library was reached (too many contexts).
pub const LB_ERR_LIMIT: i32 = 10;
/// A bug in the library; the message has the panic's text.
pub const LB_ERR_PANIC: i32 = 11;
