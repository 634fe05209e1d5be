//! Shows what the benchmark is doing, on a terminal; nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over the seconds of a measurement.
pub struct Progress {
    bar: ProgressBar,
    completed: u64,
}

impl Progress {
    /// Draws on stderr, so that the report can be redirected.
    pub fn new(seconds: f64) -> Self {
        let style = ProgressStyle::with_template("{prefix:8} {wide_bar} {pos:>3}/{len}s  {msg}");
        let bar = ProgressBar::new(seconds.ceil() as u64)
            .with_style(style.expect("the template is well formed"));
        Progress { bar, completed: 0 }
    }

    /// Says what is going on, and how many orders were completed and are outstanding; called every
    /// `interval`.
    pub fn show(
        &mut self,
        phase: &'static str,
        elapsed: Duration,
        interval: Duration,
        (completed, outstanding): (u64, u64),
    ) {
        let rate = (completed - self.completed) as f64 / interval.as_secs_f64();
        self.completed = completed;
        self.bar.set_prefix(phase);
        self.bar.set_position(elapsed.as_secs());
        self.bar.set_message(format!("{rate:.0} orders/s, {outstanding} under way"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
