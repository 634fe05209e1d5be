//! What becomes of an order. Order hears the answers of inventory, payment and shipping and leads every
//! order to exactly one end. Pure: the clock, the callers and the database stay outside, so that a test
//! can take it through every possible order of events.

mod commands;
mod payment;
mod shipment;
mod stock;
mod waits;

use events::{
    CancelReason, CancellationCause, Money, OrderCancellationRequested, OrderCancelled,
    OrderCompensated, OrderCompleted, OrderConfirmed, OrderEvent, OrderId, OrderLine, OrderPlaced,
    OrderReturned, OrderShipped,
};

pub use waits::WaitsFor;

/// An order as it is accepted, with the fleet's prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub customer_id: String,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub destination: String,
    pub payment_token: String,
}

/// What later events say about an order. Fixed when it is placed, so not part of its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub id: OrderId,
    pub customer_id: String,
    pub total: Money,
    pub destination: String,
}

/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Placed; neither inventory nor payment has answered.
    AwaitingBoth,
    /// Payment is authorized.
    AwaitingStock,
    /// Stock is reserved.
    AwaitingPayment,
    /// Both said yes and shipping may dispatch. From here on shipping decides whether the order can
    /// still be cancelled.
    Confirmed,
    /// Shipping was asked, and answers or has answered.
    CancellationRequested { cause: CancellationCause },
    /// Dispatched: from here on the order only goes forward.
    Shipped,
    /// Dispatched and paid.
    Completed,
    /// Cancelled, until both have given back what they held.
    Cancelling { reason: CancelReason, stock: Hold, payment: Hold },
    /// Cancelled, and nothing is held.
    Cancelled { reason: CancelReason },
    /// Sent back after completion; goods and money are on their way.
    ReturningBoth,
    /// The money is back.
    ReturningGoods,
    /// The goods are back.
    ReturningMoney,
    /// Returned: the goods and the money are back.
    Returned,
}

/// What a participant holds for an order that was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It has not answered the order yet.
    Unknown,
    Held,
    /// It refused, or has given it back.
    Free,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    // Inventory's answers.
    StockReserved,
    StockRejected,
    StockReleased,
    StockReturned,
    // Payment's answers.
    PaymentAuthorized,
    PaymentDeclined,
    PaymentVoided,
    PaymentReceived,
    PaymentRefunded,
    // Shipping's answers.
    ShipmentDispatched,
    ShipmentRefused,
    ShipmentCancelled,
    /// The deadline has passed. The state decides whether that matters.
    Overdue,
    // The customer's commands.
    Cancel,
    Return,
}

/// Why a command is not obeyed. Answers and deadlines are never rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the order is already shipped; it can be returned once it is completed")]
    AlreadyShipped,
    #[error("the order is completed; it can be returned")]
    AlreadyCompleted,
    #[error("the order was returned, or is on its way back")]
    AlreadyReturned,
    #[error("only a completed order can be returned")]
    NotCompleted,
}

/// The next state and what to tell the fleet.
pub type Decision = chassis::Decision<State, OrderEvent>;

/// Accepts an order.
pub fn place(order: Order, now_micros: i64) -> (Facts, State, OrderPlaced) {
    let placed = OrderPlaced {
        order_id: order.id,
        customer_id: order.customer_id.clone(),
        lines: order.lines,
        total_minor: order.total.minor,
        currency: order.total.currency,
        payment_token: order.payment_token,
        occurred_at: now_micros,
    };
    let facts = Facts {
        id: order.id,
        customer_id: order.customer_id,
        total: order.total,
        destination: order.destination,
    };
    (facts, State::AwaitingBoth, placed)
}

/// Decides what an input means. `now_micros` dates the events and has no part in the decision.
pub fn decide(
    facts: &Facts,
    state: State,
    input: Input,
    now_micros: i64,
) -> Result<Decision, Rejection> {
    let next = match input {
        Input::StockReserved => stock::reserved(state),
        Input::StockRejected => stock::rejected(state),
        Input::StockReleased => stock::released(state),
        Input::StockReturned => stock::returned(state),
        Input::PaymentAuthorized => payment::authorized(state),
        Input::PaymentDeclined => payment::declined(state),
        Input::PaymentVoided => payment::voided(state),
        Input::PaymentReceived => payment::received(state),
        Input::PaymentRefunded => payment::refunded(state),
        Input::ShipmentDispatched => shipment::dispatched(state),
        Input::ShipmentRefused => shipment::refused(state),
        Input::ShipmentCancelled => shipment::cancelled(state),
        Input::Overdue => commands::overdue(state),
        Input::Cancel => commands::cancel(state)?,
        Input::Return => commands::return_goods(state)?,
    };
    let event = if next == state { None } else { fact(facts, state, next, now_micros) };
    Ok(Decision { state: next, events: event.into_iter().collect(), calls: Vec::new() })
}

/// The event of a transition from one state to another. Each fact belongs to entering one state, and no
/// state is entered twice, so no fact is published twice.
fn fact(facts: &Facts, from: State, to: State, occurred_at: i64) -> Option<OrderEvent> {
    let Facts { id: order_id, customer_id, total, destination } = facts;
    let (order_id, total_minor, currency) = (*order_id, total.minor, total.currency);
    match to {
        State::Confirmed => {
            let destination = destination.clone();
            Some(OrderConfirmed { order_id, destination, occurred_at }.into())
        }
        State::CancellationRequested { cause } => {
            Some(OrderCancellationRequested { order_id, cause, occurred_at }.into())
        }
        State::Cancelling { reason, .. } => {
            // From one `Cancelling` to another, one of the two answers has come: only order needs to know.
            let entered = !matches!(from, State::Cancelling { .. });
            entered.then(|| OrderCancelled { order_id, reason, occurred_at }.into())
        }
        State::Cancelled { .. } => Some(OrderCompensated { order_id, occurred_at }.into()),
        State::Shipped => {
            Some(OrderShipped { order_id, total_minor, currency, occurred_at }.into())
        }
        State::Completed => {
            let customer_id = Some(customer_id.clone());
            let completed =
                OrderCompleted { order_id, customer_id, total_minor, currency, occurred_at };
            Some(completed.into())
        }
        State::ReturningBoth => {
            let customer_id = Some(customer_id.clone());
            Some(OrderReturned { order_id, customer_id, occurred_at }.into())
        }

        // Half of what order waits for, or the end of a return: nobody acts on these.
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => None,
    }
}

impl State {
    /// Whether the order has come to its end. A completed one can still be returned.
    pub fn is_terminal(&self) -> bool {
        match self {
            State::Completed | State::Cancelled { .. } | State::Returned => true,
            State::AwaitingBoth
            | State::AwaitingStock
            | State::AwaitingPayment
            | State::Confirmed
            | State::CancellationRequested { .. }
            | State::Shipped
            | State::Cancelling { .. }
            | State::ReturningBoth
            | State::ReturningGoods
            | State::ReturningMoney => false,
        }
    }

    /// The state of a cancelled order for which these may be held.
    fn cancelling(reason: CancelReason, stock: Hold, payment: Hold) -> State {
        match (stock, payment) {
            (Hold::Free, Hold::Free) => State::Cancelled { reason },
            (Hold::Unknown | Hold::Held | Hold::Free, Hold::Unknown | Hold::Held | Hold::Free) => {
                State::Cancelling { reason, stock, payment }
            }
        }
    }
}

#[cfg(test)]
mod tests;
