//! Somebody outside of the fleet who publishes into it.

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use chassis::topics::{self, TopicPlan};
use events::{Events, Sku, StockAdjusted, WarehouseEvent};
use uuid::Uuid;

use crate::program::Fleet;

const TOPIC: &str = <WarehouseEvent as Events>::TOPIC;

/// Publishes an adjustment of an item's stock; returns its partition.
pub(crate) fn adjusts(fleet: &Fleet, sku: &str, delta: i64) -> i32 {
    let adjustment_id = Uuid::new_v4();
    let event: WarehouseEvent = StockAdjusted {
        adjustment_id,
        sku: Sku::new(sku).unwrap(),
        delta,
        note: "counted".to_owned(),
        occurred_at: 1,
    }
    .into();
    let registry = fleet.settings.ports.get("registry");
    let registry = Registry::new(&format!("http://127.0.0.1:{registry}/apis/ccompat/v7"));
    runtime().block_on(async {
        let framer = Framer::new::<WarehouseEvent>(&registry).await.unwrap();
        let id = adjustment_id.to_string();
        outsider(fleet).publish(&framer, "warehouse", &id, &event).await.unwrap().0
    })
}

/// Publishes bytes that are no event.
pub(crate) fn sends_garbage(fleet: &Fleet) {
    let sent = async { outsider(fleet).send(TOPIC, "garbage", &[], Some(b"not Avro")).await };
    runtime().block_on(sent).unwrap();
}

/// Creates a topic with as many partitions as those of the fleet have, or others.
pub(crate) fn creates(fleet: &Fleet, topic: &str, partitions: i32) {
    let plan = TopicPlan { name: topic.to_owned(), partitions, settings: Vec::new() };
    let brokers = format!("127.0.0.1:{}", fleet.settings.ports.get("kafka"));
    runtime().block_on(topics::apply(&brokers, &[plan], 1)).unwrap();
}

fn outsider(fleet: &Fleet) -> Outsider {
    Outsider::new(&format!("127.0.0.1:{}", fleet.settings.ports.get("kafka"))).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}
