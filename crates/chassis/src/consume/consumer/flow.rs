//! Whether consumer and executor have had nothing to do for a moment: without it, a partition that the client does
//! not fetch looks like one whose records wait behind those of others. Separate, as three threads are
//! involved.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What was seen since somebody last looked.
#[derive(Default)]
pub(crate) struct Flow {
    consumer_rested: AtomicBool,
    executor_rested: AtomicBool,
}

impl Flow {
    /// The client has nothing to give.
    pub(super) fn consumer_rests(&self) {
        self.consumer_rested.store(true, Relaxed);
    }

    /// The executor has nothing to do.
    pub(crate) fn executor_rests(&self) {
        self.executor_rested.store(true, Relaxed);
    }

    /// Whether both had nothing to do for a moment since the last look.
    pub(super) fn ran_dry(&self) -> bool {
        let consumer = self.consumer_rested.swap(false, Relaxed);
        let executor = self.executor_rested.swap(false, Relaxed);
        consumer && executor
    }
}
