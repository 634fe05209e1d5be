//! The audit itself: that it says what it cannot judge, and finds what is wrong. It stands here, as faults
//! are planted into tables that nobody else may change or read meanwhile.

use std::time::Duration;

use e2e::shop::Shop;
use flotilla::audit;
use sqlx::Connection;

use e2e::rig::{REST, TURN, open};

#[tokio::test]
async fn the_audit_of_a_fleet_that_moves_says_what_moves_and_judges_what_does_not() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(5).await.unwrap();
    let ended = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(ended, "completed").await.unwrap();
    shop.wait_for_units(&sku, (4, 0, 1)).await.unwrap();
    shop.fleet.stop_service("shipping").await.unwrap();
    let order = shop.place(&[(&sku, 2)], "DE", "tok_visa").await.unwrap();
    shop.wait_for_units(&sku, (2, 2, 1)).await.unwrap();

    let moving = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    let moved_to = |money| state_of("payments", "money", money).replace('#', &ended.to_string());
    execute(&shop, "payment", &moved_to("refunded")).await;
    let robbed = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    execute(&shop, "payment", &moved_to("captured")).await;
    shop.fleet.start_service("shipping").await.unwrap();
    assert!(!moving.is_broken() && !moving.is_clean(), "{moving:?}");
    assert!(moving.broken().contains(&order.to_string()), "{}", moving.broken());
    assert!(moving.not_judged.len() <= 3, "{:?}", moving.not_judged);
    let money = moving.rules.iter().find(|rule| rule.name.contains("money is")).unwrap();
    assert!(money.checked > 0 && money.moving > 0, "{money:?}");
    assert!(robbed.broken().contains(&format!("{ended} (250) is Completed, but its money")));

    let rested = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(rested.is_clean() && rested.not_judged.is_empty(), "{}", rested.broken());
}

#[tokio::test]
async fn a_record_that_no_service_wrote_is_known_to_the_audit_by_its_dead_letter() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
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
    let shop = open().await.unwrap();
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
            &*state_of("payments", "money", "refunded"),
            &*state_of("payments", "money", "captured"),
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
            &*state_of("reservations", "goods", "nothing"),
            &*state_of("reservations", "goods", "deducted"),
            "goods",
        ),
        (
            "order",
            "update prices set unit_price_minor = unit_price_minor + 1 where sku = '#sku'",
            "update prices set unit_price_minor = unit_price_minor - 1 where sku = '#sku'",
            "prices of inventory",
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
async fn a_price_that_a_stranger_numbered_far_ahead_is_found_and_mended_as_the_runbook_says() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(1).await.unwrap();
    let planted = "update prices set sequence = 1000, unit_price_minor = 1 where sku = '#sku'";
    execute(&shop, "order", &planted.replace("#sku", &sku)).await;
    let report = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    assert!(report.broken().contains("prices of inventory"), "{}", report.broken());
    let forget = "update prices set sequence = 0 where sku = '#sku'";
    execute(&shop, "order", &forget.replace("#sku", &sku)).await;
    for (delta, key) in [(1, "up"), (-1, "down")] {
        let key = format!("{sku}-{key}");
        shop.adjust(&sku, delta, &key).await.unwrap();
    }
    let clean = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(clean.is_clean(), "{}", clean.broken());
}

#[tokio::test]
async fn a_price_that_order_has_passed_without_hearing_it_is_a_fault_and_its_item_is_named() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(1).await.unwrap();
    let clean = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(clean.is_clean(), "{}", clean.broken());
    let unhear = "update prices set sequence = sequence - 1 where sku = '#sku'";
    execute(&shop, "order", &unhear.replace("#sku", &sku)).await;
    let report = audit::run(&shop.fleet, Duration::ZERO).await.unwrap();
    execute(&shop, "order", &unhear.replace("- 1", "+ 1").replace("#sku", &sku)).await;
    let rule = report.rules.iter().find(|rule| rule.name.contains("prices of inventory")).unwrap();
    assert_eq!((rule.violations, rule.moving), (1, 0), "{rule:?}");
    assert!(rule.examples[0].contains(&sku), "{rule:?}");
    let moving = format!("items whose last price order has not heard: 1 ({sku})");
    assert!(report.moving.contains(&moving), "{:?}", report.moving);
    let clean = audit::run(&shop.fleet, REST).await.unwrap();
    assert!(clean.is_clean(), "{}", clean.broken());
}

/// The statement that moves the row of order # to a state that its service's audit view has this word for.
fn state_of(table: &str, function: &str, word: &str) -> String {
    format!(
        "update {table} set state = (select min(code) from generate_series(1, 99) code
             where audit.{function}(code::smallint) = '{word}') where order_id = '#'"
    )
}

async fn execute(shop: &Shop, service: &'static str, statement: &str) {
    let url = shop.fleet.environment().superuser_url(service).unwrap();
    let mut db = sqlx::PgConnection::connect(&url).await.unwrap();
    let statement = sqlx::AssertSqlSafe(statement.to_owned());
    let done = sqlx::query(statement).execute(&mut db).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}
