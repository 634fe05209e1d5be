//! Named windows in which a process or one of its parts may die, for tests that make that happen exactly
//! there. Without the feature `testing` there is nothing here.

/// Dies at once, without any cleaning up, when `FLOTILLA_CRASH_AT` names this window and it is passed
/// for the n-th time: `name:n`. Panics when `FLOTILLA_PANIC_AT` names it. Where a process has several services,
/// `payment/name` is the window of one of them.
#[cfg(feature = "testing")]
pub(crate) fn point(name: &'static str) {
    use crate::ops::logs;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let is_here = |window: &str| match window.split_once('/') {
        Some((service, window)) => window == name && logs::service() == Some(service),
        None => window == name,
    };
    let panics = std::env::var("FLOTILLA_PANIC_AT").is_ok_and(|window| is_here(&window));
    assert!(!panics, "told to panic at {name}");
    let Ok(armed) = std::env::var("FLOTILLA_CRASH_AT") else { return };
    let (window, times) = armed.split_once(':').unwrap_or((&armed, "1"));
    if is_here(window) && (PASSED.fetch_add(1, Relaxed) + 1).to_string() == times {
        tracing::error!("crashing at {name}, as told");
        std::process::abort();
    }
}

#[cfg(not(feature = "testing"))]
#[inline(always)]
pub(crate) fn point(_name: &'static str) {}
