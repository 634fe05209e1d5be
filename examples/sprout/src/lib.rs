//! Sprout: a service that notes each order once, whatever it hears of it first.
//!
//! Reading order: `domain` (the rules), `service` (what is heard, and how a state is stored). The rest is the
//! chassis'.

pub mod domain;
pub mod language;
mod service;

use chassis::{App, Env};
use events::OrderEvent;

pub use language::SproutEvent;
pub use service::Sprout;

/// The tables of the service.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// The service, wired: what it hears and says.
pub fn app(_env: &mut Env) -> App<Sprout> {
    App::new(Sprout::default(), &MIGRATIONS)
        .hears::<OrderEvent>()
        .publishes::<SproutEvent>()
        .verified()
}
