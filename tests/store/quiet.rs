//! Panics that are expected and caught, without their noise on stderr.

use std::cell::{Cell, RefCell};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `f` with the messages of this thread's panics left out. A panic that comes out of it is an error that says what
/// it said and where.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if QUIET.get() {
                LAST.set(info.to_string());
            } else {
                loud(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let out = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    QUIET.set(before);
    out.map_err(|_| LAST.take())
}
