//! Every state and every input of the saga, decided by the shipped functions and written down: the table
//! in `docs/transitions.md`, which is how a change of the rules is read in a review.

use std::collections::BTreeMap;
use std::fmt::Write;

use events::{
    CancelReason, CancellationCause, DeclineReason, Events, Money, OrderId, RefusalReason, Sku,
};
use inventory::domain as goods;
use order::domain as orders;
use payment::domain as money;
use shipping::domain as parcels;
use uuid::Uuid;

/// What follows from one input in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub state: String,
    /// What happens.
    pub input: String,
    /// The state after; the same when the input changes nothing.
    pub becomes: String,
    /// The events that are published, the calls that are made, or why the input is rejected.
    pub effects: Vec<String>,
}

impl Transition {
    /// Whether anything changes.
    pub fn acts(&self) -> bool {
        self.state != self.becomes || !self.effects.is_empty()
    }
}

/// The document.
pub fn document() -> String {
    let mut text = String::from(
        "# Transitions\n\nWritten by a test from the decision functions themselves; do not edit \
         (`UPDATE_GENERATED=1 cargo test -p e2e --test rules`).\nEvery pair of state and input was \
         decided; pairs that are not listed change nothing.\n",
    );
    for (service, transitions) in all() {
        let acting: Vec<&Transition> = transitions.iter().filter(|t| t.acts()).collect();
        let (all, ignored) = (transitions.len(), transitions.len() - acting.len());
        put(
            &mut text,
            format_args!("\n## {service}\n\n{all} pairs, {ignored} of them ignored.\n\n"),
        );
        text.push_str("| state | input | becomes | effects |\n|---|---|---|---|\n");
        for Transition { state, input, becomes, effects } in acting {
            let effects = effects.join(", ");
            put(&mut text, format_args!("| {state} | {input} | {becomes} | {effects} |\n"));
        }
    }
    text
}

/// All pairs of every service.
pub fn all() -> Vec<(&'static str, Vec<Transition>)> {
    vec![
        ("order", of_order()),
        ("inventory", of_inventory()),
        ("payment", of_payment()),
        ("shipping", of_shipping()),
    ]
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a string cannot fail");
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

/// The name of a value's variant, from how it prints.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

fn of_order() -> Vec<Transition> {
    let facts = orders::Facts { id: id(), total: amount(), destination: "DE".to_owned() };
    let mut transitions = Vec::new();
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
            transitions.push(transition);
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

fn order_states() -> Vec<orders::State> {
    use orders::{Hold, State};
    let reason = CancelReason::Customer;
    let mut states = vec![
        State::AwaitingBoth,
        State::AwaitingStock,
        State::AwaitingPayment,
        State::Confirmed,
        State::CancellationRequested { cause: CancellationCause::Customer },
        State::Shipped,
        State::Completed,
        State::Cancelled { reason },
        State::ReturningBoth,
        State::ReturningGoods,
        State::ReturningMoney,
        State::Returned,
    ];
    for stock in [Hold::Unknown, Hold::Held, Hold::Free] {
        for payment in [Hold::Unknown, Hold::Held, Hold::Free] {
            if (stock, payment) != (Hold::Free, Hold::Free) {
                states.push(State::Cancelling { reason, stock, payment });
            }
        }
    }
    states
}

fn order_inputs() -> Vec<orders::Input> {
    use orders::Input;
    vec![
        Input::StockReserved,
        Input::StockRejected,
        Input::StockReleased,
        Input::StockReturned,
        Input::PaymentAuthorized,
        Input::PaymentDeclined,
        Input::PaymentVoided,
        Input::PaymentReceived,
        Input::PaymentRefunded,
        Input::ShipmentDispatched,
        Input::ShipmentRefused,
        Input::ShipmentCancelled,
        Input::Overdue,
        Input::Cancel,
        Input::Return,
    ]
}

fn of_inventory() -> Vec<Transition> {
    let sku = Sku::new("unit".to_owned()).expect("the name is a SKU");
    let lines = goods::Lines::from([(sku.clone(), 1)]);
    let states = [
        goods::State::New,
        goods::State::Reserved { lines: lines.clone() },
        goods::State::Rejected,
        goods::State::Released,
        goods::State::Deducted { lines: lines.clone() },
        goods::State::Returned,
    ];
    let inputs = [
        goods::Input::Placed { lines },
        goods::Input::Cancelled,
        goods::Input::Shipped,
        goods::Input::Returned,
    ];
    let mut transitions = Vec::new();
    // Once with a unit to be had, and once without.
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

fn of_payment() -> Vec<Transition> {
    use money::{Input, State};
    let (amount, token, authorization) = (amount(), "t".to_owned(), "a".to_owned());
    let held = || authorization.clone();
    let states = [
        State::New,
        State::Authorizing { amount, token: token.clone() },
        State::VoidAfterAuthorizing { amount, token: token.clone() },
        State::Authorized { amount, authorization: held() },
        State::Declined { reason: DeclineReason::CardDeclined },
        State::Voiding { authorization: held() },
        State::Voided,
        State::Capturing { amount, authorization: held() },
        State::Received { amount, authorization: held() },
        State::Refunding { amount, authorization: held() },
        State::Refunded { amount },
    ];
    let inputs = [
        Input::Placed { amount, token },
        Input::Cancelled,
        Input::Shipped,
        Input::Returned,
        Input::Authorized { authorization: held() },
        Input::Declined { reason: DeclineReason::CardDeclined },
        Input::Voided,
        Input::Captured,
        Input::Refunded,
    ];
    pairs(&states, &inputs, |state, input| {
        let decision = money::decide(id(), state, input, 0);
        let calls = decision.calls.iter().map(|call| format!("asks to {}", variant(call)));
        let effects = said(&decision.events).into_iter().chain(calls).collect();
        (decision.state, effects)
    })
}

fn of_shipping() -> Vec<Transition> {
    use parcels::{Input, State};
    let (destination, tracking) = ("DE".to_owned(), "t".to_owned());
    let reason = RefusalReason::DestinationNotServed;
    let states = [
        State::New,
        State::Booking { destination: destination.clone() },
        State::CancelAsked { destination: destination.clone() },
        State::Dispatched { tracking: tracking.clone() },
        State::Refused { reason },
        State::Cancelled,
    ];
    let inputs = [
        Input::Confirmed { destination },
        Input::CancellationRequested,
        Input::Dispatched { tracking },
        Input::Refused { reason },
        Input::Cancelled,
    ];
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
            transitions.push(Transition {
                state: variant(state),
                input: variant(input),
                becomes: variant(&becomes),
                effects,
            });
        }
    }
    transitions
}
