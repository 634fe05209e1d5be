//! The service in the chassis' terms: what it hears, what that asks of the domain, and which calls it has
//! open. The rules are in `domain`, the columns in `rows`.

use chassis::{Addressed, Deduplication, Hears, Keyed, KeyedService};
use events::{Money, OrderEvent, OrderId, PaymentEvent};

use crate::domain::{self, Call, Decision, State};
use crate::rows;

/// The payment service.
#[derive(Default)]
pub struct Payments {
    rows: Keyed<State>,
}

/// Something that happens to the payment of one order: an event, the provider's answer, or what an
/// operator says in its place.
pub type Input = Addressed<OrderId, domain::Input>;

impl KeyedService for Payments {
    const NAME: &'static str = "payment";
    type State = State;
    type Input = domain::Input;
    type Event = PaymentEvent;
    type Call = Call;

    fn rows(&self) -> &Keyed<State> {
        &self.rows
    }

    fn decide(order: OrderId, state: &State, input: domain::Input, now_micros: i64) -> Decision {
        domain::decide(order, state, input, now_micros)
    }

    fn begins(input: &domain::Input) -> bool {
        matches!(input, domain::Input::Placed { .. })
    }

    fn open_call(order: OrderId, state: &State) -> Option<Call> {
        state.open_call(order)
    }

    fn given(said: &PaymentEvent) -> Option<domain::Input> {
        // All of them: it is the provider who decides. What follows from a cancellation alone is found before this is
        // asked for.
        Some(match said {
            PaymentEvent::PaymentAuthorized(e) => {
                domain::Input::Authorized { authorization: e.authorization_id.clone() }
            }
            PaymentEvent::PaymentDeclined(e) => domain::Input::Declined { reason: e.reason },
            PaymentEvent::PaymentVoided(_) => domain::Input::Voided,
            PaymentEvent::PaymentReceived(_) => domain::Input::Captured,
            PaymentEvent::PaymentRefunded(_) => domain::Input::Refunded,
        })
    }

    const SETTLED: &'static [&'static str] = rows::SETTLED;

    fn settled(input: &domain::Input) -> Vec<Option<&str>> {
        rows::settled(input)
    }
}

/// Idempotent: `domain::decide` changes nothing when it hears a fact again.
impl Hears<OrderEvent> for Payments {
    /// Money moves when an order is placed, dies, is under way or comes back, and at no other time.
    const IGNORES: &'static [&'static str] =
        &["OrderConfirmed", "OrderCancellationRequested", "OrderCompleted", "OrderCompensated"];

    /// All but `OrderPlaced`, whose loss only makes an order overdue: without one of the others, a
    /// customer's money would stay held, or a delivered order would never be paid.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["OrderCancelled", "OrderShipped", "OrderReturned"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("OrderPlaced", "Asks the payment provider to set the total aside."),
        (
            "OrderCancelled",
            "Asks the provider to give back what is set aside, or says at once that nothing is.",
        ),
        ("OrderShipped", "Asks the provider for the money that is set aside."),
        ("OrderReturned", "Asks the provider to refund the money."),
    ];

    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Input> {
        let order = *event.order_id();
        let input = match event {
            OrderEvent::OrderPlaced(e) => domain::Input::Placed {
                amount: Money::new(e.total_minor, e.currency),
                token: e.payment_token,
            },
            OrderEvent::OrderCancelled(_) => domain::Input::Cancelled,
            OrderEvent::OrderShipped(_) => domain::Input::Shipped,
            OrderEvent::OrderReturned(_) => domain::Input::Returned,
            OrderEvent::OrderConfirmed(_)
            | OrderEvent::OrderCancellationRequested(_)
            | OrderEvent::OrderCompleted(_)
            | OrderEvent::OrderCompensated(_) => return None,
        };
        Some(Input::to(order, input))
    }
}
