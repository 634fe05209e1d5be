//! How many replicas must have a record before it is acknowledged. With one, it is lost together with
//! its broker, after its outbox row has been noted as published. Separate from creating topics, as running
//! services look at it too.

use std::collections::BTreeMap;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::TIMEOUT;

/// The setting of a topic.
pub(super) const SETTING: &str = "min.insync.replicas";
/// A record is acknowledged once this many replicas have it, or all where there are fewer: one may be lost. While too
/// few are in sync, nothing is published, and events wait in the outbox; that is better than losing them.
const COPIES: i32 = 2;

/// How safe a topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// Its replicas.
    pub replicas: i32,
    /// How many of them must have a record before it is acknowledged.
    pub in_sync: i32,
}

impl Safety {
    /// What is wrong with it, if anything is, and what it would take.
    pub fn complaint(&self) -> Option<String> {
        let Safety { replicas, in_sync } = self;
        let wanted = wanted(*replicas);
        if *in_sync > *replicas {
            return Some(format!(
                "{SETTING} is {in_sync}, and there are {replicas} replicas: Kafka takes nothing"
            ));
        }
        (*in_sync < wanted).then(|| {
            format!(
                "{SETTING} is {in_sync} of {replicas} replicas: an acknowledged event is lost with one \
                 broker; {wanted} is wanted"
            )
        })
    }
}

/// How many of `replicas` must be in sync.
pub(super) fn wanted(replicas: i32) -> i32 {
    COPIES.min(replicas)
}

/// The safety of these topics; those that do not exist are left out.
pub async fn safety(
    brokers: &str,
    topics: &[String],
) -> Result<BTreeMap<String, Safety>, KafkaError> {
    let replicas = replicas(brokers).await?;
    let known: Vec<&str> =
        topics.iter().map(String::as_str).filter(|topic| replicas.contains_key(*topic)).collect();
    let asked: Vec<ResourceSpecifier<'_>> =
        known.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let mut found = BTreeMap::new();
    // Of several brokers, the one that was asked may not know topics that were created a moment ago; and the client
    // refuses to ask about none.
    if asked.is_empty() {
        return Ok(found);
    }
    for described in admin(brokers)?.describe_configs(&asked, &options()).await? {
        let described = match described {
            // So may the broker that is asked now.
            Err(RDKafkaErrorCode::UnknownTopicOrPartition) => continue,
            described => described.map_err(KafkaError::AdminOp)?,
        };
        let OwnedResourceSpecifier::Topic(topic) = &described.specifier else { continue };
        let value = described.get(SETTING).and_then(|entry| entry.value.as_deref()?.parse().ok());
        if let (Some(in_sync), Some(replicas)) = (value, replicas.get(topic)) {
            found.insert(topic.clone(), Safety { replicas: *replicas, in_sync });
        }
    }
    Ok(found)
}

/// Makes a topic as safe as its replicas allow.
pub(super) async fn secure(brokers: &str, topic: &str, replicas: i32) -> Result<(), KafkaError> {
    let admin = admin(brokers)?;
    let asked = [ResourceSpecifier::Topic(topic)];
    let mut described = admin.describe_configs(&asked, &options()).await?;
    let described = described.pop().ok_or(KafkaError::Canceled)?.map_err(KafkaError::AdminOp)?;
    // The request replaces all settings of the topic, so the existing ones are sent along.
    let own = described.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
    let own = own.filter(|entry| entry.name != SETTING);
    let wanted = wanted(replicas).to_string();
    let config = own.fold(
        AlterConfig::new(ResourceSpecifier::Topic(topic)).set(SETTING, &wanted),
        |config, entry| config.set(&entry.name, entry.value.as_deref().unwrap_or_default()),
    );
    for altered in admin.alter_configs([&config], &options()).await? {
        altered.map_err(|(_, code)| KafkaError::AdminOp(code))?;
    }
    Ok(())
}

async fn replicas(brokers: &str) -> Result<BTreeMap<String, i32>, KafkaError> {
    let brokers = brokers.to_owned();
    let ask = move || {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", brokers).create()?;
        let metadata = client.fetch_metadata(None, TIMEOUT)?;
        let fewest = |topic: &rdkafka::metadata::MetadataTopic| {
            topic.partitions().iter().map(|partition| partition.replicas().len() as i32).min()
        };
        let topics = metadata.topics().iter();
        Ok(topics.filter_map(|t| Some((t.name().to_owned(), fewest(t)?))).collect())
    };
    tokio::task::spawn_blocking(ask).await.map_err(|_panicked| KafkaError::Canceled)?
}

fn admin(brokers: &str) -> Result<AdminClient<DefaultClientContext>, KafkaError> {
    ClientConfig::new().set("bootstrap.servers", brokers).create()
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_replicas_have_what_is_acknowledged_where_there_are_two() {
        assert_eq!([1, 2, 3, 5].map(wanted), [1, 2, 2, 2]);
        let is_fine = |replicas, in_sync| Safety { replicas, in_sync }.complaint().is_none();
        assert!(is_fine(1, 1) && is_fine(3, 2) && is_fine(3, 3));
        assert!(!is_fine(3, 1), "an acknowledged event is lost with one broker");
        assert!(!is_fine(1, 2), "nothing is taken");
    }
}
