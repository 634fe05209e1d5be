//! Shipping: the pivot. Whether a confirmed order goes out or is cancelled is decided here, by the
//! carrier's first answer.
//!
//! | hears                        | does                     | says                                                          |
//! |------------------------------|--------------------------|---------------------------------------------------------------|
//! | `OrderConfirmed`             | books a shipment         | `ShipmentDispatched` or `ShipmentRefused`                     |
//! | `OrderCancellationRequested` | asks to cancel it        | `ShipmentCancelled`, or has said or will say one of the above |
//!
//! The carrier is called outside any transaction: first the intent is committed, then the carrier is
//! called under a key made of the order and the step, then its answer comes back as an input. An
//! answer that is lost is asked for again under the same key.

mod api;
pub mod carrier;
pub mod domain;
mod rows;
mod shipments;

use chassis::{App, Env};
use events::{OrderEvent, ShippingEvent};

pub use api::document;
pub use shipments::{Input, Shipments};

/// The tables of the service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The wiring of the service: what it hears, says, calls and serves.
pub fn app(env: &mut Env) -> App<Shipments> {
    App::new(Shipments::default(), &MIGRATIONS)
        .hears::<OrderEvent>()
        .publishes::<ShippingEvent>()
        .verified()
        .calls_through(carrier::from_env(env))
        .shows()
        .settles()
}
