//! How well the simulator behaves: its latency, and the share of calls that it refuses or leaves
//! without an answer. Drawn from a seed, so that a run can be repeated, and changed while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How well the simulator behaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// How long every call takes before it is carried out.
    pub latency_ms: u64,
    /// How much longer the calls with slow test input take.
    pub slow_ms: u64,
    /// The share of calls that are answered 503 and not carried out, from 0 to 1.
    pub failure_rate: f64,
    /// The share of calls that are carried out and not answered, from 0 to 1.
    pub lose_answer_rate: f64,
    /// How long a call that gets no answer is kept waiting. Longer than any caller waits.
    pub hold_ms: u64,
    /// How long idempotency keys are known.
    pub key_memory_ms: u64,
    /// How long it takes until a payment can be found by its order.
    pub search_lag_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            slow_ms: 1_500,
            failure_rate: 0.0,
            lose_answer_rate: 0.0,
            hold_ms: 120_000,
            key_memory_ms: DAY_MS,
            search_lag_ms: 0,
        }
    }
}

/// A change of some settings; the others stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// See [`Settings::latency_ms`].
    pub latency_ms: Option<u64>,
    /// See [`Settings::slow_ms`].
    pub slow_ms: Option<u64>,
    /// See [`Settings::failure_rate`].
    pub failure_rate: Option<f64>,
    /// See [`Settings::lose_answer_rate`].
    pub lose_answer_rate: Option<f64>,
    /// See [`Settings::hold_ms`].
    pub hold_ms: Option<u64>,
    /// See [`Settings::key_memory_ms`].
    pub key_memory_ms: Option<u64>,
    /// See [`Settings::search_lag_ms`].
    pub search_lag_ms: Option<u64>,
}

/// The longest time that can be set. Anything over an hour is a forgotten setting, not a test.
const LONGEST_MS: u64 = 3_600_000;
/// How long a key is known by the public convention, and the longest that can be set.
const DAY_MS: u64 = 86_400_000;

/// A setting that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// A share must be from 0 to 1.
    #[error("{0} must be between 0 and 1")]
    Rate(&'static str),
    /// A time must not exceed its limit.
    #[error("{name} must be at most {longest}")]
    Time {
        /// Which.
        name: &'static str,
        /// Its longest.
        longest: u64,
    },
}

impl Settings {
    /// The settings after a change, unless it makes no sense.
    pub fn changed(self, change: Change) -> Result<Self, InvalidSetting> {
        let settings = Self {
            latency_ms: change.latency_ms.unwrap_or(self.latency_ms),
            slow_ms: change.slow_ms.unwrap_or(self.slow_ms),
            failure_rate: change.failure_rate.unwrap_or(self.failure_rate),
            lose_answer_rate: change.lose_answer_rate.unwrap_or(self.lose_answer_rate),
            hold_ms: change.hold_ms.unwrap_or(self.hold_ms),
            key_memory_ms: change.key_memory_ms.unwrap_or(self.key_memory_ms),
            search_lag_ms: change.search_lag_ms.unwrap_or(self.search_lag_ms),
        };
        let rates = [
            ("failure_rate", settings.failure_rate),
            ("lose_answer_rate", settings.lose_answer_rate),
        ];
        if let Some((name, _)) = rates.into_iter().find(|(_, rate)| !(0.0..=1.0).contains(rate)) {
            return Err(InvalidSetting::Rate(name));
        }
        let times = [
            ("latency_ms", settings.latency_ms, LONGEST_MS),
            ("slow_ms", settings.slow_ms, LONGEST_MS),
            ("hold_ms", settings.hold_ms, LONGEST_MS),
            ("search_lag_ms", settings.search_lag_ms, LONGEST_MS),
            ("key_memory_ms", settings.key_memory_ms, DAY_MS),
        ];
        match times.into_iter().find(|(_, time_ms, longest)| time_ms > longest) {
            Some((name, _, longest)) => Err(InvalidSetting::Time { name, longest }),
            None => Ok(settings),
        }
    }
}

/// The current settings, and the next random draw.
#[derive(Debug)]
pub struct Conduct {
    settings: RwLock<Settings>,
    seed: u64,
    calls: AtomicU64,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out and answered.
    Answered,
    /// It is answered 503 and not carried out.
    Refused,
    /// It is carried out and not answered.
    Unanswered,
}

impl Conduct {
    /// Behaves by `settings`; the draws follow from `seed`.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self { settings: RwLock::new(settings), seed, calls: AtomicU64::new(0) }
    }

    /// The current settings.
    pub fn settings(&self) -> Settings {
        // Settings are copied in and out whole, so a panic elsewhere cannot leave half of them.
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the settings from the next call on.
    pub fn change(&self, change: Change) -> Result<Settings, InvalidSetting> {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        *settings = settings.changed(change)?;
        Ok(*settings)
    }

    /// What becomes of the next call.
    pub fn draw(&self, settings: &Settings) -> Fate {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        // Each question has a draw of its own, or a high failure rate would leave no call that could
        // lose its answer.
        if share(self.seed, call * 2) < settings.failure_rate {
            Fate::Refused
        } else if share(self.seed, call * 2 + 1) < settings.lose_answer_rate {
            Fate::Unanswered
        } else {
            Fate::Answered
        }
    }
}

impl Settings {
    /// The latency of every call.
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    /// The further latency of calls with slow test input.
    pub fn slow(&self) -> Duration {
        Duration::from_millis(self.slow_ms)
    }

    /// How long an answer is held back.
    pub fn hold(&self) -> Duration {
        Duration::from_millis(self.hold_ms)
    }
}

/// The `n`th number of the seed, evenly between 0 (included) and 1 (not): the finaliser of SplitMix64,
/// which needs no state that callers would have to share.
fn share(seed: u64, n: u64) -> f64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    let high = u32::try_from(z >> 32).expect("32 bits are left");
    f64::from(high) / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::{Change, Conduct, Fate, InvalidSetting, LONGEST_MS, Settings};

    fn fates(seed: u64, failure_rate: f64, lose_answer_rate: f64) -> Vec<Fate> {
        let settings = Settings { failure_rate, lose_answer_rate, ..Settings::default() };
        let conduct = Conduct::new(settings, seed);
        (0..10_000).map(|_| conduct.draw(&settings)).collect()
    }

    fn count(fates: &[Fate], wanted: Fate) -> usize {
        fates.iter().filter(|fate| **fate == wanted).count()
    }

    #[test]
    fn the_shares_are_kept_and_follow_from_the_seed() {
        let drawn = fates(7, 0.2, 0.5);
        assert!((1_850..2_150).contains(&count(&drawn, Fate::Refused)));
        assert!((3_800..4_200).contains(&count(&drawn, Fate::Unanswered)));
        assert_eq!(drawn, fates(7, 0.2, 0.5));
        assert_ne!(drawn, fates(8, 0.2, 0.5));
    }

    #[test]
    fn nothing_and_everything_are_shares_too() {
        assert_eq!(count(&fates(1, 0.0, 0.0), Fate::Answered), 10_000);
        assert_eq!(count(&fates(1, 1.0, 0.0), Fate::Refused), 10_000);
        assert_eq!(count(&fates(1, 0.0, 1.0), Fate::Unanswered), 10_000);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_and_change_nothing() {
        let conduct = Conduct::new(Settings::default(), 0);
        for rate in [-0.1, 1.1, f64::NAN] {
            let change = Change { failure_rate: Some(rate), ..Change::default() };
            assert_eq!(conduct.change(change), Err(InvalidSetting::Rate("failure_rate")));
        }
        let change = Change { slow_ms: Some(u64::MAX), latency_ms: Some(5), ..Change::default() };
        assert_eq!(
            conduct.change(change),
            Err(InvalidSetting::Time { name: "slow_ms", longest: LONGEST_MS })
        );
        assert_eq!(conduct.settings(), Settings::default());
    }
}
