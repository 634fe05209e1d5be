//! Creating topics, and looking at what is on them.

use std::collections::BTreeSet;

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use chassis::topics::{self, TopicPlan};
use events::{Sku, StockAdjusted, WarehouseEvent};
use tempfile::TempDir;
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

#[tokio::test]
async fn a_topic_comes_back_from_its_copy_byte_for_byte_or_not_at_all() {
    let brokers = servers().await.kafka_brokers();
    let topics = [("copied-a", 2), ("copied-b", 2), ("copied-c", 3)].map(|(name, partitions)| {
        TopicPlan { name: name.to_owned(), partitions, settings: Vec::new() }
    });
    topics::apply(&brokers, &topics, 1).await.unwrap();
    let outsider = Outsider::new(&brokers).unwrap();
    for (key, value) in [("one", Some(&b"\x00\xff"[..])), ("two", None), ("one", Some(b""))] {
        outsider.send("copied-a", key, &[("h", "1"), ("h", "")], value).await.unwrap();
    }
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let whole = file("a");
    let said = flotilla(&["events", "save", &whole, "--topic", "copied-a"]).await;
    assert!(said.stdout.contains("3 records of copied-a"), "{}{}", said.stdout, said.stderr);
    let text = std::fs::read_to_string(&whole).unwrap();

    // The same as a copy of other topics: with as many partitions, with more, and cut off.
    let (cut, _end) = text.trim_end().rsplit_once('\n').unwrap();
    for (name, text) in [("b", &*text), ("c", &*text), ("cut", cut)] {
        let other = if name == "c" { "copied-c" } else { "copied-b" };
        std::fs::write(file(name), text.replace("copied-a", other)).unwrap();
    }
    let refused = |name: &str| {
        let file = file(name);
        async move {
            let said = flotilla(&["events", "load", &file]).await;
            assert_eq!(said.code, 1, "{}", said.stdout);
            said.stderr
        }
    };
    let said = refused("c").await;
    assert!(said.contains("copied-c has 3 partitions, and 2 in the file"), "{said}");
    let said = refused("cut").await;
    assert!(said.contains("is not whole"), "{said}");
    let said = flotilla(&["events", "load", &file("b")]).await;
    assert!(said.stdout.contains("3 records"), "{}{}", said.stdout, said.stderr);
    let said = refused("b").await;
    assert!(said.contains("copied-b holds 3 records"), "{said}");
    let again = file("again");
    assert_eq!(flotilla(&["events", "save", &again, "--topic", "copied-b"]).await.code, 0);
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let copied = std::fs::read_to_string(&again).unwrap().replace("copied-b", "copied-a");
    assert_eq!(lines(&copied), lines(&text));
}
