//! The global allocator: dlmalloc on wasm memory that grows in steps, with a count of what is live.
//!
//! Every `memory.grow` detaches the host's buffer, and engines count the old and the new buffer as garbage and as
//! allocation: V8 collects its whole heap at each step once the memory is beyond some 64 MB, a millisecond or more each
//! time. Growing by the 64 KiB that were missing, as the standard allocator does, made 1,400 of these while 5 million
//! keys were added; growing by a thirty-second part makes some 80.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use dlmalloc::{Allocator, Dlmalloc};

const PAGE_BYTES: usize = 64 * 1024;
/// A step is this part of the memory there is, but not less than `MIN_STEP_PAGES`.
const STEP_DIVISOR: usize = 32;
const MIN_STEP_PAGES: usize = 4;

#[cfg(target_feature = "atomics")]
compile_error!("the heap is not synchronised: wasm threads would need a lock around it");

/// Bytes of all live allocations, as requested. O(1).
pub fn used_bytes() -> usize {
    HEAP.used.get()
}

/// The highest value [`used_bytes`] ever had. O(1).
pub fn peak_bytes() -> usize {
    HEAP.peak.get()
}

/// Bytes of wasm memory, code's data and stack included. It never shrinks. O(1).
pub fn memory_bytes() -> usize {
    memory_size(0) * PAGE_BYTES
}

#[global_allocator]
static HEAP: Heap = Heap {
    inner: UnsafeCell::new(Dlmalloc::new_with_allocator(Steps {
        gave_first: Cell::new(false),
    })),
    used: Cell::new(0),
    peak: Cell::new(0),
};

struct Heap {
    inner: UnsafeCell<Dlmalloc<Steps>>,
    used: Cell<usize>,
    peak: Cell<usize>,
}

// SAFETY: without the `atomics` feature (refused above) a wasm instance has one thread.
unsafe impl Sync for Heap {}

impl Heap {
    fn count(&self, more: usize, less: usize) {
        let used = self.used.get() + more - less;
        self.used.set(used);
        if used > self.peak.get() {
            self.peak.set(used);
        }
    }
}

// SAFETY: dlmalloc's calls have the contracts of this trait, and nothing re-enters the allocator: `Steps` allocates
// nothing, so the exclusive reference made from the cell is the only one.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        let start = unsafe { (*self.inner.get()).malloc(layout.size(), layout.align()) };
        if !start.is_null() {
            self.count(layout.size(), 0);
        }
        start
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see above.
        let start = unsafe { (*self.inner.get()).calloc(layout.size(), layout.align()) };
        if !start.is_null() {
            self.count(layout.size(), 0);
        }
        start
    }

    #[inline]
    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        self.count(0, layout.size());
        // SAFETY: see above; the caller passes what `alloc` returned, with its layout.
        unsafe { (*self.inner.get()).free(start, layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: see above; the caller passes what `alloc` returned, with its layout.
        let start =
            unsafe { (*self.inner.get()).realloc(start, layout.size(), layout.align(), size) };
        if !start.is_null() {
            self.count(size, layout.size());
        }
        start
    }
}

/// Where dlmalloc gets its memory from.
struct Steps {
    gave_first: Cell<bool>,
}

impl Steps {
    /// What the linker left between the data and the end of the initial memory.
    fn first_chunk(&self) -> Option<(*mut u8, usize)> {
        unsafe extern "C" {
            static __heap_base: u8;
            static __heap_end: u8;
        }
        let start = (&raw const __heap_base).cast_mut();
        let bytes = (&raw const __heap_end as usize).saturating_sub(start as usize);
        (!self.gave_first.replace(true)).then_some((start, bytes))
    }

    fn grow(pages: usize) -> Option<(*mut u8, usize)> {
        let first = memory_grow(0, pages);
        if first == usize::MAX {
            return None;
        }
        let start = first * PAGE_BYTES;
        // The very last bytes of the address space stay unused, so that no pointer wraps.
        let bytes = (pages * PAGE_BYTES).min(0usize.wrapping_sub(start).wrapping_sub(16));
        Some((start as *mut u8, bytes))
    }
}

// SAFETY: the regions come from the linker (once) or from `memory.grow` and belong to nobody else; nothing is ever
// given back, and this says so.
unsafe impl Allocator for Steps {
    fn alloc(&self, bytes: usize) -> (*mut u8, usize, u32) {
        if let Some((start, length)) = self.first_chunk()
            && length >= bytes
        {
            return (start, length, 0);
        }
        let needed = bytes.div_ceil(PAGE_BYTES);
        let step = needed
            .max(memory_size(0) / STEP_DIVISOR)
            .max(MIN_STEP_PAGES);
        match Steps::grow(step).or_else(|| Steps::grow(needed)) {
            Some((start, length)) => (start, length, 0),
            None => (ptr::null_mut(), 0, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}
