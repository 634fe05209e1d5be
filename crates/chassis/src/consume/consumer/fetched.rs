//! Which partitions the client fetches. The group gives and takes partitions; the client is given each only
//! when the database's offset for it is known, and begins there. It is never told to begin at "the end" or
//! "the beginning" and then to go elsewhere: it asks the brokers where that is, and if the first answer is late it
//! goes on asking even after it was told otherwise, and then is at the end with everything before it unread.

use std::collections::HashMap;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::consume::offsets::Partition;

/// How the group moves partitions, which determines how the client has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Some at a time.
    Cooperative,
    /// All at once.
    Eager,
}

type Offsets = HashMap<Partition, i64>;

impl Protocol {
    /// Which replica gets which partition. Topics that are joined have the same keys in partitions of the same
    /// number, and `range` gives these to the same replica: spread over two, the answers to one order would
    /// change its row from both, and many batches would lose the race and run again. Where nothing is joined,
    /// a rebalance need not stop partitions that stay where they are.
    pub(super) fn for_topics(topics: usize) -> Self {
        match topics {
            ..=1 => Protocol::Cooperative,
            _joined => Protocol::Eager,
        }
    }

    pub(super) fn assignment_strategy(self) -> &'static str {
        match self {
            Protocol::Cooperative => "cooperative-sticky",
            Protocol::Eager => "range",
        }
    }

    /// Acknowledges the group's decision: the client fetches nothing new yet.
    pub(super) fn accept<C: ConsumerContext>(
        self,
        client: &BaseConsumer<C>,
    ) -> Result<(), KafkaError> {
        match self {
            Protocol::Cooperative => client.incremental_assign(&TopicPartitionList::new()),
            Protocol::Eager => client.assign(&TopicPartitionList::new()),
        }
    }

    /// The group takes partitions back; the client need not be fetching all of them.
    pub(super) fn give_back<C: ConsumerContext>(
        self,
        client: &BaseConsumer<C>,
        taken: &TopicPartitionList,
    ) -> Result<(), KafkaError> {
        match self {
            Protocol::Eager => client.unassign(),
            Protocol::Cooperative => {
                let fetched = fetched(client)?;
                let mut list = TopicPartitionList::new();
                for element in taken.elements() {
                    let place = (element.topic().to_owned(), element.partition());
                    if fetched.contains(&place) {
                        list.add_partition(element.topic(), element.partition());
                    }
                }
                client.incremental_unassign(&list)
            }
        }
    }

    /// Begins to fetch partitions at their offsets, even if they are fetched already. With `Eager`,
    /// all others are no longer fetched.
    pub(super) fn begin<C: ConsumerContext>(
        self,
        client: &BaseConsumer<C>,
        offsets: &Offsets,
    ) -> Result<(), KafkaError> {
        match self {
            Protocol::Eager => client.assign(&list(offsets)?),
            Protocol::Cooperative => {
                let fetched = fetched(client)?;
                let mut again = TopicPartitionList::new();
                for partition in offsets.keys() {
                    if fetched.contains(&(partition.topic.to_owned(), partition.number)) {
                        again.add_partition(partition.topic, partition.number);
                    }
                }
                if again.count() > 0 {
                    client.incremental_unassign(&again)?;
                }
                client.incremental_assign(&list(offsets)?)
            }
        }
    }
}

fn fetched<C: ConsumerContext>(client: &BaseConsumer<C>) -> Result<Vec<(String, i32)>, KafkaError> {
    Ok(client.assignment()?.to_topic_map().into_keys().collect())
}

fn list(offsets: &Offsets) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let offset = Offset::Offset(*offset);
        list.add_partition_offset(partition.topic, partition.number, offset)?;
    }
    Ok(list)
}
