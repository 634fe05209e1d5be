//! The headers of a record, as they come from the client library. For those who consume and those who look alike.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};

/// A header's name and value; the value may be missing.
pub(crate) type RawHeader<'a> = (&'a str, Option<&'a [u8]>);

/// All of them, in their order; `None` where a name is not UTF-8: rdkafka panics at one, and anybody may send it.
pub(crate) fn of<'a>(message: &'a BorrowedMessage<'a>) -> Option<Vec<RawHeader<'a>>> {
    let Some(headers) = message.headers() else { return Some(Vec::new()) };
    // Their iterator does not know its length.
    let mut all = Vec::with_capacity(headers.count());
    let read = || all.extend(headers.iter().map(|header| (header.key, header.value)));
    catch_unwind(AssertUnwindSafe(read)).ok()?;
    Some(all)
}
