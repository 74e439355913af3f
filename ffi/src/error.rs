//! Error objects.

use crate::status::LB_ERR_ARGUMENT;
use crate::text::lb_str;

/// Why a call failed. Made by the library, freed by the caller with lb_error_free.
pub struct lb_error {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// The status number of an error: the same that the call returned. LB_ERR_ARGUMENT for NULL.
/// From any thread; never waits.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_error_code(error: *const lb_error) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(LB_ERR_ARGUMENT, |error| error.code)
}

/// What went wrong and what to do, as UTF-8, possibly several lines. Belongs to the error: it is
/// valid until lb_error_free. Empty for NULL. From any thread; never waits.
///
/// # Safety
/// `error` must be NULL or an error that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_error_message(error: *const lb_error) -> lb_str {
    // SAFETY: the caller's promise.
    unsafe { error.as_ref() }.map_or(lb_str::of(""), |error| lb_str::of(&error.message))
}

/// Frees an error and its message; the last call on it. NULL is ignored.
///
/// # Safety
/// `error` must be NULL or an error that was not freed; nothing may use it afterwards.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lb_error_free(error: *mut lb_error) {
    if !error.is_null() {
        // SAFETY: it came from Box::into_raw in `boundary.rs`, and is not used again. Dropping a
        // number and a text cannot panic.
        drop(unsafe { Box::from_raw(error) });
    }
}
