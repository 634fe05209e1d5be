//! The SQL, against a real Postgres: each test has a database of its own.

mod open;
mod overdue;
mod reading;

use chassis::{Failure, Keyed, Presumed, Writes};
use sqlx::{Acquire, PgPool};
use uuid::Uuid;

use super::columns::tests::all_states;
use super::*;
use crate::domain::{Facts, Hold, State};
use crate::history::{self, Kind};
use crate::placement::{PlaceOrder, Wanted};
use crate::service::{Input, News, OrderInput};
use events::{CancelReason, Currency, Events, Money, OrderEvent, OrderLine};

const NOW: i64 = 1_764_000_000_000_000;

pub(crate) async fn database() -> PgPool {
    let servers = local::testing::servers().await.unwrap();
    let database = servers.fresh_database("order").await.unwrap();
    chassis::testing::migrate(&database.owner_url, &crate::MIGRATIONS).await.unwrap();
    PgPool::connect(&database.owner_url).await.unwrap()
}

fn eur(minor: i64) -> Money {
    Money::new(minor, "EUR".parse::<Currency>().unwrap())
}

fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

fn place(order_id: OrderId, key: &str) -> Arc<PlaceOrder> {
    Arc::new(PlaceOrder {
        order_id,
        customer_id: "customer-1".into(),
        lines: vec![Wanted { sku: sku("TEA"), quantity: 2 }],
        destination: "DE".into(),
        payment_token: "tok".into(),
        currency: None,
        key: key.into(),
        fingerprint: [7; 32],
    })
}

/// A row as made by a batch that places an order.
pub(crate) fn new_row(id: OrderId, key: &str, state: State) -> OrderState {
    let lines = vec![OrderLine { sku: sku("TEA"), quantity: 2, unit_price_minor: 250 }];
    let placed = Placed { order_id: id, lines, total: eur(500), placed_at_micros: NOW };
    let facts =
        Facts { id, customer_id: "customer-1".into(), total: eur(500), destination: "DE".into() };
    let new = New { place: place(id, key), placed: Arc::new(placed) };
    let mut log = Vec::new();
    history::append(&mut log, Kind::Placed, NOW);
    OrderState { log, new: Some(new), ..OrderState::read(facts, state) }
}

pub(crate) async fn insert(
    db: &PgPool,
    new: impl IntoIterator<Item = OrderState>,
) -> Result<(), chassis::Failure> {
    let new = new.into_iter().map(|order| (order.facts.id, order));
    let mut connection = db.acquire().await.unwrap();
    let connection = connection.acquire().await.unwrap();
    let orders = Keyed::default().led_to(connection, new, NOW).await?;
    write(db, Rows { orders, ..Rows::default() }).await
}

async fn write(db: &PgPool, rows: Rows) -> Result<(), chassis::Failure> {
    let mut connection = db.acquire().await.unwrap();
    let mut writes = Writes::default();
    save(&rows, &mut writes)?;
    writes.execute(connection.acquire().await.unwrap()).await
}

/// Reads everything that the inputs touch.
async fn read(db: &PgPool, inputs: &[Input]) -> Rows {
    let presumed = Presumed::default();
    let key = |input: &Input| match input {
        Input::Place(place) => Some(place.key.clone()),
        Input::Order(_) | Input::Price(..) => None,
    };
    presumed.take(inputs.iter().filter_map(key));
    presume(db, &presumed, inputs).await
}

/// Reads what is not presumed.
async fn presume(db: &PgPool, presumed: &Presumed<Arc<str>>, inputs: &[Input]) -> Rows {
    let mut connection = db.acquire().await.unwrap();
    let inputs: Vec<&Input> = inputs.iter().collect();
    let connection = connection.acquire().await.unwrap();
    load(connection, &Keyed::default(), presumed, &inputs).await.unwrap()
}

fn step(order: OrderId) -> Input {
    Input::Order(OrderInput::of(order, crate::domain::Input::Overdue))
}

/// Moves an order on, as a batch does.
pub(crate) async fn advance(db: &PgPool, id: OrderId, state: State, kind: Kind) {
    advance_with(db, id, state, kind, &News::None).await;
}

async fn advance_with(db: &PgPool, id: OrderId, state: State, kind: Kind, news: &News) {
    let rows = read(db, &[step(id)]).await;
    let facts = rows.orders.get(id).unwrap().facts.clone();
    let mut order = OrderState::read(facts, state);
    order.hear(news);
    history::append(&mut order.log, kind, NOW + 1);
    insert(db, [order]).await.unwrap();
}

#[tokio::test]
async fn orders_are_read_back_as_they_were_placed() {
    let db = database().await;
    let (one, two) = (OrderId::now(), OrderId::now());
    let cancelling = State::Cancelling {
        reason: CancelReason::OutOfStock,
        stock: Hold::Free,
        payment: Hold::Unknown,
    };
    insert(&db, [new_row(one, "1", State::AwaitingBoth), new_row(two, "2", cancelling)])
        .await
        .unwrap();
    let rows = read(&db, &[step(one), step(two), step(one), step(OrderId::now())]).await;
    assert_eq!(rows.orders.iter().count(), 2);
    let order = rows.orders.get(one).unwrap();
    assert_eq!(order.state, State::AwaitingBoth);
    assert_eq!((order.facts.total, order.facts.destination.as_str()), (eur(500), "DE"));
    assert!(order.log.is_empty());
    assert_eq!(rows.orders.get(two).unwrap().state, cancelling);
}

/// What the audit is told about each state. Exhaustive, so that a new state needs a word.
fn outcome(state: &State) -> &'static str {
    match state {
        State::AwaitingBoth
        | State::AwaitingStock
        | State::AwaitingPayment
        | State::Confirmed
        | State::CancellationRequested { .. }
        | State::Shipped
        | State::Cancelling { .. }
        | State::ReturningBoth
        | State::ReturningGoods
        | State::ReturningMoney => "open",
        State::Completed => "completed",
        State::Cancelled { .. } => "cancelled",
        State::Returned => "returned",
    }
}

#[tokio::test]
async fn the_audit_is_told_in_words_of_every_state_and_how_many_events_were_published() {
    let db = database().await;
    for (number, state) in all_states().into_iter().enumerate() {
        let id = OrderId::now();
        insert(&db, [new_row(id, &number.to_string(), state)]).await.unwrap();
        let told: (Option<String>, i64, bool) = sqlx::query_as(
            "select o.outcome, o.total_minor, o.sequence = p.sequence from audit.orders o \
               join audit.published p using (order_id) where p.topic = $1 and p.key = $2::text",
        )
        .bind(OrderEvent::TOPIC)
        .bind(id.0)
        .fetch_one(&db)
        .await
        .unwrap();
        assert_eq!(told, (Some(outcome(&state).to_owned()), 500, true), "{state:?}");
    }
}

#[tokio::test]
async fn a_step_adds_to_the_history_and_keeps_what_was_told() {
    let db = database().await;
    let id = OrderId::now();
    insert(&db, [new_row(id, "1", State::Confirmed)]).await.unwrap();
    let parcel = News::Tracking("PARCEL-1".into());
    advance_with(&db, id, State::Shipped, Kind::ShipmentDispatched, &parcel).await;
    advance(&db, id, State::Completed, Kind::Completed).await;

    let row = find(&db, id.0).await.unwrap().unwrap();
    let kinds: Vec<Kind> = history::entries(&row.history).map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Kind::Placed, Kind::ShipmentDispatched, Kind::Completed]);
    assert_eq!((row.state, row.version), (State::Completed, 3));
    assert_eq!(row.tracking_code.as_deref(), Some("PARCEL-1"));
}

#[tokio::test]
async fn a_key_answers_with_the_order_it_placed() {
    let db = database().await;
    let id = OrderId::now();
    let row = new_row(id, "the-key", State::AwaitingBoth);
    let placed = row.new.as_ref().unwrap().placed.clone();
    insert(&db, [row]).await.unwrap();
    advance(&db, id, State::Confirmed, Kind::Confirmed).await;
    let again = Input::Place(place(OrderId::now(), "the-key"));
    let other = Input::Place(place(OrderId::now(), "another"));
    let rows = read(&db, &[again, other]).await;
    assert_eq!(rows.answered.len(), 1);
    assert_eq!(rows.answered["the-key"].fingerprint, [7; 32]);
    assert_eq!(rows.answered["the-key"].placed, placed);
}

#[tokio::test]
async fn the_second_order_under_a_key_is_a_conflict() {
    let db = database().await;
    insert(&db, [new_row(OrderId::now(), "key", State::AwaitingBoth)]).await.unwrap();
    let second = insert(&db, [new_row(OrderId::now(), "key", State::AwaitingBoth)]).await;
    assert!(second.unwrap_err().is_conflict());
}

#[tokio::test]
async fn a_key_is_presumed_new_once_and_then_read() {
    let db = database().await;
    insert(&db, [new_row(OrderId::now(), "key", State::AwaitingBoth)]).await.unwrap();
    let presumed = Presumed::default();
    let again = [Input::Place(place(OrderId::now(), "key"))];
    assert!(presume(&db, &presumed, &again).await.answered.is_empty());
    assert!(presume(&db, &presumed, &again).await.answered.contains_key("key"));
}

#[tokio::test]
async fn no_request_is_refused_for_good_before_its_key_was_read() {
    let db = database().await;
    let place = [Input::Place(place(OrderId::now(), "key"))];
    let presumed = Presumed::default();
    let mut rows = presume(&db, &presumed, &place).await;
    rows.rejected = true;
    let failure = write(&db, rows).await.unwrap_err();
    assert!(matches!(&failure, Failure::Retry(_)) && !failure.is_conflict(), "{failure:?}");
    let mut rows = presume(&db, &presumed, &place).await;
    rows.rejected = true;
    write(&db, rows).await.unwrap();
}

#[tokio::test]
async fn of_two_prices_the_one_with_the_higher_number_stands_whichever_is_heard_last() {
    let db = database().await;
    let price =
        |minor, sequence| Arc::new(Price { name: "Tea".into(), unit: eur(minor), sequence });
    let tea = sku("TEA");
    // The last one is the same event once more.
    for (minor, sequence, listed) in [(100, 5, 100), (300, 9, 300), (200, 7, 300), (300, 9, 300)] {
        let input = Input::Price(tea.clone(), price(minor, sequence));
        let mut rows = read(&db, std::slice::from_ref(&input)).await;
        rows.prices.change(&tea, &price(minor, sequence));
        write(&db, rows).await.unwrap();
        let rows = read(&db, &[input]).await;
        assert_eq!(
            rows.prices.listed()[&tea].unit,
            eur(listed),
            "after {minor}, number {sequence}"
        );
    }

    // A replica that has not seen the newer price cannot overwrite it in the table either.
    let mut blind = Rows::default();
    blind.prices.change(&tea, &price(1, 8));
    write(&db, blind).await.unwrap();
    let rows = read(&db, &[Input::Price(tea.clone(), price(0, 0))]).await;
    assert_eq!(rows.prices.listed()[&tea].unit, eur(300));
}
