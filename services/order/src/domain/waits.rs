//! Whom an order waits for: it follows from the state alone, and makes the choreography visible.

use super::{Hold, State};

/// An answer that an order waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitsFor {
    /// Who is to answer.
    pub service: &'static str,
    /// What it is to report.
    pub what: &'static str,
}

const STOCK: WaitsFor = WaitsFor { service: "inventory", what: "reservation" };
const AUTHORIZATION: WaitsFor = WaitsFor { service: "payment", what: "authorization" };
const DISPATCH: WaitsFor = WaitsFor { service: "shipping", what: "dispatch" };
const ARBITRATION: WaitsFor = WaitsFor { service: "shipping", what: "cancellation or dispatch" };
const CAPTURE: WaitsFor = WaitsFor { service: "payment", what: "capture" };
const RELEASE: WaitsFor = WaitsFor { service: "inventory", what: "release" };
const VOID: WaitsFor = WaitsFor { service: "payment", what: "void" };
const GOODS: WaitsFor = WaitsFor { service: "inventory", what: "goods back in stock" };
const REFUND: WaitsFor = WaitsFor { service: "payment", what: "refund" };

impl State {
    /// The answers that the order waits for; none when it has come to its end.
    pub fn waits_for(&self) -> &'static [WaitsFor] {
        match self {
            State::AwaitingBoth => &[STOCK, AUTHORIZATION],
            State::AwaitingStock => &[STOCK],
            State::AwaitingPayment => &[AUTHORIZATION],
            State::Confirmed => &[DISPATCH],
            State::CancellationRequested { .. } => &[ARBITRATION],
            State::Shipped => &[CAPTURE],
            State::Cancelling { stock, payment, .. } => match (stock, payment) {
                (Hold::Unknown | Hold::Held, Hold::Unknown | Hold::Held) => &[RELEASE, VOID],
                (Hold::Unknown | Hold::Held, Hold::Free) => &[RELEASE],
                (Hold::Free, Hold::Unknown | Hold::Held) => &[VOID],
                (Hold::Free, Hold::Free) => &[],
            },
            State::ReturningBoth => &[GOODS, REFUND],
            State::ReturningGoods => &[GOODS],
            State::ReturningMoney => &[REFUND],
            State::Completed | State::Cancelled { .. } | State::Returned => &[],
        }
    }
}
