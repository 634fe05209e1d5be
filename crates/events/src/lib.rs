//! The published language of the fleet: every record that crosses a topic, as Rust types.
//!
//! `schemas/` is the source of truth; the types are generated from it. The crate stands alone so
//! that whoever speaks the language (a service, a tool, a test) needs nothing else of the fleet:
//! it knows no Kafka, no Avro library and no service. Encoding is passed in by the caller.

mod generated;
mod ids;
mod money;
mod topics;

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use generated::*;
pub use ids::{InvalidSku, OrderId, Sku};
pub use money::{Currency, InvalidCurrency, Money};
pub use topics::{
    CatalogueEvent, InventoryEvent, OrderEvent, PaymentEvent, ShippingEvent, TOPICS, WarehouseEvent,
};

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
    /// Every record that may appear on it.
    pub records: &'static [RecordInfo],
    /// Whether the broker keeps the latest record per key for ever.
    pub compacted: bool,
}

/// The events of one topic, as one enum.
pub trait Events: Sized + Send + Sync + Debug + Clone + 'static {
    /// The topic's name in Kafka.
    const TOPIC: &'static str;
    /// Every record of the topic; the position is the record's index.
    const RECORDS: &'static [RecordInfo];

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
