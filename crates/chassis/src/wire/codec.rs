//! Avro in Confluent's wire format: a zero byte, the schema's id, the datum. Strict on the way in,
//! because apache-avro reads some truncated data as nulls: every byte must be there and be consumed.
//!
//! Writers and readers are built once per schema; building one per message costs ten times as much.
//! <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>

mod decoder;
mod encoder;

use std::sync::Once;

pub(crate) use decoder::{Datum, SchemaId, TopicDecoder};
pub(crate) use encoder::{EncodeError, Encoder};

use apache_avro::Schema;

use crate::wire::limits::MAX_VALUE_BYTES;

/// The frame's length: the zero byte and the schema's id.
const FRAME_BYTES: usize = 5;

/// Caps what a hostile length prefix can make the decoder reserve. Process-wide, so it is set before
/// the first decode no matter where that happens.
pub(crate) fn limit_allocations() {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| {
        apache_avro::util::max_allocation_bytes(MAX_VALUE_BYTES);
    });
}

/// Parses a schema and keeps it for the life of the process, as readers and writers borrow theirs.
/// Bounded: one per schema that the registry knows for the topics of this service.
fn leak(schema: &str) -> Result<&'static Schema, apache_avro::Error> {
    Ok(Box::leak(Box::new(Schema::parse_str(schema)?)))
}

#[cfg(test)]
mod tests;
