//! What customers and operators call the state of an order. Coarser than the domain's state, so that
//! the saga can change inside without breaking a client: what an order waits for is told beside it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::State;

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderState)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Accepted; stock and payment have not both answered yet.
    Placed,
    /// Stock is reserved and payment authorised; the parcel is being dispatched.
    Confirmed,
    /// Shipping was asked whether the order can still be cancelled.
    CancellationRequested,
    /// The parcel is on its way; payment is being captured.
    Shipped,
    /// Delivered to the carrier and paid.
    Completed,
    /// Cancelled; what it held is being given back.
    Cancelling,
    /// Cancelled, and everything it held has been given back.
    Cancelled,
    /// Sent back by the customer; goods and money are on their way back.
    Returning,
    /// Sent back, refunded and in stock again.
    Returned,
}

impl Phase {
    /// As it stands in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Placed => "placed",
            Phase::Confirmed => "confirmed",
            Phase::CancellationRequested => "cancellation_requested",
            Phase::Shipped => "shipped",
            Phase::Completed => "completed",
            Phase::Cancelling => "cancelling",
            Phase::Cancelled => "cancelled",
            Phase::Returning => "returning",
            Phase::Returned => "returned",
        }
    }
}

impl From<&State> for Phase {
    fn from(state: &State) -> Self {
        match state {
            State::AwaitingBoth | State::AwaitingStock | State::AwaitingPayment => Phase::Placed,
            State::Confirmed => Phase::Confirmed,
            State::CancellationRequested { .. } => Phase::CancellationRequested,
            State::Shipped => Phase::Shipped,
            State::Completed => Phase::Completed,
            State::Cancelling { .. } => Phase::Cancelling,
            State::Cancelled { .. } => Phase::Cancelled,
            State::ReturningBoth | State::ReturningGoods | State::ReturningMoney => {
                Phase::Returning
            }
            State::Returned => Phase::Returned,
        }
    }
}
