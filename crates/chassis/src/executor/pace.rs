//! Pacing: nothing waits while there is little to do, and as a loop gets busy it pauses for some
//! milliseconds, so that fewer and larger rounds do the same work. A transaction and a produce request
//! cost hundreds of microseconds each, however little they carry.
//!
//! How long depends on what waiting is worth. Where inputs come from many sides, a pause gathers them.
//! Where they come as the batches of one other service, they are all there at once, and whoever
//! published them has waited already. It also depends on how many do the same: a pause saves work in
//! Postgres and Kafka, which see the rounds of all replicas together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Below this share of time spent working nothing waits.
const CALM: f64 = 0.15;
/// From this share on a pause is as long as it gets.
const BUSY: f64 = 0.6;
/// How far back the share looks.
const MEMORY: Duration = Duration::from_millis(50);
/// How much of the known gain is kept with every pause.
const GAIN_KEPT: f64 = 0.8;
/// A pause that gathers this share of a round is worth its whole length.
const GAIN_ENOUGH: f64 = 0.5;
/// However little they gain, pauses do not get shorter than this share of their length, or nobody
/// would notice that they would gain more now.
const PROBE: f64 = 0.1;
/// A large round gains little by being larger: it waits for no more than this share.
const LARGE_WAITS: f64 = 0.25;
/// Beyond this many replicas pauses get no longer, for the sake of those who wait.
const REPLICAS_MAX: usize = 4;
/// The timer's resolution. A shorter pause would take as long.
const SHORTEST: Duration = Duration::from_millis(1);

/// How many replicas of the service there are, as far as this one knows.
#[derive(Clone, Debug)]
pub(crate) struct Replicas(Arc<AtomicUsize>);

impl Default for Replicas {
    fn default() -> Self {
        Replicas(Arc::new(AtomicUsize::new(1)))
    }
}

impl Replicas {
    pub(crate) fn set(&self, replicas: usize) {
        self.0.store(replicas.max(1), Relaxed);
    }

    /// Whether there are any others.
    pub(crate) fn are_several(&self) -> bool {
        self.get() > 1
    }

    fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Watches how busy a loop is, and what its pauses gain.
pub(crate) struct Pace {
    longest: Duration,
    replicas: Replicas,
    /// The size of a large round, in the loop's unit.
    large: usize,
    busy: f64,
    /// The share of a round that came while the loop paused for it.
    gain: f64,
    /// The size of the last round that waited.
    size: usize,
    round_started: Instant,
    round_ended: Instant,
}

impl Pace {
    /// For a loop that pauses for no longer than `longest` when it is the only one, and whose rounds are
    /// large from a size of `large` on.
    pub(crate) fn new(longest: Duration, large: usize, replicas: Replicas) -> Self {
        let now = Instant::now();
        let (busy, gain, size) = (0.0, 1.0, 0);
        Pace { longest, replicas, large, busy, gain, size, round_started: now, round_ended: now }
    }

    /// A round of work begins.
    pub(crate) fn begin(&mut self) {
        self.round_started = Instant::now();
        self.blend(0.0, self.round_started - self.round_ended);
    }

    /// The round is done.
    pub(crate) fn end(&mut self) {
        self.round_ended = Instant::now();
        self.blend(1.0, self.round_ended - self.round_started);
    }

    /// How long to let work gather before the next round.
    pub(crate) fn pause(&self) -> Duration {
        let busy = self.busy * decay(self.round_ended.elapsed());
        let load = ((busy - CALM) / (BUSY - CALM)).clamp(0.0, 1.0);
        let worth = (self.gain / GAIN_ENOUGH).clamp(PROBE, 1.0);
        let room = (1.0 - self.size as f64 / self.large as f64).max(LARGE_WAITS);
        let replicas = self.replicas.get().min(REPLICAS_MAX) as f64;
        let pause = self.longest.mul_f64(load * worth * room * replicas);
        if pause < SHORTEST { Duration::ZERO } else { pause }
    }

    /// What a pause gained: how much waited before it and after it.
    pub(crate) fn gathered(&mut self, before: usize, after: usize) {
        let gain = after.saturating_sub(before) as f64 / after.max(1) as f64;
        self.gain = self.gain * GAIN_KEPT + gain * (1.0 - GAIN_KEPT);
        self.size = after;
    }

    fn blend(&mut self, value: f64, time: Duration) {
        let kept = decay(time);
        self.busy = self.busy * kept + value * (1.0 - kept);
    }
}

fn decay(time: Duration) -> f64 {
    (-time.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(1_000);

    /// A loop whose last round has just ended.
    fn pace(busy: f64, gain: f64, size: usize) -> Pace {
        Pace { busy, gain, size, ..Pace::new(LONGEST, 100, Replicas::default()) }
    }

    #[test]
    fn nothing_waits_while_there_is_little_to_do() {
        assert_eq!(pace(0.0, 1.0, 0).pause(), Duration::ZERO);
        assert_eq!(pace(CALM, 1.0, 1).pause(), Duration::ZERO);
    }

    #[test]
    fn a_busy_loop_waits_and_less_for_rounds_that_are_large_already() {
        let pauses = [1, 50, 100].map(|size| pace(1.0, 1.0, size).pause());
        assert!(pauses[0] > pauses[1] && pauses[1] > pauses[2], "{pauses:?}");
        assert!(pauses[2] >= LONGEST.mul_f64(LARGE_WAITS * 0.9), "{pauses:?}");
    }

    #[test]
    fn of_several_replicas_each_waits_for_so_much_longer_up_to_a_limit() {
        let pace = pace(1.0, 1.0, 1);
        let alone = pace.pause();
        for (replicas, times) in [(0, 1.0), (1, 1.0), (3, 3.0), (4, 4.0), (100, 4.0)] {
            pace.replicas.set(replicas);
            let ratio = pace.pause().as_secs_f64() / alone.as_secs_f64();
            assert!((ratio / times - 1.0).abs() < 0.1, "{ratio} with {replicas}");
        }
    }

    #[test]
    fn pauses_that_bring_nothing_get_short_and_long_again_when_they_do() {
        let mut pace = pace(1.0, 1.0, 1);
        let whole = pace.pause();
        (0..20).for_each(|_| pace.gathered(7, 7));
        let short = pace.pause();
        assert!(short < whole / 5 && short > Duration::ZERO, "{short:?} of {whole:?}");
        (0..20).for_each(|_| pace.gathered(2, 7));
        assert!(pace.pause() > short * 5);
    }
}
