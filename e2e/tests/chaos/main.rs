//! Whatever is killed, whenever: every order ends, and the books agree.

#![allow(clippy::unwrap_used, reason = "a run that cannot go on should say where")]

use std::time::Duration;

use e2e::load::fleet::Database;
use e2e::load::preload;
use e2e::shop::{Shop, order_of};
use flotilla::audit;
use local::SERVICES;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use sqlx::Connection;
use tokio::sync::Mutex;

/// Orders of the run in which services are killed.
const ORDERS: usize = 2_000;
/// How often each service is killed.
const KILLS: usize = 2;
/// How long the fleet may take to come to rest after the last restart.
const REST: Duration = Duration::from_secs(120);

/// One at a time: they stop and kill services of the same fleet.
static TURN: Mutex<()> = Mutex::const_new(());

/// Opens a shop where everything runs. What a test that failed left dead is started again, so that
/// one failure is not reported as many.
async fn open() -> Shop {
    let shop = Shop::open().await.unwrap();
    local::testing::servers().await.unwrap().restart().await.unwrap();
    for service in SERVICES {
        shop.fleet.start_service(service).await.unwrap();
    }
    shop
}

#[tokio::test]
async fn two_thousand_orders_end_well_while_every_service_is_killed_twice() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let seed = std::env::var("CHAOS_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("CHAOS_SEED={seed} runs these kills again");
    let mut random = SmallRng::seed_from_u64(seed);
    let plenty = shop.item(1_000_000).await.unwrap();
    let scarce = shop.item(200).await.unwrap();

    let mut kills: Vec<&'static str> = SERVICES.repeat(KILLS);
    let placing = place_orders(&shop, &plenty, &scarce, random.random());
    let killing = async {
        while !kills.is_empty() {
            let service = kills.swap_remove(random.random_range(0..kills.len()));
            tokio::time::sleep(Duration::from_millis(random.random_range(100..900))).await;
            shop.fleet.kill(service).await.unwrap();
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            shop.fleet.start_service(service).await.unwrap();
        }
    };
    let (accepted, ()) = tokio::join!(placing, killing);
    assert!(accepted > ORDERS / 2, "only {accepted} orders were accepted");
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "seed {seed}:\n{}", report.broken());
}

/// Sends mixed orders, each until it is accepted or refused: a caller whose connection breaks asks
/// again with the same key. Answers how many were accepted.
async fn place_orders(shop: &Shop, plenty: &str, scarce: &str, seed: u64) -> usize {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut accepted = 0;
    for round in 0..ORDERS / 20 {
        let bodies: Vec<Value> = (0..20)
            .map(|_| {
                let sku = if random.random_bool(0.2) { scarce } else { plenty };
                let quantity = random.random_range(1..=3);
                let destination = ["DE", "DE", "DE", "DE", "FR", "AQ"].choose(&mut random).unwrap();
                let token =
                    ["tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_error"];
                let token = token.choose(&mut random).unwrap();
                order_of(&[(sku, quantity)], destination, token)
            })
            .collect();
        let sent = bodies.iter().enumerate().map(|(n, body)| {
            let key = format!("{plenty}-{round}-{n}");
            async move { place_until_answered(shop, body, &key).await }
        });
        let orders = futures::future::join_all(sent).await;
        for order in orders.iter().flatten() {
            accepted += 1;
            // Some customers change their minds, at whatever moment.
            if random.random_bool(0.1) {
                let _refused_or_away = shop.act(*order, "cancel").await;
            }
        }
    }
    accepted
}

async fn place_until_answered(shop: &Shop, body: &Value, key: &str) -> Option<uuid::Uuid> {
    shop.wait("an answer to an order", async || match shop.place_with_key(body, key).await {
        Ok((201, placed)) => Ok(Some(e2e::shop::id_of(&placed).ok())),
        Ok((429 | 503, _)) | Err(_) => Ok(None),
        Ok((status, problem)) => anyhow::bail!("{status}: {problem}"),
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn an_order_whose_payment_never_answers_is_cancelled_when_it_is_overdue() {
    let _turn = TURN.lock().await;
    let shop = open().await;
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
async fn orders_are_accepted_while_kafka_is_away_and_end_when_it_is_back() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(100).await.unwrap();
    let servers = local::testing::servers().await.unwrap();
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
    let shop = open().await;
    let sku = shop.item(100).await.unwrap();
    let servers = local::testing::servers().await.unwrap();
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
async fn the_audit_of_a_fleet_that_moves_says_what_moves_and_judges_only_what_it_can() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(5).await.unwrap();
    shop.fleet.stop_service("shipping").await.unwrap();
    let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await.unwrap();
    shop.wait_for_units(&sku, (3, 2, 0)).await.unwrap();

    let moving = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    shop.fleet.start_service("shipping").await.unwrap();
    assert!(!moving.is_broken() && !moving.is_clean(), "{moving:?}");
    assert!(moving.broken().contains(&order.to_string()), "{}", moving.broken());
    assert!(moving.not_judged.iter().any(|rule| rule.contains("topics hold")), "{moving:?}");
    assert!(moving.rules.iter().any(|rule| rule.name.contains("adjustments")), "{moving:?}");

    let rested = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(rested.is_clean() && rested.not_judged.is_empty(), "{}", rested.broken());
}

#[tokio::test]
async fn a_record_that_no_service_wrote_is_known_to_the_audit_by_its_dead_letter() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let brokers = shop.fleet.environment().kafka_brokers();
    let outsider = chassis::testing::Outsider::new(&brokers).unwrap();
    let place = outsider.send("payment.events", "nobody", &[], Some(b"not Avro")).await.unwrap();
    let url = shop.fleet.environment().superuser_url("order").unwrap();
    let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
    let count = "select count(*) from flotilla.dead_letters
                 where topic = 'payment.events' and (partition, message_offset) = ($1, $2)";
    shop.wait("its dead letter", async || {
        let found: i64 =
            sqlx::query_scalar(count).bind(place.0).bind(place.1).fetch_one(&mut db).await?;
        Ok((found == 1).then_some(()))
    })
    .await
    .unwrap();
    let report = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(report.is_clean(), "{}", report.broken());
    assert!(report.notes.iter().any(|note| note.contains("by no service")), "{:?}", report.notes);
}

#[tokio::test]
async fn the_audit_finds_faults_that_were_planted_in_the_tables() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(5).await.unwrap();
    let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.wait_for_units(&sku, (3, 0, 2)).await.unwrap();
    let clean = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(clean.is_clean(), "{}", clean.broken());
    let id = order.to_string();
    for (service, plant, undo, rule) in [
        (
            "payment",
            "update payments set state = 10 where order_id = '#'",
            "update payments set state = 8 where order_id = '#'",
            "money",
        ),
        (
            "order",
            "update orders set sequence = sequence + 1 where order_id = '#'",
            "update orders set sequence = sequence - 1 where order_id = '#'",
            "topics hold",
        ),
        (
            "inventory",
            "update stock set sequence = sequence + 1 where sku = '#sku'",
            "update stock set sequence = sequence - 1 where sku = '#sku'",
            "catalogue",
        ),
        (
            "inventory",
            "update reservations set state = 3 where order_id = '#'",
            "update reservations set state = 4 where order_id = '#'",
            "goods",
        ),
        (
            "shipping",
            "update shipments set sequence = 9 where order_id = '#'",
            "update shipments set sequence = 1 where order_id = '#'",
            "topics hold",
        ),
    ] {
        let of = |text: &str| text.replace("#sku", &sku).replace('#', &id);
        execute(&shop, service, &of(plant)).await;
        let report = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
        execute(&shop, service, &of(undo)).await;
        assert!(report.broken().contains(rule), "{plant}: {rule} is not in:\n{}", report.broken());
    }
    let clean = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(clean.is_clean(), "{}", clean.broken());
}

#[tokio::test]
async fn orders_loaded_into_the_tables_are_faults_unless_the_audit_begins_after_them() {
    let _turn = TURN.lock().await;
    let shop = open().await;
    let sku = shop.item(1).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    let databases = SERVICES.map(|name| {
        let url = shop.fleet.environment().superuser_url(name).unwrap();
        Database { name: name.to_owned(), url }
    });
    let loaded = preload::load(&databases, 3).await.unwrap();
    let first = loaded.first_id_after;
    let without = audit::run_from(&shop.fleet, REST, first).await.unwrap();
    let with = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    for (database, tables) in databases.iter().zip([
        &["orders", "idempotency_keys"][..],
        &["payments"],
        &["reservations"],
        &["shipments"],
    ]) {
        let mut db = sqlx::PgConnection::connect(&database.url).await.unwrap();
        for table in tables {
            let delete = format!("delete from {table} where order_id < $1");
            let done = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(first).execute(&mut db).await;
            assert_eq!(done.unwrap().rows_affected(), 3, "{table}");
        }
    }
    assert!(without.is_clean(), "{}", without.broken());
    assert!(with.broken().contains("topics hold"), "{}", with.broken());
}

async fn execute(shop: &Shop, service: &'static str, statement: &str) {
    let url = shop.fleet.environment().superuser_url(service).unwrap();
    let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let done = sqlx::query(statement).execute(&mut db).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}
