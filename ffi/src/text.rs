//! Strings: pointer and length.

use std::ffi::c_char;

/// A string: `len` bytes at `data`, any bytes, no NUL needed. NULL with length 0 is empty.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_str {
    /// First byte.
    pub data: *const c_char,
    /// Number of bytes.
    pub len: usize,
}

impl lb_str {
    pub(crate) fn of(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), len: text.len() }
    }
}

/// The bytes of a caller's string; `None` for what cannot be one.
///
/// # Safety
/// Unless NULL, `data` must point to `len` readable bytes that nobody changes for `'a`.
#[inline]
pub(crate) unsafe fn bytes<'a>(data: *const u8, len: usize) -> Option<&'a [u8]> {
    if len == 0 {
        return Some(&[]);
    }
    if data.is_null() || isize::try_from(len).is_err() {
        return None;
    }
    // SAFETY: not NULL, not longer than a slice may be; the rest is the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(data, len) })
}
