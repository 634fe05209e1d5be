//! Pacing: nothing waits while there is little to do, and as a loop gets busy it pauses for a few
//! milliseconds, so that fewer and larger rounds do the same work. A transaction and a produce request
//! cost hundreds of microseconds each, however little they carry.

use std::time::{Duration, Instant};

/// The longest pause. A happy order passes ten transactions and as many flushes one after another, so a
/// longer one adds up. Under full load 8 ms took a seventh of the CPU per order off what 5 ms left, and
/// orders ended sooner for it.
const PAUSE_MAX: Duration = Duration::from_millis(8);
/// Below this share of time spent working, nothing is gained by waiting. At a fifth, orders waited at
/// 50 a second already.
const CALM: f64 = 0.3;
/// How far back the share looks.
const MEMORY: Duration = Duration::from_millis(50);

/// Watches how busy a loop is.
pub(crate) struct Pace {
    busy: f64,
    round_started: Instant,
    round_ended: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Pace { busy: 0.0, round_started: now, round_ended: now }
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
        let calm = self.busy * decay(self.round_ended.elapsed());
        PAUSE_MAX.mul_f64(((calm - CALM) / (1.0 - CALM)).clamp(0.0, 1.0))
    }

    fn blend(&mut self, value: f64, time: Duration) {
        let kept = decay(time);
        self.busy = self.busy * kept + value * (1.0 - kept);
    }
}

fn decay(time: Duration) -> f64 {
    (-time.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}
