//! `flotilla dlq`: letters that come to life again, and some that never will.

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use events::{Sku, StockAdjusted, WarehouseEvent};
use serde_json::Value;
use uuid::Uuid;

use crate::program::Fleet;

pub(crate) fn letters_are_shown_retried_and_dropped(fleet: &Fleet) {
    publish(fleet);
    let letters = fleet.letters();
    let id = |reason: &str| {
        let letter = letters.iter().find(|letter| letter["reason"] == reason);
        letter.unwrap_or_else(|| panic!("{reason}: {letters:?}"))["id"].clone()
    };
    let (garbage, early) = (id("undecodable"), id("refused"));

    fleet.ok("dlq list --service inventory --reason refused").says("late-item");
    fleet.ok(&format!("dlq show inventory {early}")).says("late-item");
    fleet.ok(&format!("dlq show inventory {garbage}")).says("undecoded");
    fleet.run("dlq show inventory 999999").with_code(1).complains("no such dead letter");

    // What cannot be read today cannot be read tomorrow; what came too early is right by now.
    fleet.ok("dlq retry --service inventory").says("would retry 2");
    let garbage = format!("--service inventory --id {garbage}");
    fleet.run(&format!("dlq retry {garbage} --yes")).with_code(1).says("still");
    fleet.ok("stock set late-item Late 100");
    fleet.ok(&format!("dlq retry --service inventory --id {early} --yes")).says("retried");
    fleet.ok("stock list").says("free 5");
    fleet.ok(&format!("dlq drop {garbage}")).says("would drop 1");
    fleet.ok("dlq drop --reason undecodable --yes").says("dropped");
    fleet.run("dlq retry --reason refused").with_code(1).complains("flotilla dlq list");
    fleet.ok("dlq list").says("no dead letters wait");
}

/// An adjustment of an item that is not there yet, and bytes that are no event.
fn publish(fleet: &Fleet) {
    let ports = fleet.settings.ports;
    let brokers = format!("127.0.0.1:{}", ports.get("kafka"));
    let registry = format!("http://127.0.0.1:{}/apis/ccompat/v7", ports.get("registry"));
    let sku = "late-item";
    let event: WarehouseEvent = StockAdjusted {
        adjustment_id: Uuid::new_v4(),
        sku: Sku::new(sku).unwrap(),
        delta: 5,
        note: "counted".to_owned(),
        occurred_at: 1,
    }
    .into();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let outsider = Outsider::new(&brokers).unwrap();
        let framer = Framer::new::<WarehouseEvent>(&Registry::new(&registry)).await.unwrap();
        outsider.publish(&framer, "warehouse", "early", &event).await.unwrap();
        let topic = <WarehouseEvent as events::Events>::TOPIC;
        outsider.send(topic, "garbage", &[], Some(b"not Avro")).await.unwrap();
    });
}

impl Fleet {
    /// The dead letters, once there are two.
    fn letters(&self) -> Vec<Value> {
        loop {
            let found = self.ok("--json dlq list").document();
            let letters = found["dead_letters"].as_array().unwrap();
            if letters.len() >= 2 {
                return letters.clone();
            }
        }
    }
}
