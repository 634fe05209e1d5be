//! Order: accepts orders and leads each to exactly one end, completed or cancelled with everything
//! given back.
//!
//! | hears                                   | does                          | says                         |
//! |-----------------------------------------|-------------------------------|------------------------------|
//! | `POST /orders`                          | prices and accepts the order  | `OrderPlaced`                |
//! | `StockReserved`, `PaymentAuthorized`    | confirms when both are there  | `OrderConfirmed`             |
//! | `StockRejected`, `PaymentDeclined`      | cancels                       | `OrderCancelled`             |
//! | cancel, deadline                        | cancels, or asks shipping     | `OrderCancelled`, `OrderCancellationRequested` |
//! | `ShipmentDispatched`                    | lets payment capture          | `OrderShipped`               |
//! | `ShipmentRefused`, `ShipmentCancelled`  | cancels                       | `OrderCancelled`             |
//! | `PaymentReceived`                       | completes                     | `OrderCompleted`             |
//! | `StockReleased`, `PaymentVoided`        | ends the cancellation         | `OrderCompensated`           |
//! | return                                  | has goods and money sent back | `OrderReturned`              |
//! | `StockItemChanged`                      | keeps its price list          |                              |

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "tests take the time from wherever they like")
)]

mod api;
pub mod domain;
mod handlers;
mod history;
mod measures;
mod phase;
mod placement;
mod service;
mod verified;
mod store;

use std::time::Duration;

use chassis::{App, Env};
use events::{CatalogueEvent, InventoryEvent, OrderEvent, PaymentEvent, ShippingEvent};
use sqlx::migrate::Migrator;

pub use api::document;
pub use placement::{PlaceOrder, Price, Wanted};
pub use service::{Input, OrderInput, Orders, Reply};
pub use store::{OrderState, Rows};

/// The service's tables.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// Longer than any carrier takes to accept a parcel, shorter than a customer's patience.
const DEADLINE_SECONDS: u64 = 900;

/// Queues in front of a client redeliver for two weeks at most.
const IDEMPOTENCY_KEYS_KEEP_DAYS: u32 = 30;

/// The service, with the settings of its environment.
pub fn app(env: &mut Env) -> App<Orders> {
    let deadline = env.parsed(
        "ORDER_DEADLINE_SECONDS",
        DEADLINE_SECONDS,
        "seconds after which an order that is not dispatched is cancelled",
    );
    if deadline == 0 {
        env.problem("FLOTILLA_ORDER_DEADLINE_SECONDS is 0: every order would be overdue at once");
    }
    let keys_kept = env.days(
        "IDEMPOTENCY_KEYS_KEEP_DAYS",
        IDEMPOTENCY_KEYS_KEEP_DAYS,
        "days within which a request that is sent again places no second order",
    );
    App::new(Orders::new(Duration::from_secs(deadline)), &MIGRATIONS)
        .hears::<InventoryEvent>()
        .hears::<PaymentEvent>()
        .hears::<ShippingEvent>()
        .hears::<CatalogueEvent>()
        .publishes::<OrderEvent>()
        .verified()
        .forgets("idempotency_keys", "created_at", keys_kept)
        .measures(measures::described())
        .serves(api::routes)
}
