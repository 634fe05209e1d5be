//! The service through the executor, on a real Postgres.

use chassis::Env;
use chassis::measuring::Wire;
use chassis::testing::Harness;
use sqlx::{Connection, PgConnection};

use super::*;
use crate::placement::Wanted;

/// The columns are those of the previous release, which told no customer when an order ended.
const SHIPPED: &str = "insert into orders (order_id, total_minor, placed_at, sequence, version, state, \
            customer_id, currency, destination, lines, history) \
     values ($1, 500, now(), 3, 5, 6, 'customer-7', 'EUR', 'DE', '[]', '')";

#[tokio::test]
async fn an_order_that_an_earlier_release_placed_ends_with_its_customer_named() {
    let (mut replica, mut db) = start().await;
    let id = OrderId::now();
    sqlx::query(SHIPPED).bind(id.0).execute(&mut db).await.unwrap();
    for input in [domain::Input::PaymentReceived, domain::Input::Return] {
        replica.submit([Input::Order(OrderInput::of(id, input))]).await;
    }
    let wire = Wire::<OrderEvent>::default();
    let told = replica.published().await.unwrap();
    let told = told.iter().map(|record| match wire.decode(&record.value) {
        OrderEvent::OrderCompleted(event) => ("completed", event.customer_id),
        OrderEvent::OrderReturned(event) => ("returned", event.customer_id),
        other => panic!("{other:?}"),
    });
    let customer = || Some("customer-7".to_owned());
    let expected = [("completed", customer()), ("returned", customer())];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_request_that_is_sent_again_places_no_second_order_for_as_long_as_its_key_is_kept() {
    let (mut replica, mut db) = start().await;
    let tea: Sku = "TEA".parse().unwrap();
    let unit = events::Money::new(250, "EUR".parse().unwrap());
    let price = Price { name: "Tea".into(), unit, sequence: 1 };
    replica.submit([Input::Price(tea.clone(), Arc::new(price))]).await;
    let place = |key: &str| {
        let lines = vec![Wanted { sku: tea.clone(), quantity: 1 }];
        Input::Place(Arc::new(PlaceOrder {
            order_id: OrderId::now(),
            customer_id: "customer-7".into(),
            lines,
            destination: "DE".into(),
            payment_token: "tok".into(),
            currency: None,
            key: key.into(),
            fingerprint: [7; 32],
        }))
    };
    replica.submit([place("older"), place("younger")]).await;
    for (key, days) in [("older", 31), ("younger", 29)] {
        sqlx::query(
            "update idempotency_keys set created_at = now() - make_interval(days => $2) where key = $1",
        )
        .bind(key)
        .bind(days)
        .execute(&mut db)
        .await
        .unwrap();
    }
    replica.forget().await.unwrap();
    let told = replica.submit([place("older"), place("younger")]).await;
    let replayed = told.into_iter().map(|reply| match reply.unwrap() {
        Reply::Placed { replayed, .. } => replayed,
        other => panic!("{other:?}"),
    });
    assert_eq!(replayed.collect::<Vec<_>>(), [false, true]);
}

/// A replica with its usual settings, and its database.
async fn start() -> (Harness<Orders>, PgConnection) {
    let servers = local::testing::servers().await.unwrap();
    let url = servers.fresh_database("order").await.unwrap().owner_url;
    chassis::testing::migrate(&url, &crate::MIGRATIONS).await.unwrap();
    let app = crate::app(&mut Env::from_fn(|_| None));
    let replica = Harness::start(app, &url).await.unwrap();
    (replica, PgConnection::connect(&url).await.unwrap())
}
