//! What the payment service hears, and what each event asks of the domain. It is idempotent:
//! `domain::decide` changes nothing when it hears a fact again.

use chassis::{Deduplication, Hears};
use events::{Money, OrderEvent};

use crate::domain;
use crate::service::{Input, Payments};

impl Hears<OrderEvent> for Payments {
    /// Money moves when an order is placed, dies, is under way or comes back, and at no other time.
    const IGNORES: &'static [&'static str] =
        &["OrderConfirmed", "OrderCancellationRequested", "OrderCompleted", "OrderCompensated"];

    /// All but `OrderPlaced`, whose loss only makes an order overdue: without one of these a
    /// customer's money would be held, or an order that was delivered never paid.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["OrderCancelled", "OrderShipped", "OrderReturned"];

    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Input> {
        let order = *event.order_id();
        let step = match event {
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
        Some(Input::of(order, step))
    }
}
