//! The service's SQL against a real Postgres: states are read as they were written, two writers never
//! overwrite each other, and open calls are found again.

use std::sync::Arc;

use chassis::{Calls, Failure, Service, Settlement, Writes};
use events::{OrderId, RefusalReason};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use shipping::domain::{self, Call, State};
use shipping::store::{self, Rows, find, load};
use shipping::{Input, Shipments};

const NOW_MICROS: i64 = 1_700_000_000_000_000;

fn booking() -> State {
    State::Booking { destination: "DE".into() }
}

fn every_stored_state() -> Vec<State> {
    vec![
        booking(),
        State::CancelAsked { destination: "DE".into() },
        State::Dispatched { tracking: "T1".into() },
        State::Refused { reason: RefusalReason::Unknown },
        State::Refused { reason: RefusalReason::DestinationNotServed },
        State::Refused { reason: RefusalReason::GoodsNotAccepted },
        State::Cancelled,
    ]
}

async fn save(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let mut writes = Writes::default();
    store::save(rows, &mut writes)?;
    writes.execute(db).await
}

/// Loads one shipment, moves it, and saves it.
async fn enter(db: &mut PgConnection, order: OrderId, state: State) -> Result<(), Failure> {
    let mut rows = load(db, vec![order.0]).await?;
    rows.entry(order).or_default().enter(state, NOW_MICROS);
    save(db, &rows).await
}

async fn state_of(db: &mut PgConnection, order: OrderId) -> Option<State> {
    load(db, vec![order.0]).await.unwrap().remove(&order).map(|row| row.state)
}

#[tokio::test]
async fn every_state_is_read_as_it_was_written() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    for state in every_stored_state() {
        let order = OrderId::now();
        enter(&mut db, order, booking()).await.unwrap();
        enter(&mut db, order, state.clone()).await.unwrap();
        assert_eq!(state_of(&mut db, order).await, Some(state));
    }
    assert_eq!(state_of(&mut db, OrderId::now()).await, None);
}

#[tokio::test]
async fn a_batch_of_new_and_old_rows_is_saved_together() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let orders: Vec<_> = (0..50).map(|_| OrderId::now()).collect();
    for half in [&orders[..25], &orders[..]] {
        // An order may be named by several inputs of a batch.
        let ids = half.iter().chain(half).map(|order| order.0).collect();
        let mut rows = load(&mut db, ids).await.unwrap();
        for order in half {
            let row = rows.entry(*order).or_default();
            row.sequence += 1;
            row.enter(booking(), NOW_MICROS);
        }
        save(&mut db, &rows).await.unwrap();
    }
    let rows = load(&mut db, orders.iter().map(|order| order.0).collect()).await.unwrap();
    let sequences: Vec<_> = orders.iter().map(|order| rows[order].sequence).collect();
    assert_eq!(sequences, [vec![2; 25], vec![1; 25]].concat());
}

#[tokio::test]
async fn what_nobody_changed_is_not_written() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let [old, never_heard_of] = [OrderId::now(), OrderId::now()];
    enter(&mut db, old, booking()).await.unwrap();
    let mut rows = load(&mut db, vec![old.0, never_heard_of.0]).await.unwrap();
    rows.entry(never_heard_of).or_default();
    save(&mut db, &rows).await.unwrap();
    let writes: i64 =
        sqlx::query_scalar("select version from shipments").fetch_one(&mut db).await.unwrap();
    assert_eq!(writes, 1);
    assert_eq!(state_of(&mut db, never_heard_of).await, None);
}

/// The carrier's answers to a booking and to its cancellation may meet in two replicas: the first that
/// is committed is the truth.
#[tokio::test]
async fn an_order_that_is_confirmed_again_is_presumed_new_once_and_then_read() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, booking()).await.unwrap();
    let service = Shipments::default();
    let step = domain::Input::Confirmed { destination: "DE".into() };
    let again = Input::of(order, step);
    let mut rows = service.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows[&order].state, State::New);
    rows.get_mut(&order).unwrap().enter(booking(), NOW_MICROS);
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    let rows = service.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows[&order].state, booking());
}

#[tokio::test]
async fn who_comes_second_has_a_conflict_and_overwrites_nothing() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    let dispatched = State::Dispatched { tracking: "T1".into() };
    for (theirs, ours) in [(booking(), State::Cancelled), (State::Cancelled, dispatched)] {
        let mut rows = load(&mut db, vec![order.0]).await.unwrap();
        enter(&mut db, order, theirs.clone()).await.unwrap();
        rows.entry(order).or_default().enter(ours, NOW_MICROS);
        let failure = save(&mut db, &rows).await.unwrap_err();
        assert!(failure.is_conflict(), "{failure:?}");
        assert_eq!(state_of(&mut db, order).await, Some(theirs));
    }
}

#[tokio::test]
async fn a_call_is_open_until_its_outcome_is_written() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let [open, answered, never_heard_of] = [OrderId::now(), OrderId::now(), OrderId::now()];
    enter(&mut db, open, booking()).await.unwrap();
    enter(&mut db, answered, booking()).await.unwrap();
    enter(&mut db, answered, State::Cancelled).await.unwrap();
    let keys = [open.0, answered.0, never_heard_of.0];
    let calls = Shipments::default().open_calls(&mut db, &keys).await.unwrap();
    let call = Call::Book { order: open, destination: "DE".into() };
    assert_eq!(calls, [(open.0, call)]);
}

#[tokio::test]
async fn a_shipment_shows_where_it_was_to_go() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, booking()).await.unwrap();
    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert_eq!(row.next_attempt_at, None, "nobody asked for a call");
    sqlx::query("insert into flotilla.intents values (gen_random_uuid(), array[$1], now())")
        .bind(order.0)
        .execute(&mut db)
        .await
        .unwrap();
    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert!(row.next_attempt_at.is_some());
    enter(&mut db, order, State::Cancelled).await.unwrap();

    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert_eq!(row.state, State::Cancelled);
    assert_eq!(row.destination.as_deref(), Some("DE"));
    assert_eq!(row.changed_at.timestamp_micros(), NOW_MICROS);
    assert_eq!(row.next_attempt_at, None, "the outcome is there; its intent may be for a moment");
    assert!(find(&tables.pool, OrderId::now().0).await.unwrap().is_none());
}

#[tokio::test]
async fn a_tombstone_needs_no_destination() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, State::Cancelled).await.unwrap();
    assert_eq!(find(&tables.pool, order.0).await.unwrap().unwrap().destination, None);
}

/// Writes what an operator says of a booking that stays open.
async fn settle(db: &mut PgConnection, said: domain::Input, state: State) -> OrderId {
    let order = OrderId::now();
    enter(db, order, booking()).await.unwrap();
    let mut rows = load(db, vec![order.0]).await.unwrap();
    let row = rows.get_mut(&order).unwrap();
    let settlement = Settlement { by: "ada".to_owned(), reason: "asked the carrier".to_owned() };
    row.settled = Some((said, Arc::new(settlement)));
    row.enter(state, NOW_MICROS);
    save(db, &rows).await.unwrap();
    order
}

#[tokio::test]
async fn what_an_operator_says_is_recorded_with_its_effect_and_never_changed() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    for (said, state, expected) in [
        (
            domain::Input::Dispatched { tracking: "T1".into() },
            State::Dispatched { tracking: "T1".into() },
            ("dispatched", Some("T1"), None),
        ),
        (
            domain::Input::Refused { reason: RefusalReason::GoodsNotAccepted },
            State::Refused { reason: RefusalReason::GoodsNotAccepted },
            ("refused", None, Some("goods_not_accepted")),
        ),
        (
            domain::Input::Refused { reason: RefusalReason::DestinationNotServed },
            State::Refused { reason: RefusalReason::DestinationNotServed },
            ("refused", None, Some("destination_not_served")),
        ),
        (
            domain::Input::Refused { reason: RefusalReason::Unknown },
            State::Refused { reason: RefusalReason::Unknown },
            ("refused", None, Some("unknown")),
        ),
        (domain::Input::Cancelled, State::Cancelled, ("cancelled", None, None)),
    ] {
        let order = settle(&mut db, said, state.clone()).await;
        let recorded: (Uuid, String, Option<String>, Option<String>, String, String) =
            sqlx::query_as(
                "select order_id, outcome, tracking_code, refusal_reason, settled_by, reason \
                   from settlements order by settlement_id desc limit 1",
            )
            .fetch_one(&mut db)
            .await
            .unwrap();
        let (id, outcome, tracking, refusal, by, reason) = recorded;
        assert_eq!(id, order.0);
        assert_eq!((outcome.as_str(), tracking.as_deref(), refusal.as_deref()), expected);
        assert_eq!((by.as_str(), reason.as_str()), ("ada", "asked the carrier"));
        assert_eq!(state_of(&mut db, order).await, Some(state));
    }
    for change in [
        "update settlements set reason = 'another'",
        "delete from settlements",
        "truncate settlements",
    ] {
        let refused = sqlx::query(change).execute(&mut db).await.unwrap_err();
        assert!(refused.to_string().contains("only ever added"), "{change}: {refused}");
    }
}

/// A database of its own, with the service's tables.
struct Tables {
    pool: PgPool,
    url: String,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("shipping").await.unwrap();
        let url = database.owner_url;
        chassis::testing::migrate(&url, &shipping::MIGRATIONS).await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        Tables { pool, url }
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}
