//! A database of a test's own, and a batch's way through it in steps.

use chassis::{Failure, Presumed, Remembered, Writes};
use events::{Money, OrderId, Sku};
use inventory::domain::{self, Item, Lines};
use inventory::store::{self, Loading, Reservation, Rows, StockRow};
use inventory::{Adjustment, Input, Source};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

pub(crate) const NOW_MICROS: i64 = 1_700_000_000_000_000;

pub(crate) struct Tables {
    pub(crate) pool: PgPool,
    url: String,
}

impl Tables {
    pub(crate) async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("inventory").await.unwrap().owner_url;
        chassis::testing::migrate(&url, &inventory::MIGRATIONS).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        Tables { pool, url }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// An item with so many free units.
    pub(crate) async fn item(&self, name: &str, free: i64) -> Sku {
        let mut db = self.connect().await;
        let sku = sku(name);
        let mut rows = load(&mut db, &[&adjust(&sku, free)]).await.unwrap();
        let price = Money::new(100, "EUR".parse().unwrap());
        let (item, _) = domain::set(&sku, None, "An item".to_owned(), price, NOW_MICROS);
        rows.stock.put(&sku, Item { free, ..item }, NOW_MICROS);
        let Input::Adjust(adjustment) = adjust(&sku, free) else { unreachable!("made above") };
        rows.adjusted(&adjustment, NOW_MICROS);
        save(&mut db, &rows).await.unwrap();
        sku
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
    Input::Order { order, step: domain::Input::Placed { lines: lines.clone() } }
}

/// Reads all that the inputs touch.
pub(crate) async fn load(db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
    let presumed = Presumed::default();
    let order = |input: &&Input| match input {
        Input::Order { order, .. } => Some(*order),
        Input::Set { .. } | Input::Adjust(_) => None,
    };
    presumed.take(inputs.iter().filter_map(order));
    Known { presumed, ..Known::default() }.load(db, inputs).await
}

/// What a replica knows beforehand.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) reservations: Remembered<OrderId, Reservation>,
    pub(crate) stock: Remembered<Sku, StockRow>,
    pub(crate) presumed: Presumed<OrderId>,
    pub(crate) lock: bool,
}

impl Known {
    pub(crate) async fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&Input],
    ) -> Result<Rows, Failure> {
        let Known { reservations, stock, presumed, lock } = self;
        Loading { reservations, stock, presumed, lock: *lock }.load(db, inputs).await
    }
}

pub(crate) async fn save(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let mut writes = Writes::default();
    store::save(rows, &mut writes)?;
    writes.execute(db).await
}

/// Decides a step of an order and saves it.
pub(crate) async fn step(
    db: &mut PgConnection,
    order: OrderId,
    step: domain::Input,
) -> Result<(), Failure> {
    let input = Input::Order { order, step: step.clone() };
    let mut rows = load(db, &[&input]).await?;
    decide(&mut rows, order, step);
    save(db, &rows).await
}

pub(crate) fn decide(rows: &mut Rows, order: OrderId, step: domain::Input) {
    let row = rows.reservations.entry(order).or_default();
    let decision = domain::decide(order, &row.state, step, &mut rows.stock, NOW_MICROS);
    row.sequence += decision.events.len() as i64;
    row.enter(decision.state, NOW_MICROS);
}
