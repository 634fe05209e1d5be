//! Order's database is restored to a moment after which a lot has happened.

use std::process::Child;
use std::time::Duration;

use e2e::shop::Shop;
use local::Process;
use local::testing::own_servers;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::desk::{Desk, PASSWORD, SERVICES};

/// Far longer than Postgres takes to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The orders, by what became of them.
struct Orders {
    /// Those that were there at the point, in the order of their placing.
    early: Uuid,
    waiting: Uuid,
    regretted: Uuid,
    /// Those that were placed after it.
    bought: Uuid,
    declined: Uuid,
    sent_back: Uuid,
    unconfirmed: Uuid,
}

pub(crate) async fn an_order_database_is_set_back_to_a_point_in_time(shop: &Shop, desk: &mut Desk) {
    desk.turn_to(shop.fleet.environment()).await;
    let sku = shop.item(100).await.unwrap();
    let early = place(shop, &sku, "tok_visa").await;
    shop.ended(early, "completed").await.unwrap();
    let (mut fetching, backup) = backups_are_taken(shop, desk).await;
    let orders = a_lot_happens(shop, desk, &sku, early).await;

    let mut db = shop.database("order").await.unwrap();
    sqlx::query("delete from orders").execute(&mut db).await.unwrap();
    let servers = own_servers().await.unwrap();
    let server = Process::find(servers.environment().settings(), "postgres-order").unwrap();
    server.stop(PATIENCE).await.unwrap();
    fetching.kill().unwrap();
    fetching.wait().unwrap();
    let root = &shop.fleet.environment().settings().root;
    desk.set("DATA", root.join("postgres/order/data").display().to_string());
    desk.begin_recipe();
    desk.run_next("recovery.signal");
    servers.restart().await.unwrap();
    let mut db = shop.database("order").await.unwrap();
    let found = sqlx::query_scalar("select order_id from orders order by placed_at, order_id");
    let found: Vec<Uuid> = found.fetch_all(&mut db).await.unwrap();
    let of_the_point = [orders.early, orders.waiting, orders.regretted];
    assert_eq!(found, of_the_point, "those of the point, and no others");

    order_is_brought_back(shop, desk, &orders).await;
    shop.wait_for_units(&sku, (97, 0, 3)).await.unwrap();
    for statement in desk.next("alter system reset").split_terminator(';') {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut db).await.unwrap();
    }
    desk.begin_backup();
    desk.run(&backup);
}

/// What the page has one do before anything happens. Returns the process that fetches the log, and the block of a
/// backup.
async fn backups_are_taken(shop: &Shop, desk: &mut Desk) -> (Child, String) {
    let role = desk.next("create role backup");
    let role = format!("{role} alter role backup password '{PASSWORD}'");
    for service in SERVICES {
        let mut db = shop.database(service).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(role.clone())).execute(&mut db).await.unwrap();
    }
    desk.begin_backup();
    desk.begin_recipe();
    desk.run_next("--create-slot");
    let fetch = desk.next("--synchronous");
    let fetching = desk.start(&fetch);
    let backup = desk.next("pg_basebackup");
    desk.run(&backup);
    (fetching, backup)
}

/// Orders are placed, go on and end before and after the point. Order is stopped at the end.
async fn a_lot_happens(shop: &Shop, desk: &mut Desk, sku: &str, early: Uuid) -> Orders {
    shop.fleet.stop_service("payment").await.unwrap();
    let waiting = reserved(shop, sku).await;
    let regretted = reserved(shop, sku).await;
    let mut db = shop.database("order").await.unwrap();
    let now = sqlx::query_scalar("select clock_timestamp()::text").fetch_one(&mut db);
    let now: String = now.await.unwrap();
    desk.set("POINT", now);

    // Had order heard again before it was brought back, it would confirm what the customer cancels here.
    assert_eq!(shop.act(regretted, "cancel").await.unwrap().0, 202);
    shop.fleet.start_service("payment").await.unwrap();
    let bought = place(shop, sku, "tok_visa").await;
    let declined = place(shop, sku, "tok_declined").await;
    let sent_back = place(shop, sku, "tok_visa").await;
    all_end(shop, &[(waiting, "completed"), (regretted, "cancelled")]).await;
    all_end(shop, &[(bought, "completed"), (declined, "cancelled")]).await;
    shop.ended(sent_back, "completed").await.unwrap();
    assert_eq!(shop.act(sent_back, "return").await.unwrap().0, 202);
    shop.ended(sent_back, "returned").await.unwrap();

    // Whose answer comes while order is away.
    shop.fleet.stop_service("payment").await.unwrap();
    let unconfirmed = reserved(shop, sku).await;
    shop.published("order").await.unwrap();
    shop.fleet.stop_service("order").await.unwrap();
    shop.fleet.start_service("payment").await.unwrap();
    authorized(shop, unconfirmed).await;
    Orders { early, waiting, regretted, bought, declined, sent_back, unconfirmed }
}

/// From the script to the audit: every order is where it was, except for one whose destination is lost.
async fn order_is_brought_back(shop: &Shop, desk: &mut Desk, orders: &Orders) {
    let said = desk.run_next("recover-orders.sql");
    let listed = said.rsplit("where it was to go:").next().unwrap();
    let listed = listed.split_whitespace().filter_map(|word| word.parse::<Uuid>().ok());
    assert_eq!(listed.collect::<Vec<_>>(), [orders.unconfirmed], "{said}");
    shop.fleet.start_service("order").await.unwrap();
    let cancel = desk.next("order cancel ORDER");
    desk.run(&cancel.replace("ORDER", &orders.unconfirmed.to_string()));
    desk.wait_for_stopped(shop, "").await;
    desk.run_next("for topic in inventory.catalogue");
    let said = desk.see_that_it_worked();
    let again = said.split("brought back or on:").nth(1).unwrap_or_default();
    assert_eq!(again.split_whitespace().nth(2), Some("0"), "{said}");

    let Orders { early, waiting, regretted, bought, declined, sent_back, unconfirmed } = *orders;
    for order in [early, waiting, bought] {
        shop.ended(order, "completed").await.unwrap();
    }
    for order in [regretted, declined, unconfirmed] {
        shop.ended(order, "cancelled").await.unwrap();
    }
    shop.ended(sent_back, "returned").await.unwrap();
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
