//! A size-class allocator for the small objects of one table.
//!
//! ```text
//!   places[c] -> class --+-- free ----> object -> object -> (null)      given back, reused first
//!                        +-- next..end  the untouched rest of the newest page
//!                        +-- pages      every page of this class
//!                        +-- live       objects in use
//! ```
//!
//! - Objects carry no header: the caller passes the size again when it frees.
//! - Classes step by 4 bytes to 128, by 8 to 512, by 16 to 1024, by 32 to [`MAX_SMALL`]; larger requests go to the
//!   global allocator. So do all of a slab without pages: for a dozen objects pages would be mostly empty.
//! - The first page of a class is small and pages grow slowly up to [`PAGE_BYTES`], so a small table costs little.
//! - A class returns its pages when its last object is freed, unless they are few. One live object keeps them all.
//! - An object in a page is aligned to the largest power of two that divides its [`footprint`], from [`ALIGN`] to [`LINE`].
//!
//! Invariants: `allocated` is the sum of the footprints of all live objects; `page_bytes` is the sum of the page
//! sizes; a free object's first word links to the next one and nothing else refers to it.

use core::alloc::Layout;
use core::ptr::{self, NonNull};
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Least alignment of an object, in bytes.
pub const ALIGN: usize = 4;
/// Largest size in bytes served from pages.
pub const MAX_SMALL: usize = 2048;
/// Greatest alignment of an object: a cache line, in bytes.
pub const LINE: usize = 64;
/// Size in bytes of a full page; a page holds a whole number of objects, so it may be slightly smaller.
pub const PAGE_BYTES: usize = 16 * 1024;

/// A page never starts smaller than this (in bytes) unless one object is larger.
const FIRST_PAGE_BYTES: usize = 128;
/// Every so many pages of a class their size doubles: no page is larger than about a quarter of those before it.
const EQUAL_PAGES: usize = 4;
/// A class that becomes unused keeps so many pages, some 64 KiB, for its next objects.
const KEEP_PAGES: usize = 28;
/// A free object holds the link to the next one, so nothing is smaller than a pointer.
const MIN_SMALL: usize = size_of::<*mut u8>();
/// Requests above [`MAX_SMALL`] are rounded up to this many bytes.
const LARGE_STEP: usize = 32;

const FINE_END: usize = 128;
const MIDDLE_END: usize = 512;
const COARSE_END: usize = 1024;
const FINE_CLASSES: usize = FINE_END / 4;
const MIDDLE_CLASSES: usize = FINE_CLASSES + (MIDDLE_END - FINE_END) / 8;
const COARSE_CLASSES: usize = MIDDLE_CLASSES + (COARSE_END - MIDDLE_END) / 16;
const CLASSES: usize = COARSE_CLASSES + (MAX_SMALL - COARSE_END) / LARGE_STEP;

/// The class of a small size: 0 serves 1 to 4 bytes, the next 5 to 8, and so on.
#[inline]
const fn class_of(size: usize) -> usize {
    let last = size - 1;
    if size <= FINE_END {
        last / 4
    } else if size <= MIDDLE_END {
        FINE_CLASSES + (last - FINE_END) / 8
    } else if size <= COARSE_END {
        MIDDLE_CLASSES + (last - MIDDLE_END) / 16
    } else {
        COARSE_CLASSES + (last - COARSE_END) / LARGE_STEP
    }
}

/// The bytes an allocation of `size` really takes. Two sizes with equal footprints are interchangeable: an object may
/// change between them in place.
#[inline]
pub const fn footprint(size: usize) -> usize {
    if size <= MIN_SMALL {
        MIN_SMALL
    } else if size <= FINE_END {
        (size + 3) & !3
    } else if size <= MIDDLE_END {
        (size + 7) & !7
    } else if size <= COARSE_END {
        (size + 15) & !15
    } else {
        size.saturating_add(LARGE_STEP - 1) & !(LARGE_STEP - 1)
    }
}

struct Class {
    free: *mut u8,
    next: *mut u8,
    end: *mut u8,
    live: usize,
    pages: Vec<NonNull<u8>>,
    /// The size of its objects.
    bytes: usize,
}

impl Class {
    const fn empty(bytes: usize) -> Class {
        Class {
            free: ptr::null_mut(),
            next: ptr::null_mut(),
            end: ptr::null_mut(),
            live: 0,
            pages: Vec::new(),
            bytes,
        }
    }

    fn list_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<NonNull<u8>>()
    }
}

/// In `Classes::places`: no object of this class was ever needed.
const UNUSED: u8 = u8::MAX;

struct Classes {
    /// Where in `list` a class is.
    places: [u8; CLASSES],
    /// The classes used so far, in the order of their first use.
    list: Vec<Class>,
}

impl Classes {
    #[inline]
    fn get(&mut self, bytes: usize) -> Option<&mut Class> {
        let place = self.places.get(class_of(bytes))?;
        self.list.get_mut(usize::from(*place))
    }

    /// The class of objects of this size, used from now on.
    fn get_or_add(&mut self, bytes: usize) -> &mut Class {
        let place = &mut self.places[class_of(bytes)];
        if *place == UNUSED {
            *place = self.list.len() as u8;
            self.list.push(Class::empty(bytes));
        }
        &mut self.list[usize::from(*place)]
    }
}

/// The allocator; a value, owned by the structure whose objects it holds. An empty slab has allocated nothing.
///
/// Dropping it releases its pages. Objects outside of them are not tracked: the owner frees those first.
pub struct Slab {
    /// None: every object is an allocation of its own.
    classes: Option<Box<Classes>>,
    allocated: usize,
    page_bytes: usize,
    /// Of objects that are allocations of their own.
    single_bytes: usize,
    /// Of what [`Slab::alloc_aside`] made.
    aside_bytes: usize,
    /// Of the slab's own lists.
    list_bytes: usize,
}

impl Slab {
    /// An empty slab without pages, the cheapest for few objects: each will be an allocation of its own. O(1), no
    /// allocation.
    pub const fn new() -> Slab {
        Slab {
            classes: None,
            allocated: 0,
            page_bytes: 0,
            single_bytes: 0,
            aside_bytes: 0,
            list_bytes: 0,
        }
    }

    /// An empty slab with pages. O(1).
    pub fn paged() -> Slab {
        let classes = Classes {
            places: [UNUSED; CLASSES],
            list: Vec::new(),
        };
        Slab {
            classes: Some(Box::new(classes)),
            list_bytes: size_of::<Classes>(),
            ..Slab::new()
        }
    }

    /// Whether small objects come from pages.
    pub fn is_paged(&self) -> bool {
        self.classes.is_some()
    }

    /// Bytes of all live objects, each counted with its [`footprint`].
    pub fn allocated_bytes(&self) -> usize {
        self.allocated
    }

    /// Bytes of all pages held, used or not.
    pub fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    /// Everything held: pages, objects outside of pages, and the slab's own lists. O(1).
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        self.page_bytes + self.single_bytes + self.aside_bytes + self.list_bytes
    }

    /// Memory for `size` bytes, uninitialised. O(1). An absurd size ends like one for which there is no memory.
    #[inline]
    pub fn alloc(&mut self, size: usize) -> NonNull<u8> {
        let bytes = footprint(size);
        self.allocated += bytes;
        if bytes <= MAX_SMALL
            && let Some(classes) = &mut self.classes
            && let Some(class) = classes.get(bytes)
        {
            if let Some(object) = NonNull::new(class.free) {
                // SAFETY: a free object is at least a pointer long and holds the link written by `free`.
                class.free = unsafe { object.cast::<*mut u8>().read_unaligned() };
                class.live += 1;
                return object;
            }
            if class.next < class.end {
                // SAFETY: `next` is inside a page and not null; the page holds a whole number of objects, so
                // `next + bytes` is at most `end`.
                unsafe {
                    let object = NonNull::new_unchecked(class.next);
                    class.next = class.next.add(bytes);
                    class.live += 1;
                    return object;
                }
            }
        }
        self.alloc_new(bytes)
    }

    /// Gives an object back. O(1).
    ///
    /// # Safety
    /// `object` came from [`Slab::alloc`] of this slab for a size with the same [`footprint`] as `size`, has not been
    /// freed since, and is not used afterwards.
    #[inline]
    pub unsafe fn free(&mut self, object: NonNull<u8>, size: usize) {
        let bytes = footprint(size);
        self.allocated -= bytes;
        if bytes <= MAX_SMALL
            && let Some(classes) = &mut self.classes
        {
            if let Some(class) = classes.get(bytes) {
                // SAFETY: the object is ours again, at least a pointer long, and nobody else refers to it.
                unsafe { object.cast::<*mut u8>().write_unaligned(class.free) };
                class.free = object.as_ptr();
                class.live -= 1;
                if class.live == 0 && class.pages.len() > KEEP_PAGES {
                    self.release_class(bytes);
                }
            }
            return;
        }
        self.single_bytes -= bytes;
        // SAFETY: the caller gives back what `alloc_new` made with this very layout.
        unsafe { dealloc(object.as_ptr(), layout(bytes, ALIGN)) };
    }

    /// Whether any object is an allocation of its own.
    pub fn has_singles(&self) -> bool {
        self.single_bytes != 0
    }

    /// Memory beside the pages that is counted as an object, aligned to a [`LINE`]. `size` is not 0.
    pub fn alloc_aside(&mut self, size: usize) -> NonNull<u8> {
        self.allocated += size;
        self.aside_bytes += size;
        allocate(layout(size, LINE))
    }

    /// Gives such memory back.
    ///
    /// # Safety
    /// `object` came from [`Slab::alloc_aside`] of this slab for this size, has not been freed since, and is not used
    /// afterwards.
    pub unsafe fn free_aside(&mut self, object: NonNull<u8>, size: usize) {
        self.allocated -= size;
        self.aside_bytes -= size;
        // SAFETY: this is the layout it was allocated with.
        unsafe { dealloc(object.as_ptr(), layout(size, LINE)) };
    }

    /// An object for which there is no room yet.
    #[cold]
    #[inline(never)]
    fn alloc_new(&mut self, bytes: usize) -> NonNull<u8> {
        let Some(classes) = self.classes.as_mut().filter(|_| bytes <= MAX_SMALL) else {
            self.single_bytes += bytes;
            return allocate(layout(bytes, ALIGN));
        };
        let before = classes.list.capacity();
        let class = classes.get_or_add(bytes);
        let list_before = class.list_bytes();
        let layout = page_layout(bytes, class.pages.len());
        let start = allocate(layout);
        class.pages.push(start);
        class.live += 1;
        // SAFETY: the page is at least one object long.
        unsafe {
            class.next = start.as_ptr().add(bytes);
            class.end = start.as_ptr().add(layout.size());
        }
        self.page_bytes += layout.size();
        self.list_bytes += class.list_bytes() - list_before;
        self.list_bytes += (classes.list.capacity() - before) * size_of::<Class>();
        start
    }

    /// Returns the pages of a class without live objects. O(pages of the class).
    #[cold]
    #[inline(never)]
    fn release_class(&mut self, bytes: usize) {
        let Some(class) = self.classes.as_mut().and_then(|classes| classes.get(bytes)) else {
            return;
        };
        let class = core::mem::replace(class, Class::empty(bytes));
        debug_assert_eq!(class.live, 0);
        self.list_bytes -= class.list_bytes();
        for (index, start) in class.pages.into_iter().enumerate() {
            let layout = page_layout(bytes, index);
            self.page_bytes -= layout.size();
            // SAFETY: this is the layout the page was allocated with, and nothing refers to the page any more: no
            // object of it is live, and the class forgot its free ones.
            unsafe { dealloc(start.as_ptr(), layout) };
        }
    }
}

impl Default for Slab {
    fn default() -> Slab {
        Slab::new()
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        let classes = self.classes.iter().flat_map(|classes| &classes.list);
        for class in classes {
            for (page, start) in class.pages.iter().enumerate() {
                // SAFETY: this is the layout the page was allocated with, and whoever drops the slab no longer uses
                // its objects.
                unsafe { dealloc(start.as_ptr(), page_layout(class.bytes, page)) };
            }
        }
    }
}

// SAFETY: the slab owns its pages and hands out plain memory; nothing is tied to the thread that made it.
unsafe impl Send for Slab {}

/// The layout of a class's page with this index. A page holds a whole number of objects.
fn page_layout(bytes: usize, index: usize) -> Layout {
    let doublings = (index / EQUAL_PAGES).min(16);
    let wanted = (FIRST_PAGE_BYTES << doublings).clamp(bytes, PAGE_BYTES);
    let align = (1 << bytes.trailing_zeros()).min(LINE);
    layout(wanted / bytes * bytes, align)
}

/// A layout the size of which overflows is an allocation that cannot succeed.
fn layout(bytes: usize, align: usize) -> Layout {
    match Layout::from_size_align(bytes, align) {
        Ok(layout) => layout,
        Err(_) => handle_alloc_error(Layout::new::<u64>()),
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no layout made here has size zero.
    match NonNull::new(unsafe { alloc(layout) }) {
        Some(start) => start,
        None => handle_alloc_error(layout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_each_other_without_gaps() {
        let mut previous = class_of(1);
        for size in 2..=MAX_SMALL {
            let class = class_of(size);
            assert!(class == previous || class == previous + 1, "size {size}");
            assert_eq!(class_of(footprint(size)), class.max(class_of(MIN_SMALL)));
            assert!(footprint(size) >= size);
            previous = class;
        }
        assert_eq!(previous + 1, CLASSES);
        assert_eq!(footprint(MAX_SMALL + 1), MAX_SMALL + LARGE_STEP);
    }

    #[test]
    fn an_empty_slab_holds_nothing_and_a_small_one_little() {
        let mut slab = Slab::new();
        assert_eq!(slab.memory_bytes(), 0);
        slab = Slab::paged();
        for (size, align) in [(12, 4), (40, 8), (LINE * 3, LINE), (1024, LINE)] {
            for _ in 0..40 {
                assert_eq!(slab.alloc(size).as_ptr() as usize % align, 0);
            }
        }
        slab = Slab::paged();
        let object = slab.alloc(36);
        assert!(slab.memory_bytes() < 640, "{}", slab.memory_bytes());
        assert_eq!(slab.allocated_bytes(), 36);
        // SAFETY: allocated above with this size and not used again.
        unsafe { slab.free(object, 35) };
        assert_eq!(slab.allocated_bytes(), 0);
    }

    #[test]
    fn objects_do_not_overlap_and_are_reused() {
        objects_do_not_overlap(Slab::new());
        objects_do_not_overlap(Slab::paged());
    }

    fn objects_do_not_overlap(mut slab: Slab) {
        let mut live: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        let mut expected = 0;
        let mut state = 1u32;
        let rounds = if cfg!(miri) { 300 } else { 20_000 };
        for round in 0..rounds {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = (state >> 8) as usize;
            if live.len() > 100 || (random & 3 == 0 && !live.is_empty()) {
                let (object, size, fill) = live.swap_remove(random % live.len());
                // SAFETY: the object is live and `size` bytes long.
                unsafe {
                    let bytes = core::slice::from_raw_parts(object.as_ptr(), size);
                    assert!(bytes.iter().all(|&byte| byte == fill));
                    slab.free(object, size);
                }
                expected -= footprint(size);
            } else {
                let size = 1 + random % if random & 64 == 0 { 3000 } else { 60 };
                let object = slab.alloc(size);
                assert_eq!(object.as_ptr() as usize % ALIGN, 0);
                // SAFETY: fresh memory of `size` bytes.
                unsafe { object.as_ptr().write_bytes(round as u8, size) };
                live.push((object, size, round as u8));
                expected += footprint(size);
            }
            assert_eq!(slab.allocated_bytes(), expected);
            assert!(slab.memory_bytes() >= expected);
        }
        for (object, size, _) in live {
            // SAFETY: each live object is freed once.
            unsafe { slab.free(object, size) };
        }
        assert_eq!(slab.allocated_bytes(), 0);
    }

    #[test]
    fn without_pages_only_what_lives_is_held() {
        let mut slab = Slab::new();
        let (small, large) = (slab.alloc(13), slab.alloc(4000));
        let aside = slab.alloc_aside(192);
        assert_eq!(aside.as_ptr() as usize % LINE, 0);
        assert_eq!(slab.memory_bytes(), 16 + 4000 + 192);
        assert_eq!(slab.allocated_bytes(), slab.memory_bytes());
        // SAFETY: each is freed once, with its size.
        unsafe {
            slab.free(small, 13);
            slab.free(large, 4000);
            slab.free_aside(aside, 192);
        }
        assert_eq!((slab.memory_bytes(), slab.allocated_bytes()), (0, 0));
    }

    #[test]
    fn an_unused_class_returns_its_pages() {
        let mut slab = Slab::paged();
        let kept = slab.alloc(40);
        let before = slab.memory_bytes();
        let objects: Vec<NonNull<u8>> = (0..20_000).map(|_| slab.alloc(28)).collect();
        assert!(slab.page_bytes() >= 20_000 * 28);
        for object in objects {
            // SAFETY: each object is freed once.
            unsafe { slab.free(object, 28) };
        }
        assert_eq!(slab.memory_bytes(), before);
        assert_eq!(slab.allocated_bytes(), 40);
        // SAFETY: the last live object.
        unsafe { slab.free(kept, 40) };
    }
}
