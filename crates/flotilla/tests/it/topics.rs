//! Creating topics, and looking at what is on them.

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use events::{Sku, StockAdjusted, WarehouseEvent};
use uuid::Uuid;

use crate::cli::{flotilla, servers};

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_error_that_names_those_that_do() {
    let applied = flotilla(&["topics", "apply"]).await;
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let said = flotilla(&["events", "tail", "--topic", "typo"]).await;
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("no topic is called typo"), "{}", said.stderr);
    assert!(said.stderr.contains("order.events"), "{}", said.stderr);
    assert!(!said.stderr.contains("__consumer_offsets"), "{}", said.stderr);
}

#[tokio::test]
async fn topics_are_created_once_and_listed() {
    for _ in 0..2 {
        assert_eq!(flotilla(&["topics", "apply", "--partitions", "3"]).await.code, 0);
    }
    let again = flotilla(&["--json", "topics", "apply"]).await.list("topics");
    assert!(again.iter().all(|topic| topic["outcome"] == "existed"), "{again:?}");
    let listed = flotilla(&["--json", "topics", "list"]).await.list("topics");
    let orders = listed.iter().find(|topic| topic["topic"] == "order.events").unwrap();
    assert_eq!(orders["partitions"], 3);
}

#[tokio::test]
async fn an_event_is_shown_decoded_with_its_key() {
    let servers = servers().await;
    assert_eq!(flotilla(&["topics", "apply"]).await.code, 0);
    let registry = Registry::new(&servers.registry_url());
    for record in <WarehouseEvent as events::Events>::RECORDS {
        registry.register(record).await.unwrap();
    }
    let framer = Framer::new::<WarehouseEvent>(&registry).await.unwrap();
    let sku = format!("tea-{}", Uuid::new_v4());
    let event: WarehouseEvent = StockAdjusted {
        adjustment_id: Uuid::new_v4(),
        sku: Sku::new(sku.clone()).unwrap(),
        delta: 7,
        note: "counted".to_owned(),
        occurred_at: 1,
    }
    .into();
    let outsider = Outsider::new(&servers.kafka_brokers()).unwrap();
    outsider.publish(&framer, "warehouse", &sku, &event).await.unwrap();

    let args = ["--json", "events", "tail", "--from-beginning", "--idle-seconds", "3", "--key"];
    let said = flotilla(&[&args[..], &[&sku]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let [shown] = &said.documents()[..] else { panic!("{}", said.stdout) };
    assert_eq!((&shown["key"], &shown["value"]["delta"]), (&sku.into(), &7.into()));
    assert_eq!(shown["headers"]["ce_type"], "flotilla.warehouse.v1.StockAdjusted");
}
