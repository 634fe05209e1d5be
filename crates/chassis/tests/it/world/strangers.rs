//! Strangers at the service's topics and in its group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{PATIENCE, REQUESTS, World};

/// A member of the service's group that shares partitions in a way of its own. It leaves when it is dropped.
pub(crate) struct Squatter {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Squatter {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl World {
    pub(crate) fn squat_in_group(&self) -> Squatter {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.urls.brokers)
            .set("group.id", "tally")
            .set("partition.assignment.strategy", "roundrobin")
            .create()
            .unwrap();
        consumer.subscribe(&[REQUESTS]).unwrap();
        // It is there before anybody else comes.
        while consumer.assignment().unwrap().count() == 0 {
            let _record = consumer.poll(Duration::from_millis(100));
        }
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Relaxed) {
                let _record = consumer.poll(Duration::from_millis(100));
            }
        });
        Squatter { stop, thread: Some(thread) }
    }

    /// Sends a value in a transaction, whose mark stands after it.
    pub(crate) fn send_in_transaction(&self, key: &str, headers: &[(&str, String)], value: &[u8]) {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.urls.brokers)
            .set("transactional.id", key)
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        let headers = headers.iter().fold(rdkafka::message::OwnedHeaders::new(), |all, (k, v)| {
            all.insert(rdkafka::message::Header { key: k, value: Some(v) })
        });
        let record = BaseRecord::to(REQUESTS).key(key).payload(value).headers(headers);
        assert!(producer.send(record).is_ok());
        producer.commit_transaction(PATIENCE).unwrap();
    }
}
