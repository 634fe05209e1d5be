//! `order.events` is deleted, with events that are in the copy, in the outbox, and not yet published.

use std::collections::HashMap;
use std::time::Duration;

use chassis::tail::{From, Tail};
use e2e::shop::Shop;
use uuid::Uuid;

use crate::desk::Desk;

/// Far longer than a topic of a few records is silent.
const SILENCE: Duration = Duration::from_secs(20);

pub(crate) async fn a_topic_is_deleted(shop: &Shop, desk: &mut Desk) {
    let in_the_copy = only_the_copy_has_it(shop).await;
    let sku = shop.item(10).await.unwrap();
    let after_the_copy = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(after_the_copy, "completed").await.unwrap();
    shop.fleet.stop_service("shipping").await.unwrap();
    let unheard = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.happened(unheard, "OrderConfirmed").await.unwrap();
    shop.published("order").await.unwrap();

    let brokers = shop.fleet.environment().kafka_brokers();
    chassis::testing::delete_topic(&brokers, "order.events").await.unwrap();
    let unpublished = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    desk.begin_recipe();
    desk.run_next("events republish order.events");
    shop.fleet.stop_service("order").await.unwrap();
    desk.run_next("events load");
    shop.fleet.start_service("order").await.unwrap();
    let outbox = desk.next("/outbox");
    shop.wait("the outbox to be published again", async || {
        let said = desk.run(&outbox);
        let is_done = said.contains("\"set_apart\":[]") && said.contains("\"republishing\":[]");
        Ok(is_done.then_some(()))
    })
    .await
    .unwrap();
    shop.fleet.start_service("shipping").await.unwrap();
    desk.wait_for_stopped(shop, "order.events").await;
    desk.run_next("for service in inventory payment shipping");
    desk.see_that_it_worked();

    for order in [after_the_copy, unheard, unpublished] {
        shop.ended(order, "completed").await.unwrap();
    }
    shop.wait_for_units(&sku, (7, 0, 3)).await.unwrap();
    first_copies_are_in_order(&brokers, in_the_copy);
}

/// An order of which the outbox keeps nothing any more.
async fn only_the_copy_has_it(shop: &Shop) -> Uuid {
    shop.published("order").await.unwrap();
    let mut db = shop.database("order").await.unwrap();
    let kept = "delete from flotilla.outbox where batch <= (select published_batch from flotilla.relay_lease)";
    sqlx::query(kept).execute(&mut db).await.unwrap();
    let first = "select order_id from orders order by placed_at limit 1";
    sqlx::query_scalar(first).fetch_one(&mut db).await.unwrap()
}

/// The first copy of each event comes after that of the one before it, of orders that only the copy had too.
fn first_copies_are_in_order(brokers: &str, in_the_copy: Uuid) {
    let mut highest: HashMap<String, i64> = HashMap::new();
    let tail = Tail::new(brokers, &["order.events"], From::Beginning).unwrap();
    tail.read_to_end(SILENCE, |record| {
        let sequence: i64 = record.header("ce_sequence").unwrap().parse().unwrap();
        let reached = highest.entry(record.key.clone()).or_default();
        assert!(sequence <= *reached + 1, "{}: {sequence} after {reached}", record.key);
        *reached = sequence.max(*reached);
    })
    .unwrap();
    assert!(highest.len() >= 4, "{highest:?}");
    assert!(highest.contains_key(&in_the_copy.to_string()), "{in_the_copy}: {highest:?}");
}
