//! Groups of consumers, seen from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use chassis::groups;
use chassis::testing::Outsider;
use chassis::topics::{self, TopicPlan};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;

use crate::world::{World, wait};

/// How long the member waits for a record at once.
const POLL: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shows_its_members_and_what_they_have_still_to_read() {
    let world = World::enter().await;
    let brokers = world.urls.brokers.clone();
    let name = format!("groups-{}", uuid::Uuid::new_v4());
    let plan = TopicPlan { name: name.clone(), partitions: 1, settings: Vec::new() };
    topics::apply(&brokers, &[plan], 1).await.unwrap();
    let outsider = Outsider::new(&brokers).unwrap();
    for key in ["a", "b", "c"] {
        outsider.send(&name, key, &[], Some(b"x")).await.unwrap();
    }
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("group.id", &name)
        .set("client.id", "reader")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        // A topic that the broker did not know yet at the first look is looked for again after five minutes.
        .set("topic.metadata.refresh.interval.ms", "500")
        .create()
        .unwrap();
    member.subscribe(&[&name]).unwrap();
    // A poll may also end because the group was rebalanced.
    let first = wait("the first record", async || {
        let polled = tokio::task::block_in_place(|| member.poll(POLL));
        polled.ok_or("nothing came".to_owned())
    });
    let first = first.await.unwrap();
    assert_eq!(first.key(), Some(&b"a"[..]));
    member.commit_message(&first, CommitMode::Sync).unwrap();

    let group = wait("the group", async || {
        let found = tokio::task::block_in_place(|| groups::list(&brokers, Some(&name))).unwrap();
        let found = found.into_iter().find(|group| !group.members.is_empty());
        found.ok_or("it has no members".to_owned())
    });
    let group = group.await;
    assert_eq!((group.state.as_str(), group.members.len()), ("Stable", 1));
    assert_eq!(group.members[0].client, "reader");
    assert_eq!(group.members[0].partitions, [(name.clone(), 0)]);
    let topics = BTreeMap::from([(name.clone(), 1)]);
    let positions =
        tokio::task::block_in_place(|| groups::positions(&brokers, &name, &topics)).unwrap();
    let found: Vec<_> = positions.iter().map(|p| (p.committed, p.end, p.lag())).collect();
    assert_eq!(found, [(1, 3, 2)]);
}
