//! What customers and operators call the state of an order. Coarser than the domain's state, so that
//! the saga can change inside without breaking a client: what an order waits for is shown beside it.

use crate::domain::State;

chassis::words! {
    /// How far an order is.
    #[schema(as = OrderState)]
    pub(crate) enum Phase {
        /// Accepted; stock and payment have not both answered yet.
        Placed = "placed";
        /// Stock is reserved and payment authorized; the parcel is being dispatched.
        Confirmed = "confirmed";
        /// Shipping was asked whether the order can still be cancelled.
        CancellationRequested = "cancellation_requested";
        /// The parcel is on its way; payment is being captured.
        Shipped = "shipped";
        /// Delivered to the carrier and paid.
        Completed = "completed";
        /// Cancelled; what it held is being given back.
        Cancelling = "cancelling";
        /// Cancelled, and everything it held has been given back.
        Cancelled = "cancelled";
        /// Sent back by the customer; goods and money are on their way back.
        Returning = "returning";
        /// Sent back, refunded and in stock again.
        Returned = "returned";
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
