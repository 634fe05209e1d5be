//! Reading topics from outside: what is not there, what is not there any more, and what is away for a
//! while. Each test takes its turn, as one of them kills Kafka.

use std::time::Duration;

use chassis::tail::{From, Tail, TailError};
use chassis::testing::Outsider;
use chassis::topics::{self, TopicPlan};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::world::{PATIENCE, World, wait};

/// Creates a topic of one partition; returns its name.
async fn fresh_topic(brokers: &str) -> String {
    let name = format!("tail-{}", uuid::Uuid::new_v4());
    let plan = TopicPlan { name: name.clone(), partitions: 1, settings: Vec::new() };
    topics::apply(brokers, &[plan], 1).await.unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_was_removed_is_told_and_the_rest_is_read() {
    let world = World::enter().await;
    let brokers = &world.urls.brokers;
    let name = fresh_topic(brokers).await;
    let outsider = Outsider::new(brokers).unwrap();
    for key in ["a", "b", "c"] {
        outsider.send(&name, key, &[], Some(b"x")).await.unwrap();
    }
    let whole = Tail::new(brokers, &[&name], From::Beginning).unwrap();
    assert_eq!(whole.expired().count(), 0);

    // As retention does, but now.
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    let mut removed = TopicPartitionList::new();
    removed.add_partition_offset(&name, 0, Offset::Offset(2)).unwrap();
    admin.delete_records(&removed, &AdminOptions::new()).await.unwrap();

    let rest = Tail::new(brokers, &[&name], From::Beginning).unwrap();
    assert_eq!(rest.expired().collect::<Vec<_>>(), [(name.as_str(), 0, 2)]);
    let mut keys = Vec::new();
    rest.read_to_end(Duration::from_secs(20), |record| keys.push(record.key)).unwrap();
    assert_eq!(keys, ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_an_error_rather_than_silence() {
    let world = World::enter().await;
    let tail = Tail::new(&world.urls.brokers, &["typo"], From::End);
    let Err(TailError::UnknownTopic { name, .. }) = tail else {
        panic!("a tail of nothing was made")
    };
    assert_eq!(name, "typo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_just_being_created_is_read_once_it_is_there() {
    let world = World::enter().await;
    let brokers = &world.urls.brokers;
    for _each in 0..20 {
        let name = format!("tail-{}", uuid::Uuid::new_v4());
        let plan = TopicPlan { name: name.clone(), partitions: 24, settings: Vec::new() };
        let to = brokers.clone();
        let created = tokio::spawn(async move { topics::apply(&to, &[plan], 1).await });
        let made = wait("the topic", async || {
            let made = tokio::task::block_in_place(|| Tail::new(brokers, &[&name], From::End));
            match made {
                Err(unknown @ TailError::UnknownTopic { .. }) => Err(unknown.to_string()),
                made => Ok(made.map(drop)),
            }
        });
        made.await.unwrap();
        created.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_outlives_the_absence_of_kafka_goes_on_where_it_was() {
    let mut world = World::enter().await;
    let brokers = world.urls.brokers.clone();
    let name = fresh_topic(&brokers).await;
    let send = async |key| {
        let outsider = Outsider::new(&brokers).unwrap();
        outsider.send(&name, key, &[], Some(b"x")).await.unwrap();
    };
    let outlives = Tail::new(&brokers, &[&name], From::Beginning).unwrap();
    let other = Tail::new(&brokers, &[&name], From::Beginning).unwrap();
    send("before").await;
    for tail in [&outlives, &other] {
        assert_eq!(tail.next(PATIENCE).unwrap().unwrap().key, "before");
    }

    world.kill_kafka().await;
    wait("a reader to be told that Kafka is away", async || match other.next(Duration::ZERO) {
        Err(KafkaError::MessageConsumption(_)) => Ok(()),
        answer => Err(format!("it is told {answer:?}")),
    })
    .await;
    world.restart_kafka().await;
    // In the seconds that Kafka took, this reader was told too: by fewer errors than it asks times.
    for _ in 0..100 {
        let nothing = outlives.next_whenever(Duration::ZERO).unwrap();
        assert!(nothing.is_none(), "{nothing:?}");
    }
    send("after").await;
    let record = outlives.next_whenever(PATIENCE).unwrap().expect("Kafka is back");
    assert_eq!((record.key.as_str(), record.offset), ("after", 1));
}
