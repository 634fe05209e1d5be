//! The producers: an adjustment counts once, and its record is where a producer in Rust would put it.

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use e2e::rig::{TURN, open};
use e2e::shop::Shop;
use events::{Events, Sku, StockAdjusted, WarehouseEvent};
use uuid::Uuid;

use crate::languages::{ALL, Language, said};
use crate::records;

/// Items that each producer adjusts: one might be on the right partition by chance.
const ITEMS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn an_adjustment_that_a_producer_sends_three_times_counts_once_on_the_partition_of_its_key() {
    let _turn = TURN.lock().await;
    let shop = open().await.unwrap();
    futures::future::join_all(ALL.map(|language| adjusts(&shop, language))).await;
}

async fn adjusts(shop: &Shop, language: Language) {
    let environment = shop.fleet.environment();
    let outsider = Outsider::new(&environment.kafka_brokers()).unwrap();
    let registry = Registry::new(&environment.registry_url());
    let framer = Framer::new::<WarehouseEvent>(&registry).await.unwrap();
    for number in 0..ITEMS {
        let sku = shop.item(5).await.unwrap();
        let id = Uuid::new_v4();
        let times = if number == 0 { 3 } else { 1 };
        for _ in 0..times {
            let mut producer = language.producer(shop);
            producer.args([&sku, "7", &id.to_string()]);
            tokio::task::spawn_blocking(move || said(&mut producer)).await.unwrap();
        }
        // A witness behind them on the same partition.
        let witness: WarehouseEvent = StockAdjusted {
            adjustment_id: Uuid::new_v4(),
            sku: Sku::new(sku.clone()).unwrap(),
            delta: -1,
            note: String::new(),
            occurred_at: 1,
        }
        .into();
        let sent = outsider.publish(&framer, "warehouse", &sku, &witness).await.unwrap();
        let counted = shop.wait_for_units(&sku, (11, 0, 0)).await;
        counted.unwrap_or_else(|why| panic!("{language:?}: {why}"));
        let found = records::of(shop, &[WarehouseEvent::TOPIC], &[sku]);
        assert_eq!(found.len(), times + 1, "{language:?}");
        for record in found {
            assert_eq!(record.partition, sent.0, "{language:?}: {:?}", record.headers);
            assert_eq!(record.event_type(), "flotilla.warehouse.v1.StockAdjusted");
        }
    }
}
