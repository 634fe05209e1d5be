//! What becomes of an order. Pure: prices are known before it begins, clocks only date the events.
//!
//! Order joins the answers of three participants and is the only one to say that an order is cancelled.
//! Before `OrderConfirmed` it decides that alone; after it, it asks shipping.

mod answers;
mod commands;

use events::{
    CancelReason, CancellationCause, Money, OrderCancelled, OrderCompensated, OrderEvent, OrderId,
    OrderLine, OrderPlaced,
};

/// An order as it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub customer_id: String,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub destination: String,
    pub payment_token: String,
}

/// What later decisions need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub id: OrderId,
    pub total: Money,
    pub destination: String,
}

/// Where an order is. Named by what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    AwaitingBoth,
    /// The money is set aside.
    AwaitingStock,
    /// The goods are set aside.
    AwaitingPayment,
    /// Both are; shipping decides from here on.
    Confirmed,
    /// Shipping was asked not to dispatch, and has not answered.
    CancellationRequested {
        cause: CancellationCause,
    },
    /// Dispatched; the money is being taken.
    Shipped,
    Completed,
    /// Cancelled; what the participants hold is being given back.
    Cancelling {
        reason: CancelReason,
        stock: Hold,
        payment: Hold,
    },
    /// Cancelled, and everything is given back.
    Cancelled {
        reason: CancelReason,
    },
    /// Returned; goods and money are on their way back.
    ReturningBoth,
    /// The money is back.
    ReturningGoods,
    /// The goods are back.
    ReturningMoney,
    Returned,
}

/// What a participant holds for an order that is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It has not answered yet.
    Unknown,
    Held,
    /// Nothing: it refused, or has given everything back.
    Free,
}

/// What order hears, and what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    StockReserved,
    StockRejected,
    StockReleased,
    StockReturned,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentVoided,
    PaymentReceived,
    PaymentRefunded,
    ShipmentDispatched,
    ShipmentRefused,
    ShipmentCancelled,
    /// The deadline has passed.
    Overdue,
    /// The customer asks.
    Cancel,
    Return,
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub events: Vec<OrderEvent>,
}

/// Why a customer's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the order was shipped; it can be returned once it is completed")]
    AlreadyShipped,
    #[error("only a completed order can be returned")]
    NotCompleted,
}

/// Whom an order waits for, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitsFor {
    pub service: &'static str,
    pub what: &'static str,
}

/// Places an order.
pub fn place(order: &Order, now: i64) -> (State, OrderPlaced) {
    let placed = OrderPlaced {
        order_id: order.id,
        customer_id: order.customer_id.clone(),
        lines: order.lines.clone(),
        total_minor: order.total.minor,
        currency: order.total.currency,
        payment_token: order.payment_token.clone(),
        occurred_at: now,
    };
    (State::AwaitingBoth, placed)
}

/// Decides. Only `Cancel` and `Return` can be rejected.
pub fn decide(facts: &Facts, state: State, input: Input, now: i64) -> Result<Decision, Rejection> {
    let decision = match input {
        Input::StockReserved => answers::stock_reserved(facts, state, now),
        Input::StockRejected => answers::stock_rejected(facts, state, now),
        Input::StockReleased => answers::stock_released(facts, state, now),
        Input::StockReturned => answers::stock_returned(state),
        Input::PaymentAuthorized => answers::payment_authorized(facts, state, now),
        Input::PaymentDeclined => answers::payment_declined(facts, state, now),
        Input::PaymentVoided => answers::payment_voided(facts, state, now),
        Input::PaymentReceived => answers::payment_received(facts, state, now),
        Input::PaymentRefunded => answers::payment_refunded(state),
        Input::ShipmentDispatched => answers::shipment_dispatched(facts, state, now),
        Input::ShipmentRefused => answers::shipment_refused(facts, state, now),
        Input::ShipmentCancelled => answers::shipment_cancelled(facts, state, now),
        Input::Overdue => commands::overdue(facts, state, now),
        Input::Cancel => return commands::cancel(facts, state, now),
        Input::Return => return commands::take_back(facts, state, now),
    };
    Ok(decision)
}

impl State {
    /// Whether the saga has ended. A return after completion begins and ends another.
    pub fn is_terminal(self) -> bool {
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

    /// Whom the order waits for.
    pub fn waits_for(self) -> &'static [WaitsFor] {
        const RESERVATION: WaitsFor = WaitsFor { service: "inventory", what: "reservation" };
        const RELEASE: WaitsFor = WaitsFor { service: "inventory", what: "release" };
        const GOODS_BACK: WaitsFor = WaitsFor { service: "inventory", what: "goods returned" };
        const AUTHORIZATION: WaitsFor = WaitsFor { service: "payment", what: "authorization" };
        const VOID: WaitsFor = WaitsFor { service: "payment", what: "void" };
        const CAPTURE: WaitsFor = WaitsFor { service: "payment", what: "capture" };
        const REFUND: WaitsFor = WaitsFor { service: "payment", what: "refund" };
        const DISPATCH: WaitsFor = WaitsFor { service: "shipping", what: "dispatch" };
        const CANCELLATION: WaitsFor = WaitsFor { service: "shipping", what: "cancellation" };

        match self {
            State::AwaitingBoth => &[RESERVATION, AUTHORIZATION],
            State::AwaitingStock => &[RESERVATION],
            State::AwaitingPayment => &[AUTHORIZATION],
            State::Confirmed => &[DISPATCH],
            State::CancellationRequested { .. } => &[CANCELLATION],
            State::Shipped => &[CAPTURE],
            State::Cancelling { stock: Hold::Free, .. } => &[VOID],
            State::Cancelling { stock: Hold::Unknown | Hold::Held, payment, .. } => match payment {
                Hold::Free => &[RELEASE],
                Hold::Unknown | Hold::Held => &[RELEASE, VOID],
            },
            State::ReturningBoth => &[GOODS_BACK, REFUND],
            State::ReturningGoods => &[GOODS_BACK],
            State::ReturningMoney => &[REFUND],
            State::Completed | State::Cancelled { .. } | State::Returned => &[],
        }
    }
}

/// Cancels: everybody hears it, and gives back what it holds.
fn cancelling(
    facts: &Facts,
    reason: CancelReason,
    stock: Hold,
    payment: Hold,
    now: i64,
) -> Decision {
    let said = OrderCancelled { order_id: facts.id, reason, occurred_at: now };
    moved(State::Cancelling { reason, stock, payment }, said)
}

/// Goes on giving back, and ends when nothing is held any more.
fn compensating(
    facts: &Facts,
    reason: CancelReason,
    stock: Hold,
    payment: Hold,
    now: i64,
) -> Decision {
    match (stock, payment) {
        (Hold::Free, Hold::Free) => moved(
            State::Cancelled { reason },
            OrderCompensated { order_id: facts.id, occurred_at: now },
        ),
        (Hold::Free, Hold::Unknown | Hold::Held)
        | (Hold::Unknown | Hold::Held, Hold::Unknown | Hold::Held | Hold::Free) => {
            silently(State::Cancelling { reason, stock, payment })
        }
    }
}

fn moved(state: State, event: impl Into<OrderEvent>) -> Decision {
    Decision { state, events: vec![event.into()] }
}

fn silently(state: State) -> Decision {
    Decision { state, events: Vec::new() }
}
