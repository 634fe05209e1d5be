//! What the brokers say about topics: partitions, offsets, settings. Separate from creating topics, as it is for those
//! who look at a cluster.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::TIMEOUT;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    /// Its name.
    pub name: String,
    /// Its partitions, in their order.
    pub partitions: Vec<PartitionFacts>,
    /// Its settings, by their names in Kafka.
    pub settings: BTreeMap<String, String>,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Its number.
    pub number: i32,
    /// The broker that leads it; none while there is no leader.
    pub leader: Option<i32>,
    /// How many brokers hold a copy.
    pub replicas: usize,
    /// How many of these are in sync.
    pub in_sync: usize,
    /// The first record that is there, and where it ends; none while there is no leader.
    pub offsets: Option<(i64, i64)>,
}

/// What there is to say about these topics; those that do not exist are left out.
pub async fn facts(brokers: &str, topics: &[String]) -> Result<Vec<TopicFacts>, KafkaError> {
    let (asked, place) = (topics.to_owned(), brokers.to_owned());
    let looked = tokio::task::spawn_blocking(move || partitions(&place, &asked)).await;
    let found = looked.map_err(|_panicked| KafkaError::Canceled)??;
    let specifiers: Vec<_> = found.keys().map(|name| ResourceSpecifier::Topic(name)).collect();
    let mut settings = BTreeMap::new();
    // The client refuses to ask about none.
    if !specifiers.is_empty() {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", brokers).create()?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        for described in admin.describe_configs(&specifiers, &options).await? {
            let described = described.map_err(KafkaError::AdminOp)?;
            let OwnedResourceSpecifier::Topic(name) = described.specifier else { continue };
            let entries = described.entries.into_iter();
            let entries = entries.filter_map(|entry| Some((entry.name, entry.value?)));
            settings.insert(name, entries.collect::<BTreeMap<_, _>>());
        }
    }
    let whole = found.into_iter().map(|(name, partitions)| {
        let settings = settings.remove(&name).unwrap_or_default();
        TopicFacts { name, partitions, settings }
    });
    Ok(whole.collect())
}

/// What the cluster calls itself. Two clusters may have the same addresses, one after the other.
pub async fn cluster_id(brokers: &str) -> Result<String, KafkaError> {
    let brokers = brokers.to_owned();
    let ask = move || {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", brokers).create()?;
        // The answer to this brings the id along, and says why where nobody answers.
        client.fetch_metadata(Some("__consumer_offsets"), TIMEOUT)?;
        client.client().fetch_cluster_id(TIMEOUT).ok_or(KafkaError::Canceled)
    };
    tokio::task::spawn_blocking(ask).await.map_err(|_panicked| KafkaError::Canceled)?
}

fn partitions(
    brokers: &str,
    topics: &[String],
) -> Result<BTreeMap<String, Vec<PartitionFacts>>, KafkaError> {
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("allow.auto.create.topics", "false")
        .create()?;
    let metadata = client.fetch_metadata(None, TIMEOUT)?;
    let mut found = BTreeMap::new();
    for topic in metadata.topics().iter().filter(|topic| topics.iter().any(|t| t == topic.name())) {
        let mut partitions = Vec::new();
        for partition in topic.partitions() {
            let leader = Some(partition.leader()).filter(|leader| *leader >= 0);
            let ask = || client.fetch_watermarks(topic.name(), partition.id(), TIMEOUT);
            partitions.push(PartitionFacts {
                number: partition.id(),
                leader,
                replicas: partition.replicas().len(),
                in_sync: partition.isr().len(),
                offsets: leader.map(|_| ask()).transpose()?,
            });
        }
        partitions.sort_by_key(|partition| partition.number);
        found.insert(topic.name().to_owned(), partitions);
    }
    Ok(found)
}
