//! A carrier in the process, for tests and for measuring the fleet alone. It has the rules of the
//! simulator and remembers for a while which of a booking and its cancellation came first. After a
//! restart, and in another replica, it does not: then the answer that is committed first counts, and
//! the service's own row says which.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::{OrderId, RefusalReason};
use sandbox::carrier::{Parcel, Reason, RefusedCall, manner, tracking_code};
use sandbox::conduct::Settings;
use sandbox::manner::Manner;
use sandbox::recent::Recent;

use super::NAME;
use crate::domain::{self, Call};
use crate::shipments::{Input, Shipments};

/// A carrier without parcels.
#[derive(Debug, Default)]
pub struct InProcess {
    parcels: Mutex<Recent<Parcel>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("the answer is lost, as the test destination wants it")]
    Lost,
    #[error("a server error, as the test destination wants it")]
    Failed,
}

impl InProcess {
    /// Takes a step from what is known of the parcel to what becomes of it. Also returns whether nothing
    /// was known before.
    fn step(
        &self,
        order: OrderId,
        step: impl FnOnce(Option<&Parcel>) -> Result<Parcel, RefusedCall>,
    ) -> Result<(Parcel, bool), Unanswered> {
        let mut parcels = self.parcels.lock().unwrap_or_else(PoisonError::into_inner);
        let known = parcels.get(order.0);
        let first = known.is_none();
        let parcel = step(known.as_deref()).map_err(Unanswered::refused)?;
        if first {
            parcels.put(order.0, parcel.clone());
        }
        Ok((parcel, first))
    }

    async fn book(&self, order: OrderId, destination: &str) -> Result<Parcel, Unanswered> {
        let manner = manner(destination);
        if manner == Manner::Slow && !self.knows(order) {
            tokio::time::sleep(Settings::default().slow()).await;
        }
        let (parcel, first) = self.step(order, |known| Parcel::book(known, destination))?;
        match manner {
            Manner::LosesAnswer if first => Err(Unanswered::new(Why::Lost)),
            Manner::FailsAfter if first => Err(Unanswered::new(Why::Failed)),
            Manner::Prompt | Manner::Slow | Manner::LosesAnswer | Manner::FailsAfter => Ok(parcel),
        }
    }

    fn knows(&self, order: OrderId) -> bool {
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).get(order.0).is_some()
    }
}

impl Outside<Shipments> for InProcess {
    const NAME: &'static str = NAME;

    async fn call(&self, call: Call, _age: Duration) -> Result<Input, Unanswered> {
        let order = call.order();
        let parcel = match call {
            Call::Book { destination, .. } => self.book(order, &destination).await?,
            // Never slow, so that it can overtake a slow booking.
            Call::Cancel { .. } => self.step(order, |known| Ok(Parcel::cancel(known)))?.0,
        };
        Ok(Input::to(order, outcome(order, &parcel)))
    }
}

fn outcome(order: OrderId, parcel: &Parcel) -> domain::Input {
    let refused = |reason| domain::Input::Refused { reason };
    match parcel {
        Parcel::Dispatched { .. } => domain::Input::Dispatched { tracking: tracking_code(order.0) },
        Parcel::Refused { reason: Reason::DestinationNotServed, .. } => {
            refused(RefusalReason::DestinationNotServed)
        }
        Parcel::Refused { reason: Reason::GoodsNotAccepted, .. } => {
            refused(RefusalReason::GoodsNotAccepted)
        }
        Parcel::Cancelled => domain::Input::Cancelled,
    }
}
