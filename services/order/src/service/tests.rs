//! What order tells, through the executor on a real Postgres.

use std::time::Duration;

use chassis::App;
use chassis::measuring::Wire;
use chassis::testing::Harness;
use sqlx::{Connection, PgConnection};

use super::*;

/// The columns are those of the release before, which told no customer when an order ended.
const SHIPPED: &str = "insert into orders (order_id, total_minor, placed_at, sequence, version, state, \
            customer_id, currency, destination, lines, history) \
     values ($1, 500, now(), 3, 5, 6, 'customer-7', 'EUR', 'DE', '[]', '')";

#[tokio::test]
async fn an_order_that_an_earlier_release_placed_ends_with_its_customer_named() {
    let servers = local::testing::servers().await.unwrap();
    let url = servers.fresh_database("order").await.unwrap().owner_url;
    chassis::testing::migrate(&url, &crate::MIGRATIONS).await.unwrap();
    let (mut db, id) = (PgConnection::connect(&url).await.unwrap(), OrderId::now());
    sqlx::query(SHIPPED).bind(id.0).execute(&mut db).await.unwrap();

    let app = App::new(Orders::new(Duration::from_secs(60)), &crate::MIGRATIONS);
    let mut replica = Harness::start(app.publishes::<OrderEvent>(), &url).await.unwrap();
    // Each in a batch of its own, so that the second decides on a row that is not remembered.
    for input in [domain::Input::PaymentReceived, domain::Input::Return] {
        replica.submit([Input::Step(Step::of(id, input))]).await;
    }
    let wire = Wire::<OrderEvent>::default();
    let told = replica.published().await.unwrap();
    let told = told.iter().map(|record| match wire.decode(&record.value) {
        OrderEvent::OrderCompleted(event) => ("completed", event.customer_id),
        OrderEvent::OrderReturned(event) => ("returned", event.customer_id),
        other => panic!("{other:?}"),
    });
    let customer = || Some("customer-7".to_owned());
    assert_eq!(told.collect::<Vec<_>>(), [("completed", customer()), ("returned", customer())]);
}
