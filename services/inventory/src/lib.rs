//! Inventory: sets goods aside for an order, lets them go when it ships, takes them back when it dies or
//! is returned. And the shelf itself: items, prices, adjustments.
//!
//! | hears            | does                                         | says                                |
//! |------------------|----------------------------------------------|-------------------------------------|
//! | `OrderPlaced`    | reserves every line, or none                 | `StockReserved` or `StockRejected`  |
//! | `OrderCancelled` | releases, or refuses a later reservation     | `StockReleased`                     |
//! | `OrderShipped`   | deducts                                      |                                     |
//! | `OrderReturned`  | puts the goods back                          | `StockReturned`                     |
//! | `StockAdjusted`  | adds or takes away free units, once per id   | `StockItemChanged`                  |
//!
//! All reservations of a batch are decided together in memory, and each item is written once.

pub mod domain;
mod handlers;
mod service;
mod verified;
pub mod store;
mod api;

use chassis::{App, Env};
use events::{CatalogueEvent, InventoryEvent, OrderEvent, WarehouseEvent};

pub use api::{document, routes};
pub use domain::{Adjustment, Source};
pub use service::{Input, Inventory, Reply};

/// The tables of the service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The wiring of the service: what it hears, says and serves.
pub fn app(_env: &mut Env) -> App<Inventory> {
    App::new(Inventory::default(), &MIGRATIONS)
        .hears::<OrderEvent>()
        .hears::<WarehouseEvent>()
        .publishes::<InventoryEvent>()
        .publishes::<CatalogueEvent>()
        .verified()
        .serves(routes)
}
