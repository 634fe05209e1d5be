//! The provider and the carrier inside a service, by the same rules, without a network: for small
//! installations, and to measure the fleet alone.
//!
//! What they remember lives as long as the process and is bounded, so the service's own rows are the
//! ledger of record. An order that is not remembered (after a restart, in another replica, or because
//! it is one of the oldest) is believed as the caller tells it. That is safe because nothing else
//! depends on the memory: an authorisation is a function of its token and amount, and a booking whose
//! outcome the service did not commit before it lost its memory has happened nowhere.

mod carrier;
mod provider;
mod recent;

pub use carrier::Carrier;
pub use provider::{Authorisation, Provider};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use self::recent::Recent;
use crate::carrier::OtherDestination;
use crate::manner::Manner;
use crate::payment::Refusal;

/// How fast the answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long every call takes.
    pub latency: Duration,
    /// How much longer the calls with slow test input take.
    pub slow: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { latency: Duration::ZERO, slow: Duration::from_millis(1_500) }
    }
}

/// A call without the outcome that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The outcome is unknown. Ask again, with the same call.
    #[error("no answer")]
    NoAnswer,
    /// The step was called before with other parameters: a bug of the caller.
    #[error("the step was called before with other parameters")]
    OtherCall,
    /// The state of the money does not allow the step: a bug of the caller.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The shipment was booked elsewhere: a bug of the caller.
    #[error(transparent)]
    OtherDestination(#[from] OtherDestination),
}

/// A step that was carried out, now or before.
struct Done<A> {
    answer: A,
    first: bool,
    manner: Manner,
}

/// The memory of one of the two, and the way every step takes through it.
#[derive(Debug)]
struct Desk<T> {
    timing: Timing,
    recent: Arc<Mutex<Recent<T>>>,
}

impl<T: Send + 'static> Desk<T> {
    fn new(timing: Timing) -> Self {
        Self { timing, recent: Arc::default() }
    }

    /// Looks at what is remembered of an order.
    fn look<R>(&self, order: Uuid, look: impl FnOnce(Option<&T>) -> R) -> R {
        look(self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(order))
    }

    /// Takes a step after its latency, and tells its answer as its manner has it. A slow step is taken
    /// in a task of its own, so that it is taken even if the caller gives up.
    async fn step<A: Send + 'static>(
        &self,
        manner: Manner,
        step: impl FnOnce(&mut Recent<T>) -> Result<Done<A>, Failure> + Send + 'static,
    ) -> Result<A, Failure> {
        if !self.timing.latency.is_zero() {
            tokio::time::sleep(self.timing.latency).await;
        }
        let recent = Arc::clone(&self.recent);
        let take = move || step(&mut recent.lock().unwrap_or_else(PoisonError::into_inner));
        let done = if manner == Manner::Slow {
            let slow = self.timing.slow;
            let slowly = tokio::spawn(async move {
                tokio::time::sleep(slow).await;
                take()
            });
            slowly.await.unwrap_or(Err(Failure::NoAnswer))?
        } else {
            take()?
        };
        match done.manner {
            Manner::LosesAnswer | Manner::FailsAfter if done.first => Err(Failure::NoAnswer),
            Manner::LosesAnswer | Manner::FailsAfter | Manner::Prompt | Manner::Slow => {
                Ok(done.answer)
            }
        }
    }
}

#[cfg(test)]
mod tests;
