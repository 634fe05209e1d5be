//! Values, outbox rows and records without Kafka: each step between an event and its record on its own,
//! for benchmarks.

use std::hash::{DefaultHasher, Hash, Hasher};

use language::{Events, RecordInfo};
use rdkafka::message::{Header, Headers};

use crate::publish::outbox::{BatchWriter, EventMeta, Packed, unpack};
use crate::publish::relay::headers::{Texts, headers};
use crate::wire::codec::{self, Encoder, SchemaId, TopicDecoder};

/// The cause of every event here, as long as the id of a real one.
pub(crate) const CAUSE: &str = "inventory/01890a5d-ac96-774b-bcce-b302099a8057/1";

/// Ids in place of a registry's: derived from the records' names, so that the writer and the reader of a record find
/// the same one.
pub(crate) fn ids(records: &[RecordInfo]) -> Vec<SchemaId> {
    let id = |record: &RecordInfo| {
        let mut hasher = DefaultHasher::new();
        record.full_name.hash(&mut hasher);
        // From 1 on, and positive in signed 32 bits, as registries count.
        (hasher.finish() >> 34) as SchemaId + 1
    };
    records.iter().map(id).collect()
}

/// The codec of one topic.
pub struct Wire<E> {
    encoder: Encoder,
    decoder: TopicDecoder<E>,
}

impl<E: Events> Default for Wire<E> {
    fn default() -> Self {
        codec::limit_allocations();
        let (ids, mut encoder) = (ids(E::RECORDS), Encoder::default());
        encoder.add::<E>(&ids).expect("schemas are Avro");
        Wire { encoder, decoder: TopicDecoder::new(&ids).expect("schemas are Avro") }
    }
}

impl<E: Events> Wire<E> {
    /// The outbox row of some events.
    ///
    /// # Panics
    /// When one does not fit its schema.
    pub fn pack(&self, events: &[E]) -> Vec<u8> {
        let mut out = BatchWriter::for_events(events.len());
        events.iter().for_each(|event| self.add(event, 1, &mut out));
        out.finish()
    }

    /// The record that `service` makes of an event, the one with this number of its key.
    ///
    /// # Panics
    /// When it does not fit its schema.
    pub fn record(&self, service: &str, sequence: i64, event: &E) -> Record {
        let mut out = BatchWriter::for_events(1);
        self.add(event, sequence, &mut out);
        records(service, &out.finish()).pop().expect("an event was packed")
    }

    fn add(&self, event: &E, sequence: i64, out: &mut BatchWriter) {
        let meta = EventMeta { sequence, time_micros: 1, cause: Some(CAUSE), trace: None };
        self.encoder.encode(event, &meta, out).expect("it fits its schema");
    }

    /// The event in a value.
    ///
    /// # Panics
    /// When it is not a value of this topic.
    pub fn decode(&self, value: &[u8]) -> E {
        self.decoder.decode(value).expect("it is a value of this topic")
    }
}

/// How many messages an outbox row holds, all of them read.
///
/// # Panics
/// When the row is not whole.
pub fn unpacked(row: &[u8]) -> usize {
    unpack(row).expect("the row is whole").len()
}

/// Makes the headers of all messages of a row, as for the producer; returns how many.
///
/// # Panics
/// When the row is not whole.
pub fn publish(service: &str, row: &[u8]) -> usize {
    let mut texts = Texts::default();
    let messages = unpack(row).expect("the row is whole");
    messages.iter().map(|message| headers(service, message, &mut texts).count()).sum()
}

/// A record as it is on its topic.
#[derive(Debug, Clone)]
pub struct Record {
    pub(crate) topic: String,
    pub(crate) key: Vec<u8>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    /// Its value, framed.
    pub value: Vec<u8>,
}

impl Record {
    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The full name of its record: the header `ce_type`.
    pub fn event_type(&self) -> &str {
        self.header("ce_type")
    }

    /// Its number among the events of its key: the header `ce_sequence`.
    pub fn sequence(&self) -> i64 {
        self.header("ce_sequence").parse().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(found, _)| found == name);
        let value = header.and_then(|(_, value)| value.as_deref());
        value.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// The same event as its producer would send it again without remembering that it had.
    #[cfg(feature = "testing")]
    pub(crate) fn under_a_fresh_id(&self) -> Self {
        let mut again = self.clone();
        for (_, value) in again.headers.iter_mut().filter(|(name, _)| name == "ce_id") {
            value.get_or_insert_default().extend_from_slice(b"-again");
        }
        again
    }
}

/// The records that `service` makes of a row.
///
/// # Panics
/// When the row is not whole.
pub fn records(service: &str, row: &[u8]) -> Vec<Record> {
    let mut texts = Texts::default();
    let mut record = |message: Packed<'_>| {
        let Packed::Event { topic, key, payload, .. } = message else { return None };
        let headers = headers(service, &message, &mut texts);
        let owned = |h: Header<'_, &[u8]>| (h.key.to_owned(), h.value.map(<[u8]>::to_vec));
        Some(Record {
            topic: topic.to_owned(),
            key: key.as_bytes().to_vec(),
            headers: headers.iter().map(owned).collect(),
            value: payload.to_vec(),
        })
    };
    unpack(row).expect("the row is whole").into_iter().filter_map(&mut record).collect()
}
