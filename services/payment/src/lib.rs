//! Payment: holds the money for an order, takes it once the order is under way, gives it back when
//! the order dies or its goods come back.
//!
//! | hears            | does                                             | says                                     |
//! |------------------|--------------------------------------------------|------------------------------------------|
//! | `OrderPlaced`    | authorizes the total                             | `PaymentAuthorized` or `PaymentDeclined` |
//! | `OrderCancelled` | voids the authorization, or refuses a later one  | `PaymentVoided`                          |
//! | `OrderShipped`   | captures, for as long as it takes                | `PaymentReceived`                        |
//! | `OrderReturned`  | refunds, for as long as it takes                 | `PaymentRefunded`                        |
//!
//! The money is moved by a payment provider, outside any transaction: first the intent is committed,
//! then the provider is called under a key made of the order and the step, then its answer comes back
//! as an input. An answer that is lost is asked for again under the same key.

mod api;
pub mod domain;
mod payments;
pub mod provider;
mod rows;

use chassis::{App, Env};
use events::{OrderEvent, PaymentEvent};

pub use api::document;
pub use payments::{Input, Payments};

/// The tables of the service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The wiring of the service: what it hears, says, calls and serves.
pub fn app(env: &mut Env) -> App<Payments> {
    App::new(Payments::default(), &MIGRATIONS)
        .hears::<OrderEvent>()
        .publishes::<PaymentEvent>()
        .verified()
        .calls_through(provider::from_env(env))
        .shows()
        .settles()
}
