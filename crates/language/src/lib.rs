//! What a published language is made of: records with an Avro schema, and topics that carry them. It names no event
//! and no topic. Separate from the fleet's own language, the crate `events`, so that the chassis needs nothing of
//! the business, and a service outside the saga can bring a language of its own.

mod topic;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One record type of the published language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordInfo {
    /// The record's own name, such as `OrderPlaced`.
    pub name: &'static str,
    /// The name with its namespace, such as `flotilla.order.v1.OrderPlaced`.
    pub full_name: &'static str,
    /// The topic it is published on.
    pub topic: &'static str,
    /// The text of its Avro schema.
    pub schema: &'static str,
}

/// One topic of the published language, for tools that create topics and register schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicInfo {
    /// The topic's name in Kafka.
    pub name: &'static str,
    /// The field of every record that is also the Kafka key.
    pub key: &'static str,
    /// Every record that may appear on it.
    pub records: &'static [RecordInfo],
    /// Whether the broker keeps the latest record per key for ever.
    pub compacted: bool,
}

/// The events of one topic, as one enum.
pub trait Events: Sized + Send + Sync + Debug + Clone + 'static {
    /// The topic's name in Kafka.
    const TOPIC: &'static str;
    /// The field of every record that is also the Kafka key.
    const KEY: &'static str;
    /// Every record of the topic; the position is the record's index.
    const RECORDS: &'static [RecordInfo];
    /// Every topic of the language that this one belongs to. A record of another of them is here by mistake, also
    /// where both share a namespace; any other record of the namespace is one that a newer producer knows.
    const LANGUAGE: &'static [TopicInfo] = &[];

    /// The index of this event's record in [`Events::RECORDS`].
    fn record(&self) -> usize;

    /// The Kafka key: what this event is about, so that all about it stays in order.
    fn key(&self) -> String;

    /// Reads the record with this index.
    ///
    /// # Panics
    /// When `record` is not an index of [`Events::RECORDS`].
    fn read<R: ReadRecord>(record: usize, reader: R) -> Result<Self, R::Error>;

    /// Writes this event's record.
    fn write<W: WriteRecord>(&self, writer: W) -> Result<W::Ok, W::Error>;
}

/// Decodes one record whose Rust type [`Events::read`] chooses.
pub trait ReadRecord {
    /// Why a record could not be read.
    type Error;
    /// Reads the one record.
    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

/// Encodes one record whose Rust type [`Events::write`] knows.
pub trait WriteRecord {
    /// What writing gives back, such as the bytes.
    type Ok;
    /// Why a record could not be written.
    type Error;
    /// Writes the one record.
    fn write<T: Serialize>(self, record: &T) -> Result<Self::Ok, Self::Error>;
}
