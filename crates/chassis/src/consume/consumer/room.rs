//! Waiting for room in the queue of the executor, without which nothing more is taken from Kafka.

use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::client::Client;
use super::{POLL, Polling};
use crate::consume::offsets::Partition;
use crate::executor::queue::Item;
use crate::service::Service;

/// How long the thread waits for room in the queue before it pauses its partitions and goes on polling,
/// as the group would otherwise take it for dead.
const PATIENCE: Duration = Duration::from_secs(2);

impl<S: Service> Polling<'_, S> {
    /// Waits for room, first by blocking and then, so that the group does not take this replica for
    /// dead, with its partitions paused.
    pub(super) fn enqueue(&self, item: Item<S>) {
        let events = &self.consuming.events;
        let Err(mut item) = events.try_send(item) else { return };
        let mut paused = None;
        loop {
            // Built inside the runtime, whose timer it needs.
            let room = async { tokio::time::timeout(PATIENCE, events.make_room(&mut item)).await };
            match self.consuming.runtime.block_on(room) {
                // Nobody else sends events, so there is room now.
                Ok(()) => match events.try_send(*item) {
                    Ok(()) => return,
                    Err(again) => item = again,
                },
                Err(_elapsed) => {
                    paused.get_or_insert_with(|| Paused::new(&self.client));
                    if !self.idle() {
                        return;
                    }
                }
            }
        }
    }

    /// Serves the group without taking messages. Returns whether to go on.
    fn idle(&self) -> bool {
        // Without a time to wait, it would serve one event only: a rebalance would be stuck behind statistics,
        // which arrive faster than they are taken.
        match self.client.poll(POLL) {
            None => {}
            Some(Ok(message)) => {
                // Fetched before the pause took hold: to be fetched again from the database's offset.
                let mut topics = self.consuming.topics().into_iter();
                if let Some(topic) = topics.find(|topic| *topic == message.topic()) {
                    let partition = Partition { topic, number: message.partition() };
                    self.consuming.positions.hold(partition, Duration::ZERO);
                }
            }
            Some(Err(error)) => self.report(&error),
        }
        !self.consuming.stop.is_cancelled()
    }
}

/// Partitions paused for as long as this lives.
struct Paused<'a> {
    client: &'a Client,
    partitions: TopicPartitionList,
}

impl<'a> Paused<'a> {
    fn new(client: &'a Client) -> Self {
        let partitions = client.assignment().unwrap_or_default();
        if let Err(error) = client.pause(&partitions) {
            tracing::warn!(error = %error, "cannot pause");
        }
        Paused { client, partitions }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.client.resume(&self.partitions) {
            tracing::warn!(error = %error, "cannot resume");
        }
    }
}
