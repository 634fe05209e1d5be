//! Topics as tools see them: what exists, and creating what is missing. A running service only looks.

#[cfg(feature = "outside")]
mod facts;
mod in_sync;

use std::collections::BTreeMap;
use std::time::Duration;

use language::TopicInfo;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

#[cfg(feature = "outside")]
pub use facts::{PartitionFacts, TopicFacts, cluster_id, facts};
pub use in_sync::{Safety, safety};

/// How long a question to the brokers may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Events stay forever: services keep their rows forever, a consumer that comes late begins with the
/// first event (hence schemas that stay compatible with every version), and the audit compares the two.
/// The broker's default would drop them after seven days. A fleet that cannot keep them sets the topic's
/// `retention.ms` itself, and existing topics are left as they are; both are fine for the audit, which
/// judges from the first record that is there.
const EVENT_RETENTION: [(&str, &str); 2] = [("retention.ms", "-1"), ("retention.bytes", "-1")];
/// How long dead letters stay readable on their topic: longer than the longest holiday.
const DEAD_LETTER_RETENTION_MS: &str = "2592000000";

/// A topic that the fleet needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name.
    pub name: String,
    /// How many partitions it gets when it is created.
    pub partitions: i32,
    /// Settings that differ from the broker's.
    pub settings: Vec<(&'static str, &'static str)>,
}

/// What happened to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It was there; with this many partitions.
    Existed(i32),
    /// It was there, and kept too few copies of what it acknowledges: now it keeps enough.
    Secured(i32),
}

/// All topics of the fleet: those of the published language, and each service's dead letters. More
/// partitions let more replicas share the work and cost the broker more requests.
pub fn plan(language: &[TopicInfo], partitions: i32, services: &[&str]) -> Vec<TopicPlan> {
    let language = language.iter().map(|topic| TopicPlan {
        name: topic.name.to_owned(),
        partitions,
        settings: match topic.compacted {
            true => vec![("cleanup.policy", "compact")],
            false => EVENT_RETENTION.to_vec(),
        },
    });
    let dead = services.iter().map(|service| TopicPlan {
        name: crate::consume::dead_letters::topic_of(service),
        partitions: 1,
        settings: vec![("retention.ms", DEAD_LETTER_RETENTION_MS)],
    });
    language.chain(dead).collect()
}

/// Creates the topics that are missing. Existing ones are left as they are, as changing their partitions
/// would move keys; only the number of copies that they acknowledge is corrected.
pub async fn apply(
    brokers: &str,
    plan: &[TopicPlan],
    replication: i32,
) -> Result<Vec<(String, Applied)>, KafkaError> {
    let brokers_to_ask = brokers.to_owned();
    let existing = tokio::task::spawn_blocking(move || existing(&brokers_to_ask))
        .await
        .map_err(|_panicked| KafkaError::Canceled)??;
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let in_sync = in_sync::wanted(replication).to_string();
    let missing: Vec<NewTopic<'_>> = plan
        .iter()
        .filter(|topic| !existing.contains_key(&topic.name))
        .map(|topic| {
            let new =
                NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(replication));
            let new = new.set(in_sync::SETTING, &in_sync);
            topic.settings.iter().fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    if !missing.is_empty() {
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        for created in admin.create_topics(&missing, &options).await? {
            match created {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(KafkaError::AdminOp(code)),
            }
        }
    }
    let names: Vec<String> = plan.iter().map(|topic| topic.name.clone()).collect();
    let mut found = safety(brokers, &names).await?;
    found.retain(|_, safety| safety.complaint().is_some());
    for (topic, Safety { replicas, .. }) in &found {
        in_sync::secure(brokers, topic, *replicas).await?;
    }
    let outcome = |topic: &TopicPlan| match existing.get(&topic.name) {
        Some(partitions) if found.contains_key(&topic.name) => Applied::Secured(*partitions),
        Some(partitions) => Applied::Existed(*partitions),
        None => Applied::Created,
    };
    Ok(plan.iter().map(|topic| (topic.name.clone(), outcome(topic))).collect())
}

/// The topics that exist, with their partitions. Blocks for as long as the brokers take to answer.
pub fn existing(brokers: &str) -> Result<BTreeMap<String, i32>, KafkaError> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("allow.auto.create.topics", "false")
        .create()?;
    let metadata = client.fetch_metadata(None, TIMEOUT)?;
    let topics = metadata.topics().iter();
    Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_is_left_to_the_retention_of_the_broker() {
        for topic in plan(events::TOPICS, 3, &["order"]) {
            let says = |key: &str, value: &str| topic.settings.contains(&(key, value));
            let kept = says("cleanup.policy", "compact")
                || says("retention.ms", "-1") && says("retention.bytes", "-1")
                || says("retention.ms", DEAD_LETTER_RETENTION_MS);
            assert!(kept, "{topic:?}");
        }
    }
}
