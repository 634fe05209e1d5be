//! Publishing for people outside of the fleet: records that are complete, onto the partition that a service would
//! choose for their key. Separate from what the services publish, which leaves through their outboxes.

use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};

use super::sender::{Outgoing, Sender};

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: String,
    /// Its partition: see [`partition_of`].
    pub partition: i32,
    /// Its key.
    pub key: String,
    /// Its headers, in their order.
    pub headers: Vec<(String, String)>,
    /// Its value, with the frame.
    pub value: Vec<u8>,
}

/// Publishes records, in their order. Blocking: use it on a thread of its own.
pub struct Publisher {
    sender: Sender,
}

impl Publisher {
    /// Connects when first used.
    pub fn new(brokers: &str) -> Result<Self, KafkaError> {
        Ok(Publisher { sender: Sender::new(brokers)? })
    }

    /// Hands a record over. An error may be about an earlier one; nothing behind that is published.
    pub fn send(&self, message: &Message) -> Result<(), KafkaError> {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
        for (key, value) in &message.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        self.sender.send(&Outgoing {
            topic: &message.topic,
            partition: message.partition,
            key: Some(message.key.as_bytes()),
            headers: &headers,
            value: Some(&message.value),
            timestamp_ms: None,
        })
    }

    /// Returns when everything is acknowledged by all replicas that are in sync.
    pub fn finish(self) -> Result<(), KafkaError> {
        self.sender.flush()
    }
}

/// The partition of a key among this many, as Java clients and our services choose it: murmur2, positive.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) as i32 % partitions.max(1)
}

/// <https://github.com/apache/kafka/blob/4.0.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java>
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed = (mixed ^ (mixed >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ mixed;
    }
    for (place, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of Kafka's own client.
    #[test]
    fn keys_are_hashed_as_kafkas_own_client_hashes_them() {
        let known = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }
}
