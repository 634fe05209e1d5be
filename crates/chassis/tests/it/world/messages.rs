//! Messages on the topics of the service: those that tests send, and those that they find.

use std::collections::BTreeMap;

use chassis::Registry;
use chassis::tail::{From, Record, Tail};
use chassis::testing::Framer;
use events::Events;

use super::servers::Urls;
use super::{AdditionRequested, DEAD, PATIENCE, REQUESTS, RequestEvent, TOTALS, World};

/// Where a message stands.
pub(crate) type Position = (i32, i64);

pub(crate) fn request(key: &str, amount: i64) -> AdditionRequested {
    AdditionRequested { key: key.to_owned(), amount }
}

/// The headers of a well-formed request.
pub(crate) fn headers_of(id: &str) -> Vec<(&'static str, String)> {
    headers(id, 0)
}

/// The headers of what takes an addition back.
pub(crate) fn headers_of_reversal(id: &str) -> Vec<(&'static str, String)> {
    headers(id, 1)
}

fn headers(id: &str, record: usize) -> Vec<(&'static str, String)> {
    vec![
        ("ce_id", id.to_owned()),
        ("ce_source", "tests".to_owned()),
        ("ce_type", RequestEvent::RECORDS[record].full_name.to_owned()),
    ]
}

pub(super) async fn framer(urls: &Urls) -> Framer {
    Framer::new::<RequestEvent>(&Registry::new(&urls.registry)).await.unwrap()
}

impl World {
    /// Sends a request and waits until Kafka has it.
    pub(crate) async fn send(&self, request: &AdditionRequested, id: &str) -> Position {
        let value = self.encode(request);
        self.send_raw(&request.key, &headers_of(id), Some(&value)).await
    }

    pub(crate) async fn send_raw(
        &self,
        key: &str,
        headers: &[(&str, String)],
        value: Option<&[u8]>,
    ) -> Position {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.outsider.send(REQUESTS, key, &headers, value).await.unwrap()
    }

    /// Sends requests to add one to a key until one of them stands on another partition than this.
    pub(crate) async fn send_elsewhere(&self, partition: i32, key: &str) {
        let value = self.encode(&request(key, 1));
        loop {
            // The partition follows from the record's key; what is added to stands in the value.
            let record_key = self.fresh_key(key);
            let sent = self.send_raw(&record_key, &headers_of(&record_key), Some(&value)).await;
            if sent.0 != partition {
                return;
            }
        }
    }

    /// Sends a request in the background; `flush` waits for all of them.
    pub(crate) fn enqueue(&mut self, request: &AdditionRequested, id: &str) {
        let (outsider, framer) = (self.outsider.clone(), self.framer.clone());
        let (request, id) = (RequestEvent::Requested(request.clone()), id.to_owned());
        self.sending.spawn(async move {
            outsider.publish(&framer, "tests", &id, &request).await.unwrap();
        });
    }

    pub(crate) async fn flush(&mut self) {
        while let Some(sent) = self.sending.join_next().await {
            sent.unwrap();
        }
    }

    /// Sequence and total of each event of a key, the first copy of each.
    pub(crate) fn totals_told(&self, key: &str) -> Vec<(i64, i64)> {
        let mut told = BTreeMap::new();
        let mut order = Vec::new();
        for record in self.read(TOTALS, key) {
            let sequence: i64 = record.header("ce_sequence").unwrap().parse().unwrap();
            let value = record.value.unwrap();
            if let Some(first) = told.insert(sequence, value.clone()) {
                assert_eq!(first, value, "copies of {key}/{sequence} differ");
                continue;
            }
            order.push((sequence, total_of(&value)));
        }
        order
    }

    /// A header of each event of a key.
    pub(crate) fn headers_told(&self, key: &str, name: &str) -> Vec<String> {
        let records = self.read(TOTALS, key);
        records.iter().map(|record| record.header(name).unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn dead_letter_records(&self, key: &str) -> Vec<Record> {
        self.read(DEAD, key)
    }

    fn read(&self, topic: &str, key: &str) -> Vec<Record> {
        let tail = Tail::new(&self.urls.brokers, &[topic], From::Beginning).unwrap();
        let mut records = Vec::new();
        tail.read_to_end(PATIENCE, |record| {
            if record.key == key {
                records.push(record);
            }
        })
        .unwrap();
        records
    }
}

/// The total in an encoded `TotalChanged`: behind the key, as Avro's last long.
fn total_of(value: &[u8]) -> i64 {
    let (key_length, rest) = long(&value[5..]);
    long(&rest[key_length as usize..]).0
}

/// Avro's long, zigzag and variable in length, and what comes after it.
fn long(bytes: &[u8]) -> (i64, &[u8]) {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let (long, rest) = bytes.split_at(length);
    let raw = long.iter().rev().fold(0_u64, |raw, byte| raw << 7 | u64::from(byte & 0x7f));
    ((raw >> 1) as i64 ^ -((raw & 1) as i64), rest)
}
