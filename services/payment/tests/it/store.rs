//! The service's SQL against a real Postgres: states are read as they were written, two writers never
//! overwrite each other, and open calls are found again.

use std::sync::Arc;

use chassis::{Calls, Failure, Service, Settlement, Writes};
use events::{DeclineReason, Money, OrderId};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use payment::domain::{self, Call, State};
use payment::store::{self, Rows, find, load};
use payment::{Input, Payments};

const NOW_MICROS: i64 = 1_700_000_000_000_000;

fn amount() -> Money {
    Money::new(1050, "EUR".parse().unwrap())
}

fn authorizing() -> State {
    State::Authorizing { amount: amount(), token: "tok_visa".into() }
}

fn every_stored_state() -> Vec<State> {
    let (amount, token) = (amount(), "tok_visa".to_owned());
    let authorization = "pi_1".to_owned();
    let held = authorization.clone();
    vec![
        authorizing(),
        State::VoidAfterAuthorizing { amount, token },
        State::Declined { reason: DeclineReason::Unknown },
        State::Declined { reason: DeclineReason::CardDeclined },
        State::Declined { reason: DeclineReason::InsufficientFunds },
        State::Declined { reason: DeclineReason::ExpiredCard },
        State::Authorized { amount, authorization: held.clone() },
        State::Voiding { authorization: held.clone() },
        State::Voided,
        State::Capturing { amount, authorization: held.clone() },
        State::Received { amount, authorization: held.clone() },
        State::Refunding { amount, authorization: held },
        State::Refunded { amount },
    ]
}

async fn save(db: &mut PgConnection, rows: &Rows) -> Result<(), Failure> {
    let mut writes = Writes::default();
    store::save(rows, &mut writes)?;
    writes.execute(db).await
}

/// Loads one payment, moves it, and saves it.
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
        enter(&mut db, order, authorizing()).await.unwrap();
        if matches!(state, State::Refunded { .. }) {
            let authorization = "pi_1".to_owned();
            let refunding = State::Refunding { amount: amount(), authorization };
            enter(&mut db, order, refunding).await.unwrap();
        }
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
            row.enter(authorizing(), NOW_MICROS);
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
    enter(&mut db, old, authorizing()).await.unwrap();
    let mut rows = load(&mut db, vec![old.0, never_heard_of.0]).await.unwrap();
    rows.entry(never_heard_of).or_default();
    save(&mut db, &rows).await.unwrap();
    let writes: i64 =
        sqlx::query_scalar("select version from payments").fetch_one(&mut db).await.unwrap();
    assert_eq!(writes, 1);
    assert_eq!(state_of(&mut db, never_heard_of).await, None);
}

#[tokio::test]
async fn an_order_that_is_placed_again_is_presumed_new_once_and_then_read() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, authorizing()).await.unwrap();
    let service = Payments::default();
    let step = domain::Input::Placed { amount: amount(), token: "tok_visa".into() };
    let again = Input::of(order, step);
    let mut rows = service.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows[&order].state, State::New);
    rows.get_mut(&order).unwrap().enter(authorizing(), NOW_MICROS);
    let failure = save(&mut db, &rows).await.unwrap_err();
    assert!(failure.is_conflict(), "{failure:?}");
    let rows = service.load(&mut db, &[&again]).await.unwrap();
    assert_eq!(rows[&order].state, authorizing());
}

#[tokio::test]
async fn who_comes_second_has_a_conflict_and_overwrites_nothing() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    let first_row = State::Voided;
    for (theirs, ours) in [
        (authorizing(), first_row),
        (State::Declined { reason: DeclineReason::Unknown }, authorizing()),
    ] {
        let mut rows: Rows = load(&mut db, vec![order.0]).await.unwrap();
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
    enter(&mut db, open, authorizing()).await.unwrap();
    enter(&mut db, answered, authorizing()).await.unwrap();
    enter(&mut db, answered, State::Declined { reason: DeclineReason::Unknown }).await.unwrap();
    let keys = [open.0, answered.0, never_heard_of.0];
    let calls = Payments::default().open_calls(&mut db, &keys).await.unwrap();
    let call = Call::Authorize { order: open, amount: amount(), token: "tok_visa".into() };
    assert_eq!(calls, [(open.0, call)]);
}

#[tokio::test]
async fn a_payment_shows_what_it_held_and_forgets_the_token() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    let authorization = "pi_1".to_owned();
    enter(&mut db, order, authorizing()).await.unwrap();
    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert_eq!(row.next_attempt_at, None, "nobody asked for a call");
    sqlx::query("insert into flotilla.intents values (gen_random_uuid(), array[$1], now())")
        .bind(order.0)
        .execute(&mut db)
        .await
        .unwrap();
    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert!(row.next_attempt_at.is_some());
    enter(&mut db, order, State::Voiding { authorization }).await.unwrap();
    enter(&mut db, order, State::Voided).await.unwrap();

    let row = find(&tables.pool, order.0).await.unwrap().unwrap();
    assert_eq!(row.state, State::Voided);
    assert_eq!(row.amount, Some(amount()));
    assert_eq!(row.authorization_id.as_deref(), Some("pi_1"));
    assert_eq!(row.changed_at.timestamp_micros(), NOW_MICROS);
    assert_eq!(row.next_attempt_at, None, "the outcome is there; its intent may be for a moment");
    let token: Option<String> =
        sqlx::query_scalar("select payment_token from payments").fetch_one(&mut db).await.unwrap();
    assert_eq!(token, None);
    assert!(find(&tables.pool, OrderId::now().0).await.unwrap().is_none());
}

#[tokio::test]
async fn a_tombstone_needs_no_amount() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, State::Voided).await.unwrap();
    assert_eq!(find(&tables.pool, order.0).await.unwrap().unwrap().amount, None);
}

#[tokio::test]
async fn what_an_operator_says_is_recorded_with_its_effect_and_never_changed() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    enter(&mut db, order, authorizing()).await.unwrap();
    let authorization = "pi_1".to_owned();
    let mut rows = load(&mut db, vec![order.0]).await.unwrap();
    let row = rows.get_mut(&order).unwrap();
    let settlement = Settlement { by: "ada".to_owned(), reason: "seen in the console".to_owned() };
    let said = domain::Input::Authorized { authorization: authorization.clone() };
    row.settled.push((said, Arc::new(settlement)));
    row.enter(State::Authorized { amount: amount(), authorization }, NOW_MICROS);
    save(&mut db, &rows).await.unwrap();

    let recorded: (Uuid, String, Option<String>, String, String) = sqlx::query_as(
        "select order_id, outcome, authorization_id, settled_by, reason from settlements",
    )
    .fetch_one(&mut db)
    .await
    .unwrap();
    let (id, outcome, authorization, by, reason) = recorded;
    assert_eq!(
        (id, outcome.as_str(), authorization.as_deref()),
        (order.0, "authorized", Some("pi_1"))
    );
    assert_eq!((by.as_str(), reason.as_str()), ("ada", "seen in the console"));
    for change in [
        "update settlements set reason = 'another'",
        "delete from settlements",
        "truncate settlements",
    ] {
        let refused = sqlx::query(change).execute(&mut db).await.unwrap_err();
        assert!(refused.to_string().contains("only ever added"), "{change}: {refused}");
    }
}

#[tokio::test]
async fn two_outcomes_that_an_operator_says_in_one_batch_are_both_recorded() {
    let tables = Tables::new().await;
    let mut db = tables.connect().await;
    let order = OrderId::now();
    let token = "tok_visa".to_owned();
    enter(&mut db, order, State::VoidAfterAuthorizing { amount: amount(), token }).await.unwrap();
    let mut rows = load(&mut db, vec![order.0]).await.unwrap();
    let row = rows.get_mut(&order).unwrap();
    let said =
        [domain::Input::Authorized { authorization: "pi_1".to_owned() }, domain::Input::Voided];
    for said in said {
        let settlement = Settlement { by: "ada".to_owned(), reason: "seen".to_owned() };
        row.settled.push((said, Arc::new(settlement)));
    }
    row.enter(State::Voided, NOW_MICROS);
    save(&mut db, &rows).await.unwrap();
    let recorded: Vec<String> =
        sqlx::query_scalar("select outcome from settlements order by settlement_id")
            .fetch_all(&mut db)
            .await
            .unwrap();
    assert_eq!(recorded, ["authorized", "voided"]);
}

/// A database of its own, with the service's tables.
struct Tables {
    pool: PgPool,
    url: String,
}

impl Tables {
    async fn new() -> Self {
        let servers = local::testing::servers().await.unwrap();
        let database = servers.fresh_database("payment").await.unwrap();
        let url = database.owner_url;
        chassis::testing::migrate(&url, &payment::MIGRATIONS).await.unwrap();
        let pool = PgPool::connect(&url).await.unwrap();
        Tables { pool, url }
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }
}
