//! An allocator that counts, per thread: tests say how much a damaged file may make us allocate.
#![expect(unsafe_code, reason = "an allocator cannot be written without; it only counts and hands on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[derive(Clone, Copy)]
struct Count {
    held: isize,
    peak: isize,
    largest: usize,
}

thread_local! {
    static COUNT: Cell<Count> = const { Cell::new(Count { held: 0, peak: 0, largest: 0 }) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn change(allocated: usize, freed: usize) {
    // A thread that is ending has nobody to tell.
    let _ = COUNT.try_with(|cell| {
        let mut c = cell.get();
        c.held += allocated as isize - freed as isize;
        c.peak = c.peak.max(c.held);
        c.largest = c.largest.max(allocated);
        cell.set(c);
    });
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a plain cell and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        change(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        change(layout.size(), 0);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        change(size, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        change(0, layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// What this thread allocated meanwhile, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Allocated {
    /// Largest single allocation.
    pub(crate) largest: u64,
    /// Most that was held at once, beyond what was held before.
    pub(crate) peak: u64,
}

/// Runs `f` and says what it allocated on this thread.
pub(crate) fn measured<T>(f: impl FnOnce() -> T) -> (T, Allocated) {
    let before = COUNT.get();
    COUNT.set(Count { held: before.held, peak: before.held, largest: 0 });
    let out = f();
    let after = COUNT.get();
    (out, Allocated { largest: after.largest as u64, peak: (after.peak - before.held) as u64 })
}
