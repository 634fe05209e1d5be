//! Reading topics from outside: what is not there, and what is not there any more.

use std::time::Duration;

use chassis::tail::{From, Tail, TailError};
use chassis::testing::Outsider;
use chassis::topics::{self, TopicPlan};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_was_removed_is_told_and_the_rest_is_read() {
    let brokers = local::testing::servers().await.unwrap().kafka_brokers();
    let name = format!("tail-{}", uuid::Uuid::new_v4());
    let plan = TopicPlan { name: name.clone(), partitions: 1, settings: Vec::new() };
    topics::apply(&brokers, &[plan], 1).await.unwrap();
    let outsider = Outsider::new(&brokers).unwrap();
    for key in ["a", "b", "c"] {
        outsider.send(&name, key, &[], Some(b"x")).await.unwrap();
    }
    let whole = Tail::new(&brokers, &[&name], From::Beginning).unwrap();
    assert_eq!(whole.expired().count(), 0);

    // As retention does, but now.
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", &brokers).create().unwrap();
    let mut removed = TopicPartitionList::new();
    removed.add_partition_offset(&name, 0, Offset::Offset(2)).unwrap();
    admin.delete_records(&removed, &AdminOptions::new()).await.unwrap();

    let rest = Tail::new(&brokers, &[&name], From::Beginning).unwrap();
    assert_eq!(rest.expired().collect::<Vec<_>>(), [(name.as_str(), 0, 2)]);
    let mut keys = Vec::new();
    rest.read_to_end(Duration::from_secs(20), |record| keys.push(record.key)).unwrap();
    assert_eq!(keys, ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_an_error_rather_than_silence() {
    let brokers = local::testing::servers().await.unwrap().kafka_brokers();
    let Err(TailError::UnknownTopic { name, .. }) = Tail::new(&brokers, &["typo"], From::End)
    else {
        panic!("a tail of nothing was made")
    };
    assert_eq!(name, "typo");
}
