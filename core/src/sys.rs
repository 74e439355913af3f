//! The few system facilities for which no safe wrapper exists.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering, fence};

/// Runs `spawn` with every signal blocked, so that a thread made in it inherits the
/// mask and no handler of the host program ever runs on a thread of ours.
pub(crate) fn with_signals_blocked<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are plain data, filled by the calls before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let made = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
        made
    }
}

#[cfg(target_os = "linux")]
fn membarrier(command: libc::c_int) -> libc::c_long {
    // SAFETY: membarrier takes integers only and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// Whether [`heavy_fence`] reaches the other threads by itself. Where it does not,
/// [`LightFence`] is a real fence.
fn asymmetric() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        #[cfg(target_os = "linux")]
        return membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
        #[cfg(not(target_os = "linux"))]
        return false;
    })
}

/// The rare side of an asymmetric fence: when it returns, each thread of the process has
/// either seen what was stored before it, or has what it stored before its own
/// [`LightFence::here`] visible to us.
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
    #[cfg(target_os = "linux")]
    if asymmetric() {
        membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    }
}

/// The frequent side of an asymmetric fence: free where the kernel has membarrier(2).
#[derive(Clone, Copy)]
pub(crate) struct LightFence {
    real: bool,
}

impl LightFence {
    pub(crate) fn new() -> Self {
        Self { real: !asymmetric() }
    }

    #[inline]
    pub(crate) fn here(self) {
        if self.real {
            fence(Ordering::SeqCst);
        } else {
            std::sync::atomic::compiler_fence(Ordering::SeqCst);
        }
    }
}

/// A byte that is 1 in this process and 0 in each child that it forks, even by a raw clone.
/// Where the kernel cannot wipe pages at fork, a handler of `pthread_atfork` clears it.
pub(crate) fn fork_marker() -> &'static AtomicU8 {
    static MARKER: OnceLock<&'static AtomicU8> = OnceLock::new();
    MARKER.get_or_init(|| {
        let marker = wiped_byte().unwrap_or_else(handled_byte);
        marker.store(1, Ordering::Relaxed);
        marker
    })
}

#[cfg(target_os = "linux")]
fn wiped_byte() -> Option<&'static AtomicU8> {
    // SAFETY: a fresh anonymous page that is never unmapped lives as long as the process and
    // is aligned for a byte; an AtomicU8 has no invalid value.
    unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if page == libc::MAP_FAILED {
            return None;
        }
        if libc::madvise(page, 4096, libc::MADV_WIPEONFORK) != 0 {
            libc::munmap(page, 4096);
            return None;
        }
        Some(&*page.cast::<AtomicU8>())
    }
}

#[cfg(not(target_os = "linux"))]
fn wiped_byte() -> Option<&'static AtomicU8> {
    None
}

fn handled_byte() -> &'static AtomicU8 {
    static BYTE: AtomicU8 = AtomicU8::new(0);
    extern "C" fn in_child() {
        BYTE.store(0, Ordering::Relaxed);
    }
    // SAFETY: the handler only stores to a static atomic, which is async-signal-safe.
    unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    }
    &BYTE
}
