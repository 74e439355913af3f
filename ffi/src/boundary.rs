//! Where Rust ends: results become status numbers, panics become errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lb_core::Error;

use crate::error::lb_error;
use crate::status::{LB_ERR_PANIC, LB_OK};

/// The error of an argument that must not be passed.
pub(crate) fn argument(text: &str) -> Error {
    Error::Argument(text.to_owned())
}

/// Runs `work`; stores why it failed where the caller wants to know.
///
/// # Safety
/// `out` must be NULL or a place for a pointer.
#[inline]
pub(crate) unsafe fn guarded(
    out: *mut *mut lb_error,
    work: impl FnOnce() -> Result<(), Error>,
) -> i32 {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => LB_OK,
        Ok(Err(error)) => {
            let code = error.status();
            // SAFETY: the caller's promise.
            unsafe { store(out, code, || error.to_string()) };
            code
        }
        Err(panic) => {
            // SAFETY: the caller's promise.
            unsafe { store(out, LB_ERR_PANIC, || panic_text(&*panic)) };
            LB_ERR_PANIC
        }
    }
}

/// Runs what has no way to report a failure.
pub(crate) fn quiet(work: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(work));
}

#[cold]
unsafe fn store(out: *mut *mut lb_error, code: i32, message: impl FnOnce() -> String) {
    if !out.is_null() {
        let error = Box::new(lb_error { code, message: message() });
        // SAFETY: not NULL; a place for a pointer by the caller's promise.
        unsafe { out.write(Box::into_raw(error)) };
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text");
    format!("a bug in lb-log, please report it: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let mut error: *mut lb_error = std::ptr::null_mut();
        // SAFETY: a place for a pointer.
        let code = unsafe { guarded(&raw mut error, || panic!("what {}", "happened")) };
        assert_eq!(code, LB_ERR_PANIC);
        // SAFETY: just made by `guarded`.
        let error = unsafe { Box::from_raw(error) };
        assert!(error.message.ends_with("what happened"));
    }
}
