//! The few system facilities for which no safe wrapper exists.
#![allow(unsafe_code)]
// Models have fences of their own.
#![cfg_attr(all(test, lb_loom), allow(dead_code))]

use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering, fence};

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

/// The system's number of the calling thread; 0 where it is not known.
pub(crate) fn thread_id() -> i32 {
    #[cfg(target_os = "linux")]
    return rustix::thread::gettid().as_raw_nonzero().get();
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// Whether a thread of this process still has that number.
pub(crate) fn has_thread(id: i32) -> bool {
    id != 0 && std::path::Path::new(&format!("/proc/self/task/{id}")).exists()
}

/// Lets a program that is started from a thread of ours begin with no signal blocked, as programs
/// expect it.
pub(crate) fn with_own_signals(command: &mut std::process::Command) {
    let unblock = || {
        // SAFETY: the set is plain data, filled before it is read; both calls are
        // async-signal-safe, as what runs between fork and exec must be.
        unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        }
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, unblock) };
}

// Miri has no such call.
#[cfg(all(target_os = "linux", not(miri)))]
fn membarrier(command: libc::c_int) -> libc::c_long {
    // SAFETY: membarrier takes integers only and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// Whether [`heavy_fence`] reaches the other threads by itself. Where it does not,
/// [`LightFence`] is a real fence.
fn asymmetric() -> bool {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    *REGISTERED.get_or_init(|| {
        #[cfg(all(target_os = "linux", not(miri)))]
        return membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
        #[cfg(not(all(target_os = "linux", not(miri))))]
        return false;
    })
}

/// The rare side of an asymmetric fence: when it returns, each thread of the process has
/// either seen what was stored before it, or has what it stored before its own
/// [`LightFence::here`] visible to us.
pub(crate) fn heavy_fence() {
    fence(Ordering::SeqCst);
    #[cfg(all(target_os = "linux", not(miri)))]
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

/// Where the number of the current process *era* stands: each forked child begins one, even after
/// a raw clone. 0 in a child until [`era`] has been asked there.
#[inline]
pub(crate) fn era_mark() -> &'static AtomicU64 {
    static MARK: OnceLock<&'static AtomicU64> = OnceLock::new();
    MARK.get_or_init(|| {
        extern "C" fn in_child() {
            if let Some(mark) = MARK.get() {
                mark.store(0, Ordering::Relaxed);
            }
            close_inherited();
        }
        let mark = wiped_word().unwrap_or_else(|| {
            // The handler clears it; a raw clone is then not noticed.
            static WORD: AtomicU64 = AtomicU64::new(0);
            &WORD
        });
        mark.store(1, Ordering::Relaxed);
        // SAFETY: the handler only touches atomics and calls close(2): async-signal-safe.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        mark
    })
}

/// The number of the current era, which is given now where a fork has just begun it. Whoever opens
/// something that a child must not keep asks before.
pub(crate) fn era() -> u64 {
    /// Ordinary memory: a child goes on counting where its parent was, and never meets its own
    /// past.
    static LAST: AtomicU64 = AtomicU64::new(1);
    const BEING_GIVEN: u64 = u64::MAX;
    let mark = era_mark();
    loop {
        match mark.compare_exchange(0, BEING_GIVEN, Ordering::Acquire, Ordering::Acquire) {
            Ok(_) => {
                // After a raw clone no handler has run.
                close_inherited();
                #[cfg(all(target_os = "linux", not(miri)))]
                membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
                let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
                mark.store(number, Ordering::Release);
                return number;
            }
            Err(BEING_GIVEN) => std::hint::spin_loop(),
            Err(number) => return number,
        }
    }
}

#[cfg(target_os = "linux")]
fn wiped_word() -> Option<&'static AtomicU64> {
    // SAFETY: a fresh anonymous page that is never unmapped lives as long as the process and is
    // aligned for a word; an AtomicU64 has no invalid value.
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
        Some(&*page.cast::<AtomicU64>())
    }
}

#[cfg(not(target_os = "linux"))]
fn wiped_word() -> Option<&'static AtomicU64> {
    None
}

/// Fills the places of standard streams that are closed, as a daemon's may be: what the program, or a
/// library of its, then prints must not land in a log or in a request to Loki. Nothing that the
/// program starts inherits the filling.
pub(crate) fn fill_standard_places() {
    while let Ok(null) = File::open("/dev/null") {
        if null.as_raw_fd() > libc::STDERR_FILENO {
            break;
        }
        // It stays for good.
        let _ = null.into_raw_fd();
    }
}

/// Descriptors that a child must not keep, because a lock lasts as long as any copy of its
/// descriptor: a child would make its dead parent look alive. -1 is a free place.
static INHERITED: [AtomicI32; 1024] = [const { AtomicI32::new(-1) }; 1024];

/// Closes, without unlocking, what a child has inherited. Their owners are leaked in a child: see
/// [`crate::logger`].
fn close_inherited() {
    for place in &INHERITED {
        let fd = place.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            // SAFETY: in the child nobody uses this copy of the descriptor any more.
            unsafe { libc::close(fd) };
        }
    }
}

/// Keeps a descriptor out of children, until dropped.
pub(crate) struct NotInherited {
    place: Option<usize>,
    fd: i32,
}

impl NotInherited {
    /// More than a thousand at once are let through: children then keep the rest.
    pub(crate) fn new(file: &impl AsRawFd) -> Self {
        let fd = file.as_raw_fd();
        let take = |place: &AtomicI32| {
            place.compare_exchange(-1, fd, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        Self { place: INHERITED.iter().position(take), fd }
    }
}

impl Drop for NotInherited {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let free = (Ordering::Relaxed, Ordering::Relaxed);
            let _ = INHERITED[place].compare_exchange(self.fd, -1, free.0, free.1);
        }
    }
}
