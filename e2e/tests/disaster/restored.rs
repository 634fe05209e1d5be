//! Order's database is restored to a moment after which a lot has happened.

use e2e::shop::Shop;
use local::testing::own_servers;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::desk::Desk;

pub(crate) async fn an_order_database_is_set_back_to_a_point_in_time(shop: &Shop, desk: &mut Desk) {
    desk.turn_to(shop.fleet.environment()).await;
    let sku = shop.item(100).await.unwrap();
    let early = place(shop, &sku, "tok_visa").await;
    shop.ended(early, "completed").await.unwrap();

    let role = desk.next("create role backup");
    let mut db = shop.database("order").await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(role)).execute(&mut db).await.unwrap();
    desk.run_next("--create-slot");
    let fetch = desk.next("--synchronous");
    let mut fetching = desk.start(&fetch);
    let backup = desk.next("pg_basebackup");
    desk.begin_backup();
    desk.run(&backup);

    shop.fleet.stop_service("payment").await.unwrap();
    let waiting = reserved(shop, &sku).await;
    let regretted = reserved(shop, &sku).await;
    let now = sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&mut db);
    let now: String = now.await.unwrap();
    desk.set("POINT", now);

    // Had order asked again after its return, it would confirm what the customer has cancelled.
    assert_eq!(shop.act(regretted, "cancel").await.unwrap().0, 202);
    shop.fleet.start_service("payment").await.unwrap();
    let bought = place(shop, &sku, "tok_visa").await;
    let declined = place(shop, &sku, "tok_declined").await;
    let sent_back = place(shop, &sku, "tok_visa").await;
    let ends = [(waiting, "completed"), (regretted, "cancelled"), (bought, "completed")];
    all_end(shop, &ends).await;
    all_end(shop, &[(declined, "cancelled"), (sent_back, "completed")]).await;
    assert_eq!(shop.act(sent_back, "return").await.unwrap().0, 202);
    shop.ended(sent_back, "returned").await.unwrap();
    // Whose answer comes while order is away.
    shop.fleet.stop_service("payment").await.unwrap();
    let unconfirmed = reserved(shop, &sku).await;
    shop.published("order").await.unwrap();
    shop.fleet.stop_service("order").await.unwrap();
    shop.fleet.start_service("payment").await.unwrap();
    authorized(shop, unconfirmed).await;

    sqlx::query("delete from orders").execute(&mut db).await.unwrap();
    let servers = own_servers().await.unwrap();
    servers.kill("postgres-order").await.unwrap();
    fetching.kill().unwrap();
    fetching.wait().unwrap();
    let root = &shop.fleet.environment().settings().root;
    desk.set("DATA", root.join("postgres/order/data").display().to_string());
    desk.run_next("recovery.signal");
    servers.restart().await.unwrap();
    let mut db = shop.database("order").await.unwrap();
    let orders = sqlx::query_scalar("select order_id from orders order by placed_at, order_id");
    let orders: Vec<Uuid> = orders.fetch_all(&mut db).await.unwrap();
    assert_eq!(orders, [early, waiting, regretted], "those of the point, and no others");

    let said = desk.run_next("recover-orders.sql");
    let listed = said.rsplit("where it was to go:").next().unwrap();
    let listed = listed.split_whitespace().filter_map(|word| word.parse::<Uuid>().ok());
    assert_eq!(listed.collect::<Vec<_>>(), [unconfirmed], "{said}");
    shop.fleet.start_service("order").await.unwrap();
    let cancel = desk.next("order cancel ORDER");
    desk.run(&cancel.replace("ORDER", &unconfirmed.to_string()));
    desk.run_next("for topic in inventory.catalogue");

    all_end(shop, &ends).await;
    let others = [(early, "completed"), (declined, "cancelled"), (sent_back, "returned")];
    all_end(shop, &others).await;
    shop.ended(unconfirmed, "cancelled").await.unwrap();
    shop.wait_for_units(&sku, (97, 0, 3)).await.unwrap();
    desk.begin_backup();
    desk.run(&backup);
}

async fn place(shop: &Shop, sku: &str, token: &str) -> Uuid {
    shop.place(&[(sku, 1)], "DE", token).await.unwrap()
}

/// An order that waits for payment alone.
async fn reserved(shop: &Shop, sku: &str) -> Uuid {
    let order = place(shop, sku, "tok_visa").await;
    shop.happened(order, "StockReserved").await.unwrap();
    order
}

async fn all_end(shop: &Shop, orders: &[(Uuid, &str)]) {
    for (order, end) in orders {
        shop.ended(*order, end).await.unwrap();
    }
}

/// Waits until payment has published what it says about an order.
async fn authorized(shop: &Shop, order: Uuid) {
    let mut db = shop.database("payment").await.unwrap();
    shop.wait(&format!("the answer about {order}"), async || {
        let told = sqlx::query_scalar(
            "select coalesce(sum(sequence), 0) > 0 from audit.published where key = $1::text",
        );
        let told: bool = told.bind(order.to_string()).fetch_one(&mut db).await?;
        Ok(told.then_some(()))
    })
    .await
    .unwrap();
    shop.published("payment").await.unwrap();
}
