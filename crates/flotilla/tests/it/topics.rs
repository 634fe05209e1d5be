//! Creating topics, and looking at what is on them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use chassis::Registry;
use chassis::testing::{Framer, Outsider};
use chassis::topics::{self, TopicPlan};
use events::{Sku, StockAdjusted, WarehouseEvent};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::cli::{flotilla, servers};

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_error_that_names_those_that_do() {
    let applied = flotilla(&["topics", "apply"]).await;
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let said = flotilla(&["events", "tail", "--topic", "typo"]).await;
    assert_eq!(said.code, 5);
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

    // The same as a copy of other topics: with as many partitions, with more, cut off, and changed.
    let (cut, _end) = text.trim_end().rsplit_once('\n').unwrap();
    let (b, c) = (of_another(&text, "copied-b"), of_another(&text, "copied-c"));
    let changed = text.replace("copied-a", "copied-b");
    for (name, text) in [("b", &*b), ("c", &*c), ("cut", cut), ("changed", &*changed)] {
        std::fs::write(file(name), text).unwrap();
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
    let said = refused("changed").await;
    assert!(said.contains("was changed"), "{said}");
    let said = flotilla(&["events", "load", &file("b")]).await;
    assert!(said.stdout.contains("3 records"), "{}{}", said.stdout, said.stderr);
    let said = refused("b").await;
    assert!(said.contains("copied-b holds 3 records"), "{said}");
    let again = file("again");
    assert_eq!(flotilla(&["events", "save", &again, "--topic", "copied-b"]).await.code, 0);
    let copied = std::fs::read_to_string(&again).unwrap().replace("copied-b", "copied-a");
    assert_eq!(by_partition(&copied), by_partition(&text));
}

/// The copy as one of another topic.
fn of_another(copy: &str, topic: &str) -> String {
    let (lines, end) = copy.trim_end().rsplit_once('\n').unwrap();
    let lines = format!("{}\n", lines.replace("copied-a", topic));
    let mut end: Value = serde_json::from_str(end).unwrap();
    end["end"]["sha256"] = hex::encode(Sha256::digest(&lines)).into();
    format!("{lines}{end}\n")
}

/// What a copy says, partition by partition, in the order of each: partitions are read side by side.
fn by_partition(copy: &str) -> BTreeMap<i64, Vec<Value>> {
    let mut all = BTreeMap::<i64, Vec<Value>>::new();
    for line in copy.lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let place = line["record"]["partition"].as_i64().unwrap_or(-1);
        // It is about the order of all lines too.
        line["end"]["sha256"].take();
        all.entry(place).or_default().push(line);
    }
    all
}

#[tokio::test]
async fn a_copy_replaces_no_file_and_leaves_none_when_it_fails() {
    let brokers = servers().await.kafka_brokers();
    let plan = TopicPlan { name: "kept".to_owned(), partitions: 1, settings: Vec::new() };
    topics::apply(&brokers, &[plan], 1).await.unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("kept.jsonl");
    let name = file.to_str().unwrap();
    let said = flotilla(&["events", "save", name, "--topic", "typo"]).await;
    assert_eq!((said.code, folder.path().read_dir().unwrap().count()), (5, 0), "{}", said.stderr);

    let save = ["events", "save", name, "--topic", "kept"];
    assert_eq!(flotilla(&save).await.code, 0);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let said = flotilla(&save).await;
    assert!(said.stderr.contains("is there already; --force replaces it"), "{}", said.stderr);
    assert_eq!(flotilla(&[&save[..], &["--force"]].concat()).await.code, 0);
    assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    let said = flotilla(&["events", "save", "/dev/null", "--topic", "kept", "--force"]).await;
    assert!(said.stderr.contains("is no regular file"), "{}", said.stderr);
    let said = flotilla(&["events", "load", folder.path().to_str().unwrap()]).await;
    assert!(said.stderr.contains("is no regular file"), "{}", said.stderr);
}

#[tokio::test]
async fn reading_until_the_end_fails_at_what_cannot_be_decoded() {
    let brokers = servers().await.kafka_brokers();
    let plan = TopicPlan { name: "undecoded".to_owned(), partitions: 1, settings: Vec::new() };
    topics::apply(&brokers, &[plan], 1).await.unwrap();
    let tail = ["events", "tail", "--topic", "undecoded", "--from-beginning"];
    let until_end = [&tail[..], &["--until-end"]].concat();
    let said = flotilla(&until_end).await;
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
    let outsider = Outsider::new(&brokers).unwrap();
    outsider.send("undecoded", "key", &[], Some(b"x")).await.unwrap();
    let said = flotilla(&until_end).await;
    assert_eq!(said.code, 1, "{}", said.stdout);
    assert!(said.stderr.contains("undecoded/0 cannot be decoded at offset 0"), "{}", said.stderr);
    let said = flotilla(&[&tail[..], &["--idle-seconds", "3"]].concat()).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("does not begin with a zero byte"), "{}", said.stdout);
}
