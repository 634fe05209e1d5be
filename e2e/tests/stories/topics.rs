//! What comes over Kafka from outside: adjustments, duplicates, late answers, poison.

use std::time::Duration;

use chassis::Registry;
use chassis::tail::{From, Tail};
use chassis::testing::{Framer, Outsider};
use e2e::shop::{Shop, expect, history, send};
use events::{CatalogueEvent, Events, Sku, StockAdjusted, StockItemChanged, WarehouseEvent};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shop;

/// Somebody outside who speaks the warehouse's language.
async fn outsider(shop: &Shop) -> (Outsider, Framer) {
    let environment = shop.fleet.environment();
    let outsider = Outsider::new(&environment.kafka_brokers()).unwrap();
    let registry = Registry::new(&environment.registry_url());
    (outsider, Framer::new::<WarehouseEvent>(&registry).await.unwrap())
}

fn adjusted(sku: &str, delta: i64) -> WarehouseEvent {
    StockAdjusted {
        adjustment_id: Uuid::new_v4(),
        sku: Sku::new(sku.to_owned()).unwrap(),
        delta,
        note: "counted".to_owned(),
        occurred_at: 1,
    }
    .into()
}

async fn dead_letter(shop: &Shop, service: &str, key: &str) -> Value {
    let admin = shop.fleet.admin_url(service);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    shop.wait(&format!("a dead letter of {key}"), async || {
        let all = http.get(format!("{admin}/dead-letters?limit=500"));
        let page: Value = all.send().await?.json().await?;
        let letters = page["dead_letters"].as_array().cloned().unwrap_or_default();
        Ok(letters.into_iter().find(|letter| letter["key"] == key))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn an_adjustment_from_the_warehouse_counts_once_however_often_it_is_sent() {
    let shop = shop().await;
    let sku = shop.item(5).await.unwrap();
    let (outsider, framer) = outsider(&shop).await;
    let event = adjusted(&sku, 20);
    for n in 0..3 {
        // A fresh id each time, as a producer that lost its own notes would send.
        let id = format!("{sku}-{n}");
        outsider.publish(&framer, "warehouse", &id, &event).await.unwrap();
    }
    outsider.publish(&framer, "warehouse", &sku, &adjusted(&sku, -4)).await.unwrap();
    shop.wait_for_units(&sku, (21, 0, 0)).await.unwrap();
}

#[tokio::test]
async fn an_adjustment_counts_from_any_avro_producer_and_headers_that_are_there_are_checked() {
    let shop = shop().await;
    let sku = shop.item(5).await.unwrap();
    let (outsider, framer) = outsider(&shop).await;
    // What every client's Avro serializer sends: the value, and no header.
    let value = framer.value(&adjusted(&sku, 20)).unwrap();
    outsider.send(WarehouseEvent::TOPIC, &sku, &[], Some(&value)).await.unwrap();
    shop.wait_for_units(&sku, (25, 0, 0)).await.unwrap();
    let wrong = [("ce_type", "flotilla.warehouse.v1.StockCounted"), ("ce_id", "")];
    let value = framer.value(&adjusted(&sku, 1)).unwrap();
    outsider.send(WarehouseEvent::TOPIC, &sku, &wrong, Some(&value)).await.unwrap();
    let letter = dead_letter(&shop, "inventory", &sku).await;
    let detail = letter["detail"].as_str().unwrap();
    assert_eq!(letter["reason"], "headers", "{letter}");
    assert!(detail.contains("ce_type") && detail.contains("ce_id is empty"), "{detail}");
    assert_eq!(shop.units(&sku).await.unwrap(), (25, 0, 0));
}

#[tokio::test]
async fn an_adjustment_that_cannot_be_made_becomes_a_dead_letter_with_the_reason() {
    let shop = shop().await;
    let sku = shop.item(5).await.unwrap();
    let (outsider, framer) = outsider(&shop).await;
    outsider.publish(&framer, "warehouse", &sku, &adjusted(&sku, -6)).await.unwrap();
    let letter = dead_letter(&shop, "inventory", &sku).await;
    assert_eq!(letter["reason"], "refused");
    assert!(letter["detail"].as_str().unwrap().contains("only 5 units are free"), "{letter}");
    assert_eq!(shop.units(&sku).await.unwrap(), (5, 0, 0));
}

#[tokio::test]
async fn a_price_with_an_older_number_changes_nothing_even_with_a_stamp_in_the_far_future() {
    let shop = shop().await;
    let sku = shop.item(1).await.unwrap();
    let environment = shop.fleet.environment();
    let outsider = Outsider::new(&environment.kafka_brokers()).unwrap();
    let registry = Registry::new(&environment.registry_url());
    let framer = Framer::new::<CatalogueEvent>(&registry).await.unwrap();
    let stale = CatalogueEvent::from(StockItemChanged {
        sku: Sku::new(sku.clone()).unwrap(),
        name: "An item".to_owned(),
        unit_price_minor: 999,
        currency: "EUR".parse().unwrap(),
        free_quantity: 1,
        occurred_at: i64::MAX / 4,
    });
    let value = framer.value(&stale).unwrap();
    let headers = |sequence| {
        let record = &CatalogueEvent::RECORDS[stale.record()];
        [("ce_id", "1"), ("ce_source", "inventory"), ("ce_type", record.full_name)]
            .into_iter()
            .chain(sequence)
            .collect::<Vec<_>>()
    };
    // Number 1 was the item itself. Without a number nobody knows whether it is old.
    for sequence in [Some(("ce_sequence", "1")), None] {
        let topic = CatalogueEvent::TOPIC;
        outsider.send(topic, &sku, &headers(sequence), Some(&value)).await.unwrap();
    }
    // Behind the two in the same partition.
    let inventory = shop.fleet.url("inventory");
    expect(200, shop.set_price(&inventory, &sku, 350).await.unwrap()).unwrap();
    shop.wait("the new price", async || {
        let charged = shop.charged(&sku).await?;
        anyhow::ensure!(charged != Some(999), "the stale price is charged");
        Ok((charged == Some(350)).then_some(()))
    })
    .await
    .unwrap();
    let letter = dead_letter(&shop, "order", &sku).await;
    assert!(letter["detail"].as_str().unwrap().contains("ce_sequence"), "{letter}");
}

#[tokio::test]
async fn an_adjustment_that_http_would_refuse_is_refused_in_the_same_words() {
    let shop = shop().await;
    let (outsider, framer) = outsider(&shop).await;
    for (delta, note, words) in [
        (0, String::new(), "an adjustment is not 0"),
        (i64::MIN, String::new(), "an adjustment is not 0"),
        (1, "a\0b".to_owned(), "a note has at most 500 characters"),
        (1, "x".repeat(100_000), "a note has at most 500 characters"),
    ] {
        let sku = shop.item(5).await.unwrap();
        let WarehouseEvent::StockAdjusted(event) = adjusted(&sku, delta);
        let event: WarehouseEvent = StockAdjusted { note: note.clone(), ..event }.into();
        outsider.publish(&framer, "warehouse", &sku, &event).await.unwrap();
        let letter = dead_letter(&shop, "inventory", &sku).await;
        assert_eq!(letter["reason"], "refused", "{letter}");
        assert!(letter["detail"].as_str().unwrap().contains(words), "{}", letter["detail"]);
        let path = format!("/stock/{sku}/adjustments");
        let request = shop.request("POST", "inventory", &path).unwrap();
        let request = request.header("Idempotency-Key", &sku);
        let body = json!({ "delta": delta, "note": note });
        let (status, problem) = send(request.json(&body)).await.unwrap();
        if note.len() < 1_000 {
            assert_eq!(status, 422, "{problem}");
            assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        } else {
            assert_eq!(status, 413, "{problem}");
        }
        assert_eq!(shop.units(&sku).await.unwrap(), (5, 0, 0));
    }
}

#[tokio::test]
async fn every_copy_of_a_header_and_those_that_are_no_text_are_seen_in_a_dead_letter() {
    let shop = shop().await;
    let (outsider, _) = outsider(&shop).await;
    let key = format!("headers-{}", Uuid::new_v4());
    let headers = [("trace", "a"), ("trace", "b")];
    outsider.send(WarehouseEvent::TOPIC, &key, &headers, Some(b"not Avro")).await.unwrap();
    let letter = dead_letter(&shop, "inventory", &key).await;
    let seen = json!([{ "name": "trace", "value": "a" }, { "name": "trace", "value": "b" }]);
    assert_eq!(letter["headers"], seen);
}

#[tokio::test]
async fn answers_that_come_twice_and_long_after_the_end_change_nothing() {
    let shop = shop().await;
    let sku = shop.item(3).await.unwrap();
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    let ended = shop.ended(order, "completed").await.unwrap();
    shop.wait_for_units(&sku, (2, 0, 1)).await.unwrap();

    let topics = ["order.events", "payment.events", "inventory.events", "shipping.events"];
    let brokers = shop.fleet.environment().kafka_brokers();
    let key = order.to_string();
    let mut records = Vec::new();
    let tail = Tail::new(&brokers, &topics, From::Beginning).unwrap();
    tail.read_to_end(Duration::from_secs(20), |record| {
        if record.key == key {
            records.push(record);
        }
    })
    .unwrap();
    assert_eq!(records.len(), 8, "a happy order is eight events");
    let (outsider, framer) = outsider(&shop).await;
    for record in records.iter().chain(records.iter().rev()) {
        let headers: Vec<(&str, &str)> =
            record.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let value = record.value.as_deref();
        outsider.send(&record.topic, &record.key, &headers, value).await.unwrap();
    }
    // What comes after the copies on the same partitions is processed after them.
    let witness = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(witness, "completed").await.unwrap();
    outsider.publish(&framer, "warehouse", &key, &adjusted(&sku, 1)).await.unwrap();
    shop.wait_for_units(&sku, (2, 0, 2)).await.unwrap();
    let later = shop.order(order).await.unwrap();
    assert_eq!((history(&later), &later["state"]), (history(&ended), &ended["state"]));
}

#[tokio::test]
async fn poison_on_a_topic_is_set_aside_and_orders_go_on() {
    let shop = shop().await;
    let sku = shop.item(2).await.unwrap();
    let (outsider, _) = outsider(&shop).await;
    let key = format!("poison-{}", Uuid::new_v4());
    for topic in ["order.events", "payment.events"] {
        outsider.send(topic, &key, &[], Some(b"not Avro")).await.unwrap();
    }
    let order = shop.place(&[(&sku, 1)], "DE", "tok_visa").await.unwrap();
    shop.ended(order, "completed").await.unwrap();
    for service in ["payment", "inventory", "shipping", "order"] {
        let letter = dead_letter(&shop, service, &key).await;
        assert_eq!(letter["reason"], "undecodable", "{service}: {letter}");
    }
}
