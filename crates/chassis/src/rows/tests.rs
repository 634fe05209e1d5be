//! What rows by key promise, whatever the service: two replicas on one database, each with a memory of
//! its own.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands, in its helpers too")]

use events::{OrderId, ShipmentCancelled, ShippingEvent};
use sqlx::Connection;
use sqlx::migrate::Migrator;

use super::*;
use crate::app::App;
use crate::service::NoCall;
use crate::testing::Harness;

static NO_MIGRATIONS: Migrator = Migrator::DEFAULT;

/// A number for each key.
#[derive(Debug, Clone, Default, PartialEq)]
struct Count(i64);

impl Stored for Count {
    type Key = OrderId;
    const TABLE: Table = Table {
        name: "counts",
        key: "id",
        is_dated: true,
        columns: &[Column::set("n"), Column::keep("first")],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        Ok(Count(row.try_get("n")?))
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let first = |state: &&Self| (state.0 == 1).then_some(1_i64);
        columns
            .column("n", states.iter().map(|state| state.0).collect::<Vec<_>>())
            .column("first", states.iter().map(first).collect::<Vec<_>>())
    }
}

#[derive(Debug, Clone, Copy)]
enum Input {
    /// From nothing to one, and only from there.
    Begin,
    /// Does nothing, although a key begins with it.
    BeginNot,
    Set(i64),
    Add(i64),
    /// Adds one while it is below this.
    AddBelow(i64),
}

#[derive(Default)]
struct Counts {
    rows: Keyed<Count>,
}

impl KeyedService for Counts {
    const NAME: &'static str = "counts";
    type State = Count;
    type Input = Input;
    type Event = ShippingEvent;
    type Call = NoCall;

    fn rows(&self) -> &Keyed<Count> {
        &self.rows
    }

    fn decide(
        order_id: OrderId,
        Count(n): &Count,
        input: Input,
        occurred_at: i64,
    ) -> Decision<Count, ShippingEvent> {
        let next = match input {
            Input::Begin => (*n == 0).then_some(1),
            Input::BeginNot => None,
            Input::Set(to) => Some(to),
            Input::Add(more) => Some(n + more),
            Input::AddBelow(most) => (*n < most).then_some(n + 1),
        };
        let Some(next) = next else { return Decision::keep(&Count(*n)) };
        let said = ShipmentCancelled { order_id, occurred_at };
        Decision { state: Count(next), events: vec![said.into()], calls: Vec::new() }
    }

    fn begins(input: &Input) -> bool {
        matches!(input, Input::Begin | Input::BeginNot)
    }

    fn open_call(_: OrderId, _: &Count) -> Option<NoCall> {
        None
    }
}

/// A database of its own.
struct World {
    url: String,
    pool: PgPool,
}

impl World {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let url = servers.fresh_database("rows").await.unwrap().owner_url;
        crate::testing::migrate(&url, &NO_MIGRATIONS).await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        sqlx::raw_sql(
            "create table counts (id uuid primary key, version bigint not null, sequence bigint not null,
                                  changed_at timestamptz not null, n bigint not null, first bigint)",
        )
        .execute(&pool)
        .await
        .unwrap();
        World { url, pool }
    }

    async fn replica(&self) -> Harness<Counts> {
        let app = App::new(Counts::default(), &NO_MIGRATIONS).publishes::<ShippingEvent>();
        Harness::start(app, &self.url).await.unwrap()
    }

    /// The number, how many events there were, and how often the row was written.
    async fn row(&self, key: OrderId) -> Option<(i64, i64, i64)> {
        sqlx::query_as("select n, sequence, version from counts where id = $1")
            .bind(key.0)
            .fetch_optional(&self.pool)
            .await
            .unwrap()
    }
}

async fn submit(replica: &mut Harness<Counts>, key: OrderId, input: Input) {
    replica.submit([Addressed::to(key, input)]).await.pop().unwrap().unwrap();
}

#[tokio::test]
async fn what_is_written_on_a_remembered_row_is_decided_again_where_another_replica_was_faster() {
    let world = World::new().await;
    let (mut one, mut other) = (world.replica().await, world.replica().await);
    let key = OrderId::now();
    submit(&mut one, key, Input::Begin).await;
    submit(&mut other, key, Input::Add(10)).await;
    submit(&mut one, key, Input::Add(1)).await;
    assert_eq!(world.row(key).await, Some((12, 3, 3)));
}

#[tokio::test]
async fn what_keeps_a_remembered_row_is_decided_again_on_the_row_as_it_is() {
    let world = World::new().await;
    let (mut one, mut other) = (world.replica().await, world.replica().await);
    let key = OrderId::now();
    submit(&mut one, key, Input::Set(11)).await;
    submit(&mut other, key, Input::Set(1)).await;
    submit(&mut one, key, Input::AddBelow(5)).await;
    assert_eq!(world.row(key).await, Some((2, 3, 3)), "it remembers eleven");
}

#[tokio::test]
async fn a_key_that_begins_is_presumed_new_and_read_where_it_is_not() {
    let world = World::new().await;
    let (mut one, mut other) = (world.replica().await, world.replica().await);
    let key = OrderId::now();
    for replica in [&mut one, &mut other] {
        submit(replica, key, Input::Begin).await;
    }
    assert_eq!(world.row(key).await, Some((1, 1, 1)));
    assert_eq!(other.published().await.unwrap().len(), 1, "told once");
    for again in [Input::Begin, Input::BeginNot] {
        submit(&mut other, key, again).await;
        assert_eq!(world.row(key).await, Some((1, 1, 1)), "presumed once more, and read");
    }
}

#[tokio::test]
async fn what_is_remembered_or_presumed_is_not_read() {
    let world = World::new().await;
    let mut db = PgConnection::connect(&world.url).await.unwrap();
    // Any read of it fails.
    sqlx::raw_sql("drop table counts").execute(&mut db).await.unwrap();
    let counts: Keyed<Count> = Keyed::default();
    let key = OrderId::now();
    let touched = |begins| [Touched { key, begins }];
    counts.load(&mut db, touched(false)).await.map(drop).unwrap_err();
    let mut rows = counts.load(&mut db, touched(true)).await.unwrap();
    assert_eq!(rows.get(key), Some(&Count(0)));
    counts.load(&mut db, touched(true)).await.map(drop).unwrap_err();

    let row = rows.rows.get_mut(&key).unwrap();
    (row.state, row.changed_at) = (Count(7), Some(1));
    counts.committed(rows);
    let rows = counts.load(&mut db, touched(false)).await.unwrap();
    assert_eq!(rows.get(key), Some(&Count(7)));
    counts.load(&mut db, touched(false)).await.map(drop).unwrap_err();
}

#[tokio::test]
async fn a_batch_of_new_old_and_repeated_keys_is_one_write_with_numbers_without_gaps() {
    let world = World::new().await;
    let mut replica = world.replica().await;
    let keys: Vec<OrderId> = (0..50).map(|_| OrderId::now()).collect();
    for half in [&keys[..25], &keys[..]] {
        let twice = half.iter().chain(half).map(|key| Addressed::to(*key, Input::Add(1)));
        replica.submit(twice).await;
    }
    for (place, key) in keys.iter().enumerate() {
        let (times, writes) = if place < 25 { (4, 2) } else { (2, 1) };
        assert_eq!(world.row(*key).await, Some((times, times, writes)));
    }
    let batches: i64 = sqlx::query_scalar("select batch from flotilla.outbox_head")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(batches, 2);
}

#[tokio::test]
async fn what_nobody_changes_is_not_written_and_a_column_that_is_kept_outlives_its_state() {
    let world = World::new().await;
    let mut replica = world.replica().await;
    let [old, never_heard_of] = [OrderId::now(), OrderId::now()];
    submit(&mut replica, old, Input::Begin).await;
    for key in [old, never_heard_of] {
        submit(&mut replica, key, Input::AddBelow(0)).await;
    }
    assert_eq!(world.row(old).await, Some((1, 1, 1)));
    assert_eq!(world.row(never_heard_of).await, None);
    submit(&mut replica, old, Input::Set(7)).await;
    let shown = find_row::<Count>(&world.pool, old).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.row.get("first")), (Count(7), Some(1_i64)));
    assert!(find_row::<Count>(&world.pool, never_heard_of).await.unwrap().is_none());
}
