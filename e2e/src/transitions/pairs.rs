//! All states and all inputs of each service, and what follows from every pair.

use std::collections::BTreeMap;

use events::{
    CancelReason, CancellationCause, DeclineReason, Events, Money, OrderId, RefusalReason, Sku,
};
use inventory::domain as goods;
use order::domain as orders;
use payment::domain as money;
use shipping::domain as parcels;
use uuid::Uuid;

use super::Transition;

/// Values of every variant of a type, one or more of each. The list is also a match without a wildcard:
/// a new variant does not compile until it is listed here.
macro_rules! every {
    ($type:ident: $($variant:ident $({ $($fields:tt)* })?),+ $(,)?) => {{
        let _complete = |value: &$type| match value {
            $($type::$variant { .. } => (),)+
        };
        [$($type::$variant $({ $($fields)* })?),+]
    }};
}

fn id() -> OrderId {
    OrderId(Uuid::from_u128(1))
}

fn amount() -> Money {
    Money::new(100, "EUR".parse().expect("EUR is a currency"))
}

fn said<E: Events>(events: &[E]) -> Vec<String> {
    events.iter().map(|event| E::RECORDS[event.record()].name.to_owned()).collect()
}

/// The name of a value's variant, from its debug output.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

pub(super) fn of_order() -> Vec<Transition> {
    let facts = orders::Facts {
        id: id(),
        customer_id: "customer".to_owned(),
        total: amount(),
        destination: "DE".to_owned(),
    };
    let mut transitions: Vec<Transition> = Vec::new();
    for state in order_states() {
        for input in order_inputs() {
            let transition = match orders::decide(&facts, state, input, 0) {
                Ok(decision) => Transition {
                    state: order_name(state),
                    input: variant(&input),
                    becomes: order_name(decision.state),
                    effects: said(&decision.events),
                },
                Err(rejection) => Transition {
                    state: order_name(state),
                    input: variant(&input),
                    becomes: order_name(state),
                    effects: vec![format!("rejected: {rejection}")],
                },
            };
            if !transitions.contains(&transition) {
                transitions.push(transition);
            }
        }
    }
    transitions
}

fn order_name(state: orders::State) -> String {
    use orders::State;
    match state {
        State::Cancelling { stock, payment, .. } => {
            format!("Cancelling (stock {stock:?}, payment {payment:?})")
        }
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Completed
        | State::Cancelled { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney
        | State::Returned => variant(&state),
    }
}

/// A reason is part of a state and rarely affects what follows: states that differ only in it make one
/// row, or one for each difference that it makes.
fn order_states() -> Vec<orders::State> {
    use orders::{Hold, State};
    let reasons = every!(CancelReason: Unknown, OutOfStock, PaymentDeclined, ShipmentRefused,
        Customer, Overdue);
    let causes = every!(CancellationCause: Unknown, Customer, Overdue);
    let holds = every!(Hold: Unknown, Held, Free);
    let (reason, cause) = (reasons[0], causes[0]);
    let (stock, payment) = (holds[0], holds[0]);
    let one_of_each = every!(State:
        AwaitingBoth,
        AwaitingStock,
        AwaitingPayment,
        Confirmed,
        CancellationRequested { cause },
        Shipped,
        Completed,
        Cancelled { reason },
        ReturningBoth,
        ReturningGoods,
        ReturningMoney,
        Returned,
        Cancelling { reason, stock, payment },
    );
    let mut states = one_of_each.to_vec();
    states.extend(causes.map(|cause| State::CancellationRequested { cause }));
    for reason in reasons {
        states.push(State::Cancelled { reason });
        for stock in holds {
            for payment in holds {
                if (stock, payment) != (Hold::Free, Hold::Free) {
                    states.push(State::Cancelling { reason, stock, payment });
                }
            }
        }
    }
    states
}

fn order_inputs() -> [orders::Input; 15] {
    use orders::Input;
    every!(Input:
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
        Overdue,
        Cancel,
        Return,
    )
}

pub(super) fn of_inventory() -> Vec<Transition> {
    use goods::{Input, State};
    let sku = Sku::new("unit".to_owned()).expect("the name is a SKU");
    let lines = goods::Lines::from([(sku.clone(), 1)]);
    let states = every!(State:
        New,
        Reserved { lines: lines.clone() },
        Rejected,
        Released,
        Deducted { lines: lines.clone() },
        Returned,
    );
    let inputs = every!(Input: Placed { lines }, Cancelled, Shipped, Returned);
    let mut transitions = Vec::new();
    // Once with free units, and once without.
    for free in [5, 0] {
        for state in &states {
            for input in &inputs {
                let (reserved, shipped) = (1, 1);
                let item =
                    goods::Item { name: String::new(), price: amount(), free, reserved, shipped };
                let mut shelf = BTreeMap::from([(sku.clone(), item)]);
                let decision = goods::decide(id(), state, input.clone(), &mut shelf, 0);
                let mut effects = said(&decision.events);
                effects.extend(said(&decision.catalogue));
                let place = if free == 0 { ", none free" } else { "" };
                transitions.push(Transition {
                    state: variant(state),
                    input: format!("{}{place}", variant(input)),
                    becomes: variant(&decision.state),
                    effects,
                });
            }
        }
    }
    transitions
}

pub(super) fn of_payment() -> Vec<Transition> {
    use money::{Input, State};
    let (amount, token, authorization) = (amount(), "t".to_owned(), "a".to_owned());
    let held = || authorization.clone();
    let reasons = every!(DeclineReason: Unknown, CardDeclined, InsufficientFunds, ExpiredCard);
    let reason = reasons[0];
    let one_of_each = every!(State:
        New,
        Authorizing { amount, token: token.clone() },
        VoidAfterAuthorizing { amount, token: token.clone() },
        Authorized { amount, authorization: held() },
        Declined { reason },
        Voiding { authorization: held() },
        Voided,
        Capturing { amount, authorization: held() },
        Received { amount, authorization: held() },
        Refunding { amount, authorization: held() },
        Refunded { amount },
    );
    let mut states = one_of_each.to_vec();
    states.extend(reasons.map(|reason| State::Declined { reason }));
    let one_of_each = every!(Input:
        Placed { amount, token },
        Cancelled,
        Shipped,
        Returned,
        Authorized { authorization: held() },
        Declined { reason },
        Voided,
        Captured,
        Refunded,
    );
    let mut inputs = one_of_each.to_vec();
    inputs.extend(reasons.map(|reason| Input::Declined { reason }));
    pairs(&states, &inputs, |state, input| {
        let decision = money::decide(id(), state, input, 0);
        let calls = decision.calls.iter().map(|call| format!("asks to {}", variant(call)));
        let effects = said(&decision.events).into_iter().chain(calls).collect();
        (decision.state, effects)
    })
}

pub(super) fn of_shipping() -> Vec<Transition> {
    use parcels::{Input, State};
    let (destination, tracking) = ("DE".to_owned(), "t".to_owned());
    let reasons = every!(RefusalReason: Unknown, DestinationNotServed, GoodsNotAccepted);
    let reason = reasons[0];
    let one_of_each = every!(State:
        New,
        Booking { destination: destination.clone() },
        CancelAsked { destination: destination.clone() },
        Dispatched { tracking: tracking.clone() },
        Refused { reason },
        Cancelled,
    );
    let mut states = one_of_each.to_vec();
    states.extend(reasons.map(|reason| State::Refused { reason }));
    let one_of_each = every!(Input:
        Confirmed { destination },
        CancellationRequested,
        Dispatched { tracking },
        Refused { reason },
        Cancelled,
    );
    let mut inputs = one_of_each.to_vec();
    inputs.extend(reasons.map(|reason| Input::Refused { reason }));
    pairs(&states, &inputs, |state, input| {
        let decision = parcels::decide(id(), state, input, 0);
        let calls = decision.calls.iter().map(|call| format!("asks to {}", variant(call)));
        let effects = said(&decision.events).into_iter().chain(calls).collect();
        (decision.state, effects)
    })
}

fn pairs<S: std::fmt::Debug, I: std::fmt::Debug + Clone>(
    states: &[S],
    inputs: &[I],
    decide: impl Fn(&S, I) -> (S, Vec<String>),
) -> Vec<Transition> {
    let mut transitions = Vec::new();
    for state in states {
        for input in inputs {
            let (becomes, effects) = decide(state, input.clone());
            let (state, input, becomes) = (variant(state), variant(input), variant(&becomes));
            let transition = Transition { state, input, becomes, effects };
            if !transitions.contains(&transition) {
                transitions.push(transition);
            }
        }
    }
    transitions
}
