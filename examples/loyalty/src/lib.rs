//! Loyalty: customers earn points with what they buy. It is the example to read before writing a service: complete,
//! with its own tables and its own published language, and nobody in the fleet knows about it.
//!
//! | hears            | does                              | says            |
//! |------------------|-----------------------------------|-----------------|
//! | `OrderCompleted` | grants its customer points        | `PointsChanged` |
//! | `OrderReturned`  | takes back what the order earned  | `PointsChanged` |
//!
//! The key is the order and not the customer. Whether an order's points were granted or taken back is one small
//! state, so that an event heard again, late or under another id changes nothing; a customer's row would have to
//! know every order that it ever counted. What a customer has is the sum over the orders.
//!
//! Reading order: `domain` (the rules), `points` (what is heard, and how a state is stored), `language` (what is
//! said), `api`. Everything else is the chassis' work.

mod api;
pub mod domain;
pub mod language;
mod points;

use chassis::{App, Env};
use events::OrderEvent;

pub use language::LoyaltyEvent;
pub use points::{Points, of_customer};

/// The tables of the service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The wiring of the service: what it hears, says and serves.
pub fn app(_env: &mut Env) -> App<Points> {
    App::new(Points::default(), &MIGRATIONS)
        .hears::<OrderEvent>()
        .publishes::<LoyaltyEvent>()
        .verified()
        .serves(api::routes)
}
