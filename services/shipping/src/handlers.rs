//! What the shipping service hears, and what each event asks of the domain. It is idempotent:
//! `domain::decide` changes nothing when it hears a fact again.

use chassis::{Deduplication, Hears};
use events::OrderEvent;

use crate::domain;
use crate::service::{Input, Shipments};

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

    /// Whoever asks to cancel waits for the answer for ever, with goods and money held. A lost
    /// `OrderConfirmed` only makes an order overdue.
    const NEVER_DEAD_LETTERED: &'static [&'static str] = &["OrderCancellationRequested"];

    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Input> {
        let order = *event.order_id();
        let step = match event {
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
        Some(Input::of(order, step))
    }
}
