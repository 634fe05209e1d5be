//! A carrier in the process, for small installations without parcels and for measuring the fleet
//! alone. It has the rules of the simulator and no ledger: when a booking and its cancellation meet,
//! the one whose answer is committed first is the truth, and the service's own row says which.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chassis::Unanswered;
use events::{OrderId, RefusalReason};
use sandbox::carrier::{Outcome, Reason, manner, outcome, tracking_code};
use sandbox::conduct::Settings;
use sandbox::manner::Manner;

use super::{Carrier, Shipment};

/// A carrier without parcels.
#[derive(Debug, Default)]
pub struct InProcess {
    /// The orders whose booking was made, with its answer lost, and not made again yet.
    lost: Mutex<HashSet<OrderId>>,
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
    /// Answers in the manner that a test destination asks for.
    async fn behave(&self, order: OrderId, manner: Manner) -> Result<(), Unanswered> {
        let why = match manner {
            Manner::Prompt => return Ok(()),
            Manner::Slow => {
                tokio::time::sleep(Settings::default().slow()).await;
                return Ok(());
            }
            Manner::LosesAnswer => Why::Lost,
            Manner::FailsAfter => Why::Failed,
        };
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        // It goes with the answer, so that the set holds open calls only.
        if lost.remove(&order) {
            return Ok(());
        }
        lost.insert(order);
        Err(Unanswered::new(why))
    }
}

impl Carrier for InProcess {
    async fn book(&self, order: OrderId, destination: &str) -> Result<Shipment, Unanswered> {
        self.behave(order, manner(destination)).await?;
        Ok(match outcome(destination) {
            Outcome::Accepted => Shipment::Dispatched { tracking: tracking_code(order.0) },
            Outcome::Refused(reason) => Shipment::Refused(match reason {
                Reason::DestinationNotServed => RefusalReason::DestinationNotServed,
                Reason::GoodsNotAccepted => RefusalReason::GoodsNotAccepted,
            }),
        })
    }

    /// Never slow, so that it can overtake a slow booking.
    async fn cancel(&self, _order: OrderId) -> Result<Shipment, Unanswered> {
        Ok(Shipment::Cancelled)
    }
}
