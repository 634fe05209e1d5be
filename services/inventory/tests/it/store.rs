//! The service's SQL: rows are read as they were written, two writers never overwrite each other, and
//! the database itself refuses to lose a unit.

use chassis::{Failure, Presumed, Remembered, Writes};
use events::{Money, OrderId, Sku};
use inventory::domain::{self, Item, Lines, State};
use inventory::store::{self, Loading, Reservation, Rows, StockRow, find, list};
use inventory::{Adjustment, Input, Source};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

const NOW_MICROS: i64 = 1_700_000_000_000_000;

struct Tables {
    pool: PgPool,
    url: String,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("inventory").await.unwrap().owner_url;
        chassis::testing::migrate(&url, &inventory::MIGRATIONS).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
        Tables { pool, url }
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// An item with so many free units.
    async fn item(&self, name: &str, free: i64) -> Sku {
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

fn sku(text: &str) -> Sku {
    Sku::new(text.to_owned()).unwrap()
}

fn adjust(sku: &Sku, delta: i64) -> Input {
    let (id, note, source) = (Uuid::new_v4(), String::new(), Source::Caller);
    Input::Adjust(Adjustment { id, sku: sku.clone(), delta, note, source })
}

fn placed(order: OrderId, lines: &Lines) -> Input {
    Input::Order { order, step: domain::Input::Placed { lines: lines.clone() } }
}

/// Reads all that the inputs touch.
async fn load(db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
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
struct Known {
    reservations: Remembered<OrderId, Reservation>,
    stock: Remembered<Sku, StockRow>,
    presumed: Presumed<OrderId>,
    lock: bool,
}

impl Known {
    async fn load(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        let Known { reservations, stock, presumed, lock } = self;
        Loading { reservations, stock, presumed, lock: *lock }.load(db, inputs).await
    }
}

async fn save(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let mut writes = Writes::default();
    store::save(rows, &mut writes)?;
    writes.execute(db).await
}

/// Decides a step of an order and saves it.
async fn step(db: &mut PgConnection, order: OrderId, step: domain::Input) -> Result<(), Failure> {
    let input = Input::Order { order, step: step.clone() };
    let mut rows = load(db, &[&input]).await?;
    decide(&mut rows, order, step);
    save(db, &rows).await
}

fn decide(rows: &mut Rows, order: OrderId, step: domain::Input) {
    let row = rows.reservations.entry(order).or_default();
    let decision = domain::decide(order, &row.state, step, &mut rows.stock, NOW_MICROS);
    row.sequence += decision.events.len() as i64;
    row.enter(decision.state, NOW_MICROS);
}

#[tokio::test]
async fn a_reservation_is_read_as_it_was_written_in_every_state() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 10).await;
    let lines = Lines::from([(tea.clone(), 4)]);
    let order = OrderId::now();
    let state = async |db: &mut PgConnection| {
        let input = Input::Order { order, step: domain::Input::Cancelled };
        load(db, &[&input]).await.unwrap().reservations.remove(&order).unwrap().state
    };
    step(&mut db, order, domain::Input::Placed { lines: lines.clone() }).await.unwrap();
    assert_eq!(state(&mut db).await, State::Reserved { lines: lines.clone() });
    step(&mut db, order, domain::Input::Shipped).await.unwrap();
    assert_eq!(state(&mut db).await, State::Deducted { lines });
    step(&mut db, order, domain::Input::Returned).await.unwrap();
    assert_eq!(state(&mut db).await, State::Returned);
    let item = find(&tables.pool, "tea").await.unwrap().unwrap();
    assert_eq!((item.free, item.reserved, item.shipped), (10, 0, 0));
}

#[tokio::test]
async fn a_tombstone_and_a_rejection_are_kept() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 1).await;
    for (step_of, expected) in [
        (domain::Input::Cancelled, State::Released),
        (domain::Input::Placed { lines: Lines::from([(tea, 2)]) }, State::Rejected),
    ] {
        let order = OrderId::now();
        step(&mut db, order, step_of.clone()).await.unwrap();
        let input = Input::Order { order, step: step_of };
        let rows = load(&mut db, &[&input]).await.unwrap();
        assert_eq!(rows.reservations[&order].state, expected);
    }
}

#[tokio::test]
async fn an_order_that_is_placed_again_is_presumed_new_once_and_then_read() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let order = OrderId::now();
    let lines = Lines::from([(tea, 1)]);
    let again = placed(order, &lines);
    step(&mut db, order, domain::Input::Placed { lines: lines.clone() }).await.unwrap();
    let known = Known::default();
    let mut rows = known.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows.reservations[&order].state, State::New);
    decide(&mut rows, order, domain::Input::Placed { lines: lines.clone() });
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    let rows = known.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows.reservations[&order].state, State::Reserved { lines });
}

#[tokio::test]
async fn a_whole_batch_on_one_sku_is_decided_and_saved_together() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let hot = tables.item("hot", 60).await;
    let lines = Lines::from([(hot.clone(), 1)]);
    let orders: Vec<OrderId> = (0..100).map(|_| OrderId::now()).collect();
    let inputs: Vec<Input> = orders.iter().map(|order| placed(*order, &lines)).collect();
    let mut rows = load(&mut db, &inputs.iter().collect::<Vec<_>>()).await.unwrap();
    for order in &orders {
        decide(&mut rows, *order, domain::Input::Placed { lines: lines.clone() });
    }
    save(&mut db, &rows).await.unwrap();
    let item = find(&tables.pool, "hot").await.unwrap().unwrap();
    assert_eq!((item.free, item.reserved), (0, 60));
    let rejected: i64 = sqlx::query_scalar("select count(*) from reservations where state = 2")
        .fetch_one(&tables.pool)
        .await
        .unwrap();
    assert_eq!(rejected, 40);
}

#[tokio::test]
async fn a_reservation_that_somebody_else_changed_is_a_conflict() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let tea = tables.item("tea", 5).await;
    let order = OrderId::now();
    let lines = Lines::from([(tea, 1)]);
    step(&mut one, order, domain::Input::Placed { lines }).await.unwrap();
    let shipped = Input::Order { order, step: domain::Input::Shipped };
    let mut stale = load(&mut one, &[&shipped]).await.unwrap();
    step(&mut other, order, domain::Input::Cancelled).await.unwrap();
    decide(&mut stale, order, domain::Input::Shipped);
    let mut tx = one.begin().await.unwrap();
    let failure = save(&mut tx, &stale).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
}

#[tokio::test]
async fn an_item_that_somebody_else_changed_is_a_conflict_also_where_it_was_remembered() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let known = Known::default();
    let lines = Lines::from([(tea.clone(), 1)]);
    let place = async |db: &mut PgConnection, known: &Known| {
        let order = OrderId::now();
        let mut rows = known.load(db, &[&placed(order, &lines)]).await.unwrap();
        let free = rows.stock.get(&tea).unwrap().free;
        decide(&mut rows, order, domain::Input::Placed { lines: lines.clone() });
        (free, rows)
    };
    let (free, rows) = place(&mut db, &known).await;
    save(&mut db, &rows).await.unwrap();
    assert_eq!(free, 5);
    known.stock.put(rows.stock.written());

    let (remembered, rows) = place(&mut db, &known).await;
    let (read, others) = place(&mut db, &Known::default()).await;
    save(&mut db, &others).await.unwrap();
    assert_eq!((remembered, read), (4, 4));
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    // What lost is forgotten, so the next attempt reads what is there.
    let (free, rows) = place(&mut db, &known).await;
    save(&mut db, &rows).await.unwrap();
    assert_eq!(free, 3);
}

#[tokio::test]
async fn nobody_is_told_of_a_shortage_that_is_only_remembered() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 1).await;
    let (known, lines) = (Known::default(), Lines::from([(tea.clone(), 1)]));
    let (first, second) = (OrderId::now(), OrderId::now());
    let mut rows = known.load(&mut db, &[&placed(first, &lines)]).await.unwrap();
    decide(&mut rows, first, domain::Input::Placed { lines: lines.clone() });
    save(&mut db, &rows).await.unwrap();
    known.stock.put(rows.stock.written());

    let mut refused_at = Vec::new();
    for attempt in 0..2 {
        let mut rows = known.load(&mut db, &[&placed(second, &lines)]).await.unwrap();
        decide(&mut rows, second, domain::Input::Placed { lines: lines.clone() });
        if let Err(failure) = save(&mut db, &rows).await {
            assert!(matches!(failure, Failure::Retry(_)) && !failure.is_conflict(), "{failure:?}");
            refused_at.push(attempt);
        }
    }
    assert_eq!(refused_at, [0]);
}

#[tokio::test]
async fn items_that_replicas_share_are_read_anew_and_stay_locked_until_the_commit() {
    let tables = Tables::new().await;
    let (mut one, mut other) = (tables.connect().await, tables.connect().await);
    let tea = tables.item("tea", 5).await;
    let known = Known { lock: true, ..Known::default() };
    let order = OrderId::now();
    let lines = Lines::from([(tea.clone(), 2)]);
    let mut tx = one.begin().await.unwrap();
    let mut rows = known.load(&mut tx, &[&placed(order, &lines)]).await.unwrap();
    let taken = "select sku from stock for update nowait";
    let refused = sqlx::query(taken).execute(&mut other).await.unwrap_err();
    assert!(refused.to_string().contains("could not obtain lock"), "{refused}");
    decide(&mut rows, order, domain::Input::Placed { lines });
    save(&mut tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
    sqlx::query(taken).execute(&mut other).await.unwrap();
    assert_eq!(rows.stock.written().count(), 0);
}

#[tokio::test]
async fn an_adjustment_is_found_again_by_its_id_and_its_row_cannot_be_written_twice() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let tea = tables.item("tea", 5).await;
    let input = adjust(&tea, 7);
    let Input::Adjust(adjustment) = &input else { unreachable!("made above") };
    for round in 0..2 {
        let mut rows = load(&mut db, &[&input]).await.unwrap();
        assert_eq!(rows.adjustments.contains_key(&adjustment.id), round == 1);
        domain::adjust(&tea, rows.stock.get_mut(&tea), 7, NOW_MICROS).unwrap();
        rows.adjusted(adjustment, NOW_MICROS);
        let saved = save(&mut db, &rows).await;
        assert_eq!(saved.is_ok(), round == 0, "round {round}");
    }
}

#[tokio::test]
async fn the_database_refuses_to_lose_a_unit() {
    let tables = Tables::new().await;
    tables.item("tea", 5).await;
    for statement in [
        "update stock set free = free - 1",
        "update stock set free = -1, reserved = reserved + 6",
        "update stock set adjusted = adjusted + 1",
    ] {
        let refused = sqlx::query(statement).execute(&tables.pool).await.unwrap_err();
        assert!(refused.to_string().contains("check"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn items_are_listed_in_the_order_of_their_skus_a_page_at_a_time() {
    let tables = Tables::new().await;
    for name in ["c", "a", "b"] {
        tables.item(name, 1).await;
    }
    let skus = |page: Vec<inventory::store::Listed>| -> Vec<String> {
        page.into_iter().map(|item| item.sku).collect()
    };
    assert_eq!(skus(list(&tables.pool, "", 2).await.unwrap()), ["a", "b"]);
    assert_eq!(skus(list(&tables.pool, "b", 2).await.unwrap()), ["c"]);
}
