//! What the inventory service hears, and what each event asks of the domain. All of it is idempotent:
//! `domain::decide` changes nothing when it hears a fact again, and the ledger of adjustments keeps the id
//! of each for good.

use chassis::{Deduplication, Hears};
use events::{OrderEvent, WarehouseEvent};

use crate::domain::{self, Adjustment, Lines, Source};
use crate::service::{Input, Inventory};

impl Hears<OrderEvent> for Inventory {
    /// Goods move when an order is placed, dies, is under way or comes back, and at no other time.
    const IGNORES: &'static [&'static str] =
        &["OrderConfirmed", "OrderCancellationRequested", "OrderCompleted", "OrderCompensated"];

    /// All but `OrderPlaced`, whose loss only makes an order overdue: without one of the others, goods
    /// would stay set aside, or leave without leaving the books.
    const NEVER_DEAD_LETTERED: &'static [&'static str] =
        &["OrderCancelled", "OrderShipped", "OrderReturned"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("OrderPlaced", "Sets all lines aside, or none and says which are short."),
        ("OrderCancelled", "Gives what was set aside back to the free stock."),
        ("OrderShipped", "Deducts what was set aside: it has left."),
        ("OrderReturned", "Takes the goods back into the free stock."),
    ];

    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Input> {
        let order = *event.order_id();
        let step = match event {
            OrderEvent::OrderPlaced(e) => {
                let quantity = |quantity| u32::try_from(quantity).unwrap_or(0);
                let lines = e.lines.into_iter().map(|line| (line.sku, quantity(line.quantity)));
                domain::Input::Placed { lines: lines.collect::<Lines>() }
            }
            OrderEvent::OrderCancelled(_) => domain::Input::Cancelled,
            OrderEvent::OrderShipped(_) => domain::Input::Shipped,
            OrderEvent::OrderReturned(_) => domain::Input::Returned,
            OrderEvent::OrderConfirmed(_)
            | OrderEvent::OrderCancellationRequested(_)
            | OrderEvent::OrderCompleted(_)
            | OrderEvent::OrderCompensated(_) => return None,
        };
        Some(Input::Order { order, step })
    }
}

impl Hears<WarehouseEvent> for Inventory {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    const ASKS: &'static [(&'static str, &'static str)] = &[(
        "StockAdjusted",
        "Changes the free units by the delta, once for each adjustment id; sets the adjustment aside where the item is \
         unknown or too few units are free.",
    )];

    /// Warehouses write with clients of any kind, and these need not set headers.
    fn id_of(event: &WarehouseEvent) -> Option<String> {
        match event {
            WarehouseEvent::StockAdjusted(e) => Some(e.adjustment_id.to_string()),
        }
    }

    fn hear(event: WarehouseEvent, _sequence: i64) -> Option<Input> {
        match event {
            WarehouseEvent::StockAdjusted(e) => Some(Input::Adjust(Adjustment {
                id: e.adjustment_id,
                sku: e.sku,
                delta: e.delta,
                note: e.note,
                source: Source::Warehouse,
            })),
        }
    }
}
