//! The packed outbox: a batch's messages as one buffer, and the row that holds it. Packing spreads the
//! cost of writing, reading and clearing a row over the whole batch.
//!
//! Layout, little-endian: version byte, names (u16 count, then u16-prefixed strings), u32 message
//! count, then messages. What every event of a service has in common (source, type, headers) is not
//! stored but derived at publishing, the same way each time.

mod writer;
mod reader;

pub(crate) use reader::{Packed, unpack};
pub(crate) use writer::{BatchWriter, EventMeta, pack_again, pack_one};

const VERSION: u8 = 1;
const EVENT: u8 = 1;
const RAW: u8 = 2;
/// Whether an event belongs to a trace, and whether somebody upstream added state to it.
const NO_TRACE: u8 = 0;
const TRACE: u8 = 1;
const TRACE_WITH_STATE: u8 = 2;
/// Marks an absent key, value or header value, which Kafka tells apart from an empty one.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests;
