//! A range of memory that a file stands behind, or that is this process's own.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use super::sync::Bytes;

/// Mapped memory, readable and writable, page-aligned, unmapped when dropped.
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
    /// Boxed: rings refer to it, and stay where they are when the mapping is moved.
    #[cfg(all(test, lb_loom))]
    watch: Box<super::sync::modelled::Watch>,
}

// SAFETY: the memory belongs to this value alone; whoever reads or writes it goes through
// atomics or through the ring protocol of `queue.rs`, which say who may touch what.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file, shared with all who map it.
    pub(crate) fn of_file(file: &File, len: usize) -> io::Result<Self> {
        Self::new(pages::of_file(file, len)?, len)
    }

    /// Memory of this process alone.
    pub(crate) fn anonymous(len: usize) -> io::Result<Self> {
        Self::new(pages::anonymous(len)?, len)
    }

    fn new(start: *mut u8, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self {
            start,
            len,
            #[cfg(all(test, lb_loom))]
            watch: Box::default(),
        })
    }

    /// A counter at `offset`, which must be a multiple of 8 inside the mapping.
    pub(crate) fn atomic(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.len, "counter outside its mapping");
        // SAFETY: aligned and inside, checked above; any bits are a valid AtomicU64, and all
        // accesses to this place are atomic.
        unsafe { self.start.add(offset).cast::<AtomicU64>().as_ref() }
    }

    /// A structure of atomics at `offset`. `T` must be valid for any bits and have interior
    /// mutability throughout: it is only implemented for [`super::queue::Control`].
    pub(crate) fn control(&self, offset: usize) -> &super::queue::Control {
        let size = size_of::<super::queue::Control>();
        let align = align_of::<super::queue::Control>();
        assert!(offset.is_multiple_of(align) && offset + size <= self.len, "outside its mapping");
        #[cfg(all(test, lb_loom))]
        return self.watch.control(offset);
        #[cfg(not(all(test, lb_loom)))]
        // SAFETY: aligned and inside, checked above; `Control` consists of atomics only.
        unsafe {
            self.start.add(offset).cast::<super::queue::Control>().as_ref()
        }
    }

    /// A range, for the ring protocol. `offset` is a multiple of 8.
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> Bytes<'_> {
        let start = self.range(offset, len);
        #[cfg(all(test, lb_loom))]
        return Bytes::new(start, &self.watch);
        #[cfg(not(all(test, lb_loom)))]
        Bytes::new(start)
    }

    fn range(&self, offset: usize, len: usize) -> NonNull<u8> {
        assert!(
            offset.checked_add(len).is_some_and(|end| end <= self.len),
            "range outside its mapping"
        );
        // SAFETY: inside, checked above.
        unsafe { self.start.add(offset) }
    }

    /// A copy of bytes that nobody writes at this moment.
    pub(crate) fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        let from = self.range(offset, len);
        // SAFETY: inside, checked by `range`; the bytes are initialised, because fresh pages
        // are zero; what else is written there was published before (see the callers).
        unsafe { std::slice::from_raw_parts(from.as_ptr(), len) }.to_vec()
    }

    /// Writes bytes to a place that nobody else reads or writes at this moment.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.range(offset, bytes.len());
        // SAFETY: inside, checked by `range`; the source is another object.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, with this length; no reference outlives `self`.
        unsafe { pages::free(self.start.as_ptr(), self.len) };
    }
}

#[cfg(not(miri))]
mod pages {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsFd;

    use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

    const BOTH: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

    pub(super) fn of_file(file: &File, len: usize) -> io::Result<*mut u8> {
        // SAFETY: the kernel chooses the address; nothing of ours is replaced.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, BOTH, MapFlags::SHARED, file.as_fd(), 0)? };
        Ok(start.cast())
    }

    pub(super) fn anonymous(len: usize) -> io::Result<*mut u8> {
        // SAFETY: the kernel chooses the address; nothing of ours is replaced.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, BOTH, MapFlags::PRIVATE)? };
        Ok(start.cast())
    }

    /// # Safety
    /// `start` came from here with this `len`, and nothing refers to it any more.
    pub(super) unsafe fn free(start: *mut u8, len: usize) {
        // SAFETY: mapped by us with this length, says the caller.
        let _ = unsafe { munmap(start.cast(), len) };
    }
}

/// For the interpreter, which has no mmap: memory of the heap.
#[cfg(miri)]
mod pages {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::fs::File;
    use std::io;

    fn layout(len: usize) -> io::Result<Layout> {
        Layout::from_size_align(len.max(1), 4096).map_err(io::Error::other)
    }

    pub(super) fn of_file(_: &File, _: usize) -> io::Result<*mut u8> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn anonymous(len: usize) -> io::Result<*mut u8> {
        // SAFETY: the layout is not empty.
        Ok(unsafe { alloc_zeroed(layout(len)?) })
    }

    /// # Safety
    /// As of the real one.
    pub(super) unsafe fn free(start: *mut u8, len: usize) {
        if let Ok(layout) = layout(len) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(start, layout) };
        }
    }
}
