//! The stream processor: a reader that comes later, hears everything from the beginning, and of which no publisher
//! knows.

use std::process::Child;

use chassis::tail::Record;
use e2e::page::blocks;
use e2e::rig::{TURN, open};
use e2e::shop::Shop;
use uuid::Uuid;

use crate::languages::{STREAMS, bash, said, streams};
use crate::records::of_order;

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// The job; killed when dropped.
struct Job(Child);

impl Drop for Job {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_comes_later_joins_two_topics_from_their_beginning_and_goes_on() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(5).await.unwrap();
    let before = fulfilled(&shop, &sku).await;
    let page = blocks(&format!("examples/clients/{STREAMS}/README.md"));
    let [_install, run, look] = &page[..] else { panic!("{page:?}") };
    let _job = Job(bash(&shop, &format!("exec {run}"), &streams()).spawn().unwrap());
    is_told(&shop, before, look).await;
    let after = fulfilled(&shop, &sku).await;
    is_told(&shop, after, look).await;
}

async fn fulfilled(shop: &Shop, sku: &str) -> Uuid {
    let order = shop.place(&[(sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    order
}

/// Waits until the topic has the order's lead time, as the events' own times give it.
async fn is_told(shop: &Shop, order: Uuid, look: &str) {
    let records = of_order(shop, order);
    let at = |name: &str| {
        let found = records.iter().find(|record| record.event_type().ends_with(name));
        micros_of_day(found.unwrap())
    };
    let micros = (at("ShipmentDispatched") - at("OrderPlaced")).rem_euclid(MICROS_A_DAY);
    let line = format!("{order} {{\"lead_time_micros\":{micros}}}");
    let waited = shop.wait("an order's lead time", async || {
        let shown = bash(shop, look, &streams()).output()?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        Ok(shown.lines().any(|shown| shown == line).then_some(()))
    });
    waited.await.unwrap_or_else(|why| {
        panic!("{why}: {line} is missing:\n{}", said(&mut bash(shop, look, &streams())))
    });
}

/// The time of day in a `ce_time`, such as `2026-01-31T23:59:59.000000Z`.
fn micros_of_day(record: &Record) -> i64 {
    let time = record.header("ce_time").unwrap().trim_end_matches('Z');
    let (clock, micros) = time.split_once('T').unwrap().1.split_once('.').unwrap();
    let seconds = clock.split(':').fold(0, |all, part| all * 60 + part.parse::<i64>().unwrap());
    seconds * 1_000_000 + micros.parse::<i64>().unwrap()
}
