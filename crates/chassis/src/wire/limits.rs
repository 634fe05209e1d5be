//! How large a record may be, decided in one place. A record that Kafka does not take would stop the
//! publishing of everything behind it, so nothing reaches the outbox that could be refused.

/// What a broker takes in its default configuration (`message.max.bytes`): one batch with its framing.
pub(crate) const BROKER_BYTES: usize = 1_048_588;

/// The largest record that is published: key, headers and value. The difference to the broker's limit
/// is room for the batch's framing and for lengths.
pub(crate) const RECORD_BYTES_MAX: usize = 1_000_000;

/// Where the client library refuses a record. Above the broker's limit, so that only one of the two
/// decides; batches of several records stay below it by `batch.size`.
pub(crate) const CLIENT_BYTES: usize = BROKER_BYTES + 64 * 1024;

/// The largest value that is published or accepted, in bytes. Leaves room for key and headers in
/// [`RECORD_BYTES_MAX`]; an order of 100 lines takes 8 KiB.
pub const MAX_VALUE_BYTES: usize = 900 * 1024;

/// The longest `ce_id` and `ce_source` accepted. They are repeated in the headers of whatever the event
/// causes, and in the key of the inbox.
pub(crate) const ID_BYTES_MAX: usize = 1024;

/// The longest explanation of a dead letter. It may quote a foreign record.
pub(crate) const DETAIL_BYTES_MAX: usize = 4096;

const _: () = assert!(MAX_VALUE_BYTES + 4 * ID_BYTES_MAX < RECORD_BYTES_MAX);
const _: () = assert!(RECORD_BYTES_MAX + 32 * 1024 < BROKER_BYTES);
