//! The service in the chassis' terms: what it hears, what that asks of the domain, and which calls it has
//! open. The rules are in `domain`, the columns in `rows`.

use chassis::{Addressed, Deduplication, Hears, Keyed, KeyedService};
use events::{OrderEvent, OrderId, ShippingEvent};

use crate::domain::{self, Call, Decision, State};
use crate::rows;

/// The shipping service.
#[derive(Default)]
pub struct Shipments {
    rows: Keyed<State>,
}

/// Something that happens to the shipment of one order: an event, the carrier's answer, or what an
/// operator says in its place.
pub type Input = Addressed<OrderId, domain::Input>;

impl KeyedService for Shipments {
    const NAME: &'static str = "shipping";
    type State = State;
    type Input = domain::Input;
    type Event = ShippingEvent;
    type Call = Call;

    fn rows(&self) -> &Keyed<State> {
        &self.rows
    }

    fn decide(order: OrderId, state: &State, input: domain::Input, now_micros: i64) -> Decision {
        domain::decide(order, state, input, now_micros)
    }

    fn begins(input: &domain::Input) -> bool {
        matches!(input, domain::Input::Confirmed { .. })
    }

    fn open_call(order: OrderId, state: &State) -> Option<Call> {
        state.open_call(order)
    }

    fn given(said: &ShippingEvent) -> Option<domain::Input> {
        // All of them: it is the carrier who decides. An order that was cancelled before its confirmation was heard is
        // one that nobody asked the carrier about, and follows from what was heard.
        Some(match said {
            ShippingEvent::ShipmentDispatched(e) => {
                domain::Input::Dispatched { tracking: e.tracking_code.clone() }
            }
            ShippingEvent::ShipmentRefused(e) => domain::Input::Refused { reason: e.reason },
            ShippingEvent::ShipmentCancelled(_) => domain::Input::Cancelled,
        })
    }

    const SETTLED: &'static [&'static str] = rows::SETTLED;

    fn settled(input: &domain::Input) -> Vec<Option<&str>> {
        rows::settled(input)
    }
}

/// Idempotent: `domain::decide` changes nothing when it hears a fact again.
impl Hears<OrderEvent> for Shipments {
    /// An order concerns shipping from its confirmation on. `OrderCancelled` does not: before the
    /// confirmation shipping has never heard of the order, and after it an order is cancelled only
    /// because shipping said so.
    const IGNORES: &'static [&'static str] = &[
        "OrderPlaced",
        "OrderCancelled",
        "OrderShipped",
        "OrderCompleted",
        "OrderCompensated",
        "OrderReturned",
    ];

    /// Without it, order would wait forever for the answer, with goods and money held. A lost
    /// `OrderConfirmed` only makes an order overdue.
    const NEVER_DEAD_LETTERED: &'static [&'static str] = &["OrderCancellationRequested"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("OrderConfirmed", "Books a parcel with the carrier."),
        (
            "OrderCancellationRequested",
            "Cancels the parcel where the carrier does not have it yet; otherwise the dispatch that it has announced \
             is the answer.",
        ),
    ];

    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Input> {
        let order = *event.order_id();
        let input = match event {
            OrderEvent::OrderConfirmed(e) => {
                domain::Input::Confirmed { destination: e.destination }
            }
            OrderEvent::OrderCancellationRequested(_) => domain::Input::CancellationRequested,
            OrderEvent::OrderPlaced(_)
            | OrderEvent::OrderCancelled(_)
            | OrderEvent::OrderShipped(_)
            | OrderEvent::OrderCompleted(_)
            | OrderEvent::OrderCompensated(_)
            | OrderEvent::OrderReturned(_) => return None,
        };
        Some(Input::to(order, input))
    }
}
