//! A database of a test's own, and replicas of the service on it.

use chassis::testing::Harness;
use chassis::{App, CommandError};
use events::{CatalogueEvent, InventoryEvent, Money, OrderId, Sku};
use inventory::domain::{self, Lines, State};
use inventory::{Adjustment, Input, Inventory, Reply, Source};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

pub(crate) struct Tables {
    pub(crate) pool: PgPool,
    url: String,
}

impl Tables {
    pub(crate) async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("inventory").await.unwrap().owner_url;
        let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        let tables = Tables { pool, url };
        tables.migrate().await;
        tables
    }

    pub(crate) async fn migrate(&self) {
        chassis::testing::migrate(&self.url, &inventory::MIGRATIONS).await.unwrap();
    }

    pub(crate) async fn replica(&self) -> Harness<Inventory> {
        let app = App::new(Inventory::default(), &inventory::MIGRATIONS);
        let app = app.publishes::<InventoryEvent>().publishes::<CatalogueEvent>();
        Harness::start(app, &self.url).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// An item with this many free units.
    pub(crate) async fn item(&self, name: &str, free: i64) -> Sku {
        let (sku, price) = (sku(name), Money::new(100, "EUR".parse().unwrap()));
        let set = Input::Set { sku: sku.clone(), name: "An item".to_owned(), price };
        let mut replica = self.replica().await;
        for input in [set, adjust(&sku, free)] {
            told(&mut replica, input).await.unwrap();
        }
        sku
    }

    pub(crate) async fn state_of(&self, order: OrderId) -> Option<State> {
        chassis::find_row(&self.pool, order).await.unwrap().map(|shown| shown.state)
    }

    /// Units of an item: free, reserved, shipped.
    pub(crate) async fn units(&self, sku: &Sku) -> (i64, i64, i64) {
        let item = inventory::store::find(&self.pool, sku.as_str()).await.unwrap().unwrap();
        (item.free, item.reserved, item.shipped)
    }
}

pub(crate) fn sku(text: &str) -> Sku {
    Sku::new(text.to_owned()).unwrap()
}

pub(crate) fn adjust(sku: &Sku, delta: i64) -> Input {
    let (id, note, source) = (Uuid::new_v4(), String::new(), Source::Caller);
    Input::Adjust(Adjustment { id, sku: sku.clone(), delta, note, source })
}

pub(crate) fn placed(order: OrderId, lines: &Lines) -> Input {
    step(order, domain::Input::Placed { lines: lines.clone() })
}

pub(crate) fn step(order: OrderId, step: domain::Input) -> Input {
    Input::Order { order, step }
}

/// Has a replica process one input; returns what its caller is told.
pub(crate) async fn told(
    replica: &mut Harness<Inventory>,
    input: Input,
) -> Result<Reply, CommandError> {
    replica.submit([input]).await.pop().unwrap()
}
