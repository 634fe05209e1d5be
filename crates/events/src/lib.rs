//! The published language of the fleet: every record that crosses a topic, as Rust types.
//!
//! `schemas/` is the source of truth; the types are generated from it. The crate stands alone so
//! that whoever speaks the language (a service, a tool, a test) needs nothing else of the fleet:
//! it knows no Kafka, no Avro library and no service. Encoding is passed in by the caller.

mod generated;
mod ids;
mod money;
mod topics;
#[cfg(feature = "samples")]
pub mod samples;

pub use generated::*;
pub use ids::{InvalidSku, OrderId, Sku};
pub use language::{Events, ReadRecord, RecordInfo, TopicInfo, WriteRecord};
pub use money::{Currency, InvalidCurrency, Money};
pub use topics::{
    CatalogueEvent, InventoryEvent, OrderEvent, PaymentEvent, ShippingEvent, TOPICS, WarehouseEvent,
};
