//! The consumers: what they print of an order, and what becomes of it when they are killed and when another joins.

use std::collections::BTreeSet;
use std::process::Command;

use chassis::testing::Outsider;
use e2e::rig::{TURN, open};
use e2e::shop::Shop;
use serde_json::Value;
use uuid::Uuid;

use crate::languages::{ALL, Language, PROGRAMS, said};
use crate::others::kafka_tool;
use crate::records::{of, of_order, printed, told};
use crate::running::Running;

/// Seconds without an event after which a consumer ends that should have ended earlier.
const LONG: u32 = 600;
/// Seconds after which one ends that cannot know better.
const SHORT: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_prints_each_event_of_an_order_once_though_it_is_published_twice() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(3).await.unwrap();
    let fulfilled = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    let compensated = shop.place(&[(&sku, 1)], "DE", "tok_declined").await.unwrap();
    for (order, end, events) in [(fulfilled, "completed", 8), (compensated, "cancelled", 6)] {
        shop.ended(order, end).await.unwrap();
        shop.happened(
            order,
            if end == "completed" { "OrderCompleted" } else { "OrderCompensated" },
        )
        .await
        .unwrap();
        shop.published("order").await.unwrap();
        publish_again(&shop, order, events).await;
        let expected = told(&of_order(&shop, order));
        let start = |language: Language| {
            // Kafka's command-line client cannot know the end of an order.
            let idle = if language == Language::Kcat { SHORT } else { LONG };
            let group = format!("{language:?}-{order}");
            Running::start(&shop, language, &group, idle, Some(&order.to_string()))
        };
        let all: Vec<Running> = ALL.into_iter().map(start).collect();
        for consumer in all {
            let language = consumer.language;
            let lines = consumer.ends(&shop).await;
            assert_eq!(printed(&lines), expected, "{language:?}");
            if language != Language::Kcat {
                are_decoded(&lines, order, &sku);
            }
        }
    }
}

/// Puts every event of an order on its topic a second time, as a relay does that died before it noted them.
async fn publish_again(shop: &Shop, order: Uuid, events: usize) {
    let records = of_order(shop, order);
    assert_eq!(records.len(), events, "{:?}", told(&records));
    let outsider = Outsider::new(&shop.fleet.environment().kafka_brokers()).unwrap();
    for record in &records {
        let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let (headers, value) = (headers.collect::<Vec<_>>(), record.value.as_deref());
        outsider.send(&record.topic, &record.key, &headers, value).await.unwrap();
    }
}

/// That the values were read with their schemas, whatever a language makes of a time.
fn are_decoded(lines: &[Value], order: Uuid, sku: &str) {
    for line in lines {
        assert_eq!(line["data"]["order_id"], order.to_string(), "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(
            line["id"].as_str().unwrap().ends_with(line["sequence"].as_str().unwrap()),
            "{line}"
        );
        if line["type"] == "flotilla.order.v1.OrderPlaced" {
            assert_eq!(line["data"]["lines"][0]["sku"], sku, "{line}");
            assert_eq!(line["data"]["total_minor"], 250, "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_that_is_killed_goes_on_from_its_committed_offsets() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(3).await.unwrap();
    shop.fleet.stop_service("shipping").await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.happened(order, "OrderConfirmed").await.unwrap();
    let group = |language: Language| format!("{language:?}-killed-{order}");
    let start = |language: Language| {
        Running::start(&shop, language, &group(language), LONG, Some(&order.to_string()))
    };
    let mut before: Vec<Running> = PROGRAMS.into_iter().map(start).collect();
    for consumer in &mut before {
        consumer.prints(&shop, 4).await;
    }
    let groups: Vec<String> = PROGRAMS.into_iter().map(group).collect();
    are_committed(&shop, &groups).await;
    let before: Vec<Vec<Value>> = before.into_iter().map(Running::kill).collect();

    shop.fleet.start_service("shipping").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.published("order").await.unwrap();
    let after: Vec<Running> = PROGRAMS.into_iter().map(start).collect();
    let expected = told(&of_order(&shop, order));
    for (before, after) in before.into_iter().zip(after) {
        let language = after.language;
        let lines = [before, after.ends(&shop).await].concat();
        assert_eq!(printed(&lines), expected, "{language:?}");
    }
}

/// Waits until nothing is left that these groups have not committed, as Kafka's own tool sees it.
async fn are_committed(shop: &Shop, groups: &[String]) {
    let waited = shop.wait("consumers to commit", async || {
        let mut tool: Command = kafka_tool(shop, "consumer.group.ConsumerGroupCommand");
        groups.iter().for_each(|group| {
            tool.args(["--group", group]);
        });
        let table = said(tool.arg("--describe"));
        let rows = table.lines().filter(|line| groups.iter().any(|group| line.starts_with(group)));
        let open = rows.clone().filter(|row| {
            let columns: Vec<&str> = row.split_whitespace().collect();
            // Of a partition of which nothing was read there is no offset: "-".
            columns[4] != "0" && columns[5] != "0"
        });
        Ok((rows.clone().count() > 0 && open.count() == 0).then_some(()))
    });
    waited.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn when_another_consumer_joins_the_group_prints_nothing_twice_and_loses_nothing() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    let sku = shop.item(1_000).await.unwrap();
    let mut orders = vec![placed(&shop, &sku).await];
    let name = orders[0];
    let start = |language: Language| {
        Running::start(&shop, language, &format!("{language:?}-two-{name}"), LONG, None)
    };
    let first: Vec<Running> = PROGRAMS.into_iter().map(start).collect();
    for consumer in &first {
        is_heard(&shop, consumer, name).await;
    }
    let second: Vec<Running> = PROGRAMS.into_iter().map(start).collect();
    // Orders go on until each of the others has got its part of the partitions, and one more.
    let joined = shop.wait("everybody's second consumer to get something", async || {
        let all = second.iter().all(|consumer| !consumer.lines().is_empty());
        orders.push(placed(&shop, &sku).await);
        Ok(all.then_some(()))
    });
    joined.await.unwrap_or_else(|why| {
        let silent = second.iter().filter(|consumer| consumer.lines().is_empty());
        panic!("{why}: {}", silent.map(Running::state).collect::<String>())
    });
    let keys: Vec<String> = orders.iter().map(Uuid::to_string).collect();
    let expected = told(&of(&shop, &crate::records::TOPICS, &keys));
    let expected: usize = expected.values().map(Vec::len).sum();
    for (first, second) in first.into_iter().zip(second) {
        let ours = |consumer: &Running| of_orders(consumer.lines(), &keys);
        let all = async || {
            let printed = [ours(&first), ours(&second)].concat();
            Ok((printed.len() >= expected).then_some(printed))
        };
        let waited = shop.wait("a group to print everything", all).await;
        let printed = waited.unwrap_or_else(|why| panic!("{why}: {:?}", first.language));
        let different: BTreeSet<String> = printed.iter().map(Value::to_string).collect();
        assert_eq!((printed.len(), different.len()), (expected, expected), "{:?}", first.language);
        assert!(!ours(&second).is_empty(), "{:?}", first.language);
    }
}

async fn placed(shop: &Shop, sku: &str) -> Uuid {
    let order = shop.place(&[(sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    shop.published("order").await.unwrap();
    order
}

async fn is_heard(shop: &Shop, consumer: &Running, order: Uuid) {
    let heard =
        async || Ok((of_orders(consumer.lines(), &[order.to_string()]).len() == 8).then_some(()));
    let waited = shop.wait("the first member to read", heard).await;
    waited.unwrap_or_else(|why| panic!("{why}: {}", consumer.state()));
}

fn of_orders(lines: Vec<Value>, orders: &[String]) -> Vec<Value> {
    let ours = |line: &Value| {
        let order = line["id"].as_str().and_then(|id| id.split_once('/')).unwrap_or_default().0;
        orders.iter().any(|known| known == order)
    };
    lines.into_iter().filter(ours).collect()
}
