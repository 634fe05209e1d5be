//! A service or a server is away for a while: what goes on without it, what waits, and that all of it ends
//! when it is back.

use e2e::shop::{history, id_of, order_of, send};
use flotilla::audit;
use local::SERVICES;
use sqlx::Connection;

use e2e::rig::{REST, TURN, open};

#[tokio::test]
async fn an_order_whose_payment_never_answers_is_cancelled_when_it_is_overdue() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(3).await.unwrap();
    let hasty = shop.fleet.with_variable("FLOTILLA_ORDER_DEADLINE_SECONDS", "5");
    shop.fleet.stop_service("order").await.unwrap();
    hasty.start_service("order").await.unwrap();
    shop.fleet.stop_service("payment").await.unwrap();
    let order = shop.place(&[(&sku, 3)], "DE", "tok_visa").await.unwrap();
    shop.happened(order, "StockReserved").await.unwrap();
    let waits = shop.order(order).await.unwrap()["waits_for"].clone();
    assert_eq!(waits[0]["service"], "payment", "{waits}");
    let cancelling = shop.ended(order, "cancelling").await.unwrap();
    assert_eq!(cancelling["reason"], "OVERDUE");
    shop.wait_for_units(&sku, (3, 0, 0)).await.unwrap();
    shop.fleet.start_service("payment").await.unwrap();
    shop.ended(order, "cancelled").await.unwrap();
    let payment = shop.get("payment", &format!("/payments/{order}")).await.unwrap().1;
    assert_eq!(payment["state"], "voided");
    shop.fleet.stop_service("order").await.unwrap();
    shop.fleet.start_service("order").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_came_while_order_was_away_is_heard_before_its_order_is_overdue() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(1).await.unwrap();
    let hasty = shop.fleet.with_variable("FLOTILLA_ORDER_DEADLINE_SECONDS", "20");
    shop.fleet.stop_service("order").await.unwrap();
    hasty.start_service("order").await.unwrap();
    shop.fleet.stop_service("shipping").await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.happened(order, "OrderConfirmed").await.unwrap();
    shop.published("order").await.unwrap();
    shop.fleet.kill("order").await.unwrap();
    shop.fleet.start_service("shipping").await.unwrap();
    let mut db = shop.database("shipping").await.unwrap();
    shop.wait("the parcel to be dispatched", async || {
        let parcel = sqlx::query_scalar("select parcel from audit.shipments where order_id = $1");
        let parcel: Option<String> = parcel.bind(order).fetch_optional(&mut db).await?;
        Ok((parcel.as_deref() == Some("dispatched")).then_some(()))
    })
    .await
    .unwrap();
    shop.published("shipping").await.unwrap();
    let mut db = shop.database("order").await.unwrap();
    shop.wait("the deadline to pass", async || {
        let over = sqlx::query_scalar(
            "select placed_at + interval '22 seconds' < now() from orders where order_id = $1",
        );
        let over: bool = over.bind(order).fetch_one(&mut db).await?;
        Ok(over.then_some(()))
    })
    .await
    .unwrap();
    hasty.start_service("order").await.unwrap();
    let ended = shop.ended(order, "completed").await.unwrap();
    let history = history(&ended);
    assert!(!history.iter().any(|event| event == "OrderCancellationRequested"), "{history:?}");
    shop.fleet.stop_service("order").await.unwrap();
    shop.fleet.start_service("order").await.unwrap();
}

#[tokio::test]
async fn orders_are_accepted_while_kafka_is_away_and_end_when_it_is_back() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(100).await.unwrap();
    let servers = local::testing::own_servers().await.unwrap();
    servers.kill("kafka").await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..30 {
        orders.push(shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap());
    }
    assert_eq!(shop.order(orders[0]).await.unwrap()["state"], "placed");
    servers.restart().await.unwrap();
    for order in orders {
        shop.ended(order, "completed").await.unwrap();
    }
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}

#[tokio::test]
async fn a_database_that_crashes_loses_nothing_and_callers_are_told_to_come_back() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(100).await.unwrap();
    let servers = local::testing::own_servers().await.unwrap();
    for service in SERVICES {
        let mut orders = Vec::new();
        for _ in 0..5 {
            orders.push(shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap());
        }
        servers.kill(&format!("postgres-{service}")).await.unwrap();
        if service == "order" {
            let body = order_of(&[(&sku, 1)], "DE", "tok_visa");
            let (status, problem) = shop.place_with_key(&body, "while-away").await.unwrap();
            assert_eq!(status, 503, "{problem}");
        }
        servers.restart().await.unwrap();
        for order in orders {
            shop.ended(order, "completed").await.unwrap();
        }
    }
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
}

#[tokio::test]
async fn an_order_that_was_accepted_and_cannot_be_watched_is_told_as_accepted_with_its_id() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(1).await.unwrap();
    let url = shop.fleet.environment().superuser_url("order").unwrap();
    let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
    // The executor keeps its connection; who reads gets none.
    let no_more = "do $$ begin execute format('alter role %I connection limit 0',
            (select usename from pg_stat_activity where application_name = 'executor' limit 1));
        perform pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'order-reader'; end $$";
    sqlx::raw_sql(no_more).execute(&mut db).await.unwrap();
    let body = order_of(&[(&sku, 1)], "DE", "tok_visa");
    let request = shop.request("POST", "order", "/orders?wait=terminal&timeout_seconds=1").unwrap();
    let answer = send(request.header("Idempotency-Key", &sku).json(&body)).await;
    let again = no_more.replace("limit 0", "limit -1");
    sqlx::raw_sql(sqlx::AssertSqlSafe(again)).execute(&mut db).await.unwrap();
    let (status, accepted) = answer.unwrap();
    assert_eq!((status, &accepted["state"]), (202, &"placed".into()), "{accepted}");
    shop.ended(id_of(&accepted).unwrap(), "completed").await.unwrap();
}
