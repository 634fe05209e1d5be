//! The pauses between attempts at something that is away, the same for everybody who waits.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// Pauses that double from the first to the last. Each is cut by up to half at random: replicas that lost
/// the same server do not come back to it at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    settings: ExponentialBuilder,
    pauses: Option<<ExponentialBuilder as BackoffBuilder>::Backoff>,
}

impl Backoff {
    pub(crate) fn new(first: Duration, last: Duration) -> Self {
        // Its jitter adds up to as much again, also to the last pause.
        let settings = ExponentialBuilder::new()
            .with_min_delay(first / 2)
            .with_max_delay(last / 2)
            .with_jitter()
            .without_max_times();
        Backoff { settings, pauses: None }
    }

    /// Whether nothing has failed yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.pauses.is_none()
    }

    /// It worked: the next pause is the first again.
    pub(crate) fn reset(&mut self) {
        self.pauses = None;
    }

    /// How long to wait before the next attempt.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pauses = self.pauses.get_or_insert_with(|| self.settings.build());
        pauses.next().expect("the number of attempts is not limited")
    }

    /// Waits before the next attempt.
    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_last_and_are_cut_by_up_to_a_half() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(800));
        for most in [100, 200, 400, 800, 800, 800] {
            let pause = backoff.next_pause();
            let most = Duration::from_millis(most);
            assert!(most / 2 <= pause && pause <= most, "{pause:?} of {most:?}");
        }
        assert!(!backoff.is_fresh());
        backoff.reset();
        assert!(backoff.is_fresh() && backoff.next_pause() <= Duration::from_millis(100));
    }
}
