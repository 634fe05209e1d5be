//! What tells a service's parts to stop: one token over all of them, and a child of it for each step of an
//! orderly stop, as the steps follow each other and a parent's children are cancelled at once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The tokens. Whatever still runs when this is dropped is told to stop, on every path out of the service.
pub(super) struct Stop {
    all: CancellationToken,
    /// Callers are served, and told to go elsewhere next time.
    pub(super) leaving: CancellationToken,
    /// Nothing is accepted any more, and nobody looks for what becomes due.
    pub(super) accepting: CancellationToken,
    pub(super) fetching: CancellationToken,
    pub(super) publishing: CancellationToken,
}

impl Stop {
    pub(super) fn new() -> Self {
        let all = CancellationToken::new();
        Stop {
            leaving: all.child_token(),
            accepting: all.child_token(),
            fetching: all.child_token(),
            publishing: all.child_token(),
            all,
        }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.all.cancel();
    }
}

/// How much of the time that a stop may take is for each of its steps that may hang.
pub(super) fn share(shutdown: Duration) -> Duration {
    shutdown / 5
}
