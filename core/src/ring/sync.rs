//! What threads share in the queue: atomics, fences, locks and the bytes of a ring. While the
//! models of `models.rs` run, all of it is loom's, which tries every order that the memory model
//! allows; otherwise it is what the machine has, at no cost.

use std::marker::PhantomData;
use std::ptr::NonNull;

#[cfg(not(all(test, lb_loom)))]
pub(super) use plain::{
    AtomicBool, AtomicI64, AtomicU64, Free, LightFence, Mutex, UnsafeCell, fence, heavy_fence,
    pause, per_thread,
};

#[cfg(all(test, lb_loom))]
pub(super) use modelled::{
    AtomicBool, AtomicI64, AtomicU64, Free, LightFence, Mutex, UnsafeCell, fence, heavy_fence,
    pause, per_thread,
};

#[cfg(not(all(test, lb_loom)))]
mod plain {
    pub(in super::super) use crate::sys::{LightFence, heavy_fence};
    pub(in super::super) use crossbeam_queue::ArrayQueue as Free;
    pub(in super::super) use std::cell::UnsafeCell;
    pub(in super::super) use std::sync::Mutex;
    pub(in super::super) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, fence};
    pub(in super::super) use std::thread_local as per_thread;

    /// A moment for another thread to get on.
    pub(in super::super) fn pause() {
        std::thread::sleep(std::time::Duration::from_micros(20));
    }
}

/// The bytes of a ring: `len` of them at `start`, valid for `'m`, aligned to 8.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'m> {
    start: NonNull<u8>,
    #[cfg(all(test, lb_loom))]
    watch: &'m modelled::Watch,
    life: PhantomData<&'m u8>,
}

impl<'m> Bytes<'m> {
    #[cfg(not(all(test, lb_loom)))]
    pub(super) fn new(start: NonNull<u8>) -> Self {
        Self { start, life: PhantomData }
    }

    #[cfg(all(test, lb_loom))]
    pub(super) fn new(start: NonNull<u8>, watch: &'m modelled::Watch) -> Self {
        Self { start, watch, life: PhantomData }
    }

    /// The number at `place`.
    ///
    /// # Safety
    /// `place` is a multiple of 8 inside, and nobody writes there now.
    #[inline(always)]
    pub(super) unsafe fn number(self, place: usize) -> u32 {
        #[cfg(all(test, lb_loom))]
        self.watch.reads(self.start, place, 4);
        // SAFETY: inside and aligned, says the caller.
        u32::from_le(unsafe { self.start.add(place).cast::<u32>().read() })
    }

    /// Writes the number at `place`.
    ///
    /// # Safety
    /// `place` is a multiple of 8 inside, and nobody else reads or writes there now.
    #[inline(always)]
    pub(super) unsafe fn set_number(self, place: usize, number: u32) {
        #[cfg(all(test, lb_loom))]
        self.watch.writes(self.start, place, 4);
        // SAFETY: inside and aligned, says the caller.
        unsafe { self.start.add(place).cast::<u32>().write(number.to_le()) };
    }

    /// The bytes from `place` on, to be read.
    ///
    /// # Safety
    /// They are inside, and nobody writes there as long as they are used.
    #[inline(always)]
    pub(super) unsafe fn get(self, place: usize, len: usize) -> &'m [u8] {
        #[cfg(all(test, lb_loom))]
        self.watch.reads(self.start, place, len);
        // SAFETY: inside and at rest, says the caller.
        unsafe { std::slice::from_raw_parts(self.start.add(place).as_ptr(), len) }
    }

    /// The bytes from `place` on, to be written.
    ///
    /// # Safety
    /// They are inside, and nobody else reads or writes there as long as they are used.
    #[inline(always)]
    pub(super) unsafe fn get_mut(self, place: usize, len: usize) -> &'m mut [u8] {
        #[cfg(all(test, lb_loom))]
        self.watch.writes(self.start, place, len);
        // SAFETY: inside and the caller's alone, says the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(place).as_ptr(), len) }
    }
}

#[cfg(all(test, lb_loom))]
pub(super) mod modelled {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;
    use std::ptr::NonNull;
    use std::sync::atomic::Ordering;

    pub(in super::super) use loom::sync::Mutex;
    pub(in super::super) use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, fence};
    pub(in super::super) use loom::thread::yield_now as pause;
    // The slots' cells are reached by address, as the real ones are; `Watched` looks after them.
    pub(in super::super) use self::watched::Watched as UnsafeCell;

    use super::super::queue::Control;

    /// As std's, without its `const`.
    macro_rules! per_thread {
        ($($(#[$meta:meta])* static $name:ident: $kind:ty = const $value:block;)*) => {
            loom::thread_local! { $($(#[$meta])* static $name: $kind = $value;)* }
        };
    }
    pub(in super::super) use per_thread;

    /// Models know nothing of membarrier(2): both sides are the fence that it stands for.
    #[derive(Clone, Copy)]
    pub(in super::super) struct LightFence;

    impl LightFence {
        pub(in super::super) fn new() -> Self {
            Self
        }

        pub(in super::super) fn here(self) {
            fence(Ordering::SeqCst);
        }
    }

    pub(in super::super) fn heavy_fence() {
        fence(Ordering::SeqCst);
    }

    /// Stands for the queue of free rings: what was done before `push` is seen behind `pop`.
    pub(in super::super) struct Free<T>(Mutex<Vec<T>>);

    impl<T> Free<T> {
        pub(in super::super) fn new(count: usize) -> Self {
            Self(Mutex::new(Vec::with_capacity(count)))
        }

        pub(in super::super) fn push(&self, item: T) -> Result<(), T> {
            self.0.lock().unwrap().push(item);
            Ok(())
        }

        pub(in super::super) fn pop(&self) -> Option<T> {
            self.0.lock().unwrap().pop()
        }
    }

    mod watched {
        /// A cell whose pointer may only be asked for where it may be written through.
        pub(crate) struct Watched<T> {
            inner: std::cell::UnsafeCell<T>,
            watch: loom::cell::UnsafeCell<()>,
        }

        impl<T> Watched<T> {
            pub(crate) fn new(value: T) -> Self {
                let inner = std::cell::UnsafeCell::new(value);
                Self { inner, watch: loom::cell::UnsafeCell::new(()) }
            }

            pub(crate) fn get(&self) -> *mut T {
                self.watch.with_mut(|_| ());
                self.inner.get()
            }
        }
    }

    /// Looks after the words of a memory: loom fails where one thread touches what another has
    /// written, or writes what another has touched, without having seen that it was done. Also
    /// holds what loom cannot have in raw memory.
    #[derive(Default)]
    pub(crate) struct Watch {
        words: std::sync::Mutex<HashMap<usize, Box<loom::cell::UnsafeCell<()>>>>,
        controls: std::sync::Mutex<HashMap<usize, Box<Control>>>,
    }

    impl Watch {
        /// The control block at `offset`; it stays where it is.
        pub(in super::super) fn control(&self, offset: usize) -> &Control {
            let mut controls = self.controls.lock().unwrap();
            let control: *const Control = &raw const **controls.entry(offset).or_default();
            // SAFETY: boxed, and never removed before `self` is.
            unsafe { &*control }
        }

        pub(super) fn reads(&self, start: NonNull<u8>, place: usize, len: usize) {
            self.each(start, place, len, |word| word.with(|_| ()));
        }

        pub(super) fn writes(&self, start: NonNull<u8>, place: usize, len: usize) {
            self.each(start, place, len, |word| word.with_mut(|_| ()));
        }

        fn each(
            &self,
            start: NonNull<u8>,
            place: usize,
            len: usize,
            touch: impl Fn(&loom::cell::UnsafeCell<()>),
        ) {
            let first = start.as_ptr().addr() + place;
            for word in first / 8..(first + len).div_ceil(8) {
                // To touch may stop this thread: not under a lock that loom knows nothing of.
                let cell: *const loom::cell::UnsafeCell<()> =
                    &raw const **self.words.lock().unwrap().entry(word).or_default();
                // SAFETY: boxed, and never removed before `self` is.
                touch(unsafe { &*cell });
            }
        }
    }
}
