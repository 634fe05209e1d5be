//! The packed outbox: a batch's messages as one buffer, and the row that holds it. Packing spreads the
//! cost of writing, reading and clearing a row over the whole batch.
//!
//! Layout, little-endian: version byte, names (u16 count, then u16-prefixed strings), u32 message
//! count, then messages. What every event of a service has in common (source, type, headers) is not
//! stored but derived at publishing, the same way each time.

use std::mem;

use crate::trace::TraceContext;

const VERSION: u8 = 1;
const EVENT: u8 = 1;
const RAW: u8 = 2;
/// Room for an event, its key and its cause: most take less, and one in a batch that takes more costs no
/// more than without.
const EVENT_BYTES: usize = 384;
/// Marks an absent key, value or header value, which Kafka tells apart from an empty one.
const NONE: u32 = u32::MAX;

/// What an event's headers are derived from.
pub(crate) struct EventMeta<'a> {
    pub(crate) sequence: i64,
    pub(crate) time_micros: i64,
    pub(crate) cause: Option<&'a str>,
    pub(crate) trace: Option<TraceContext>,
}

/// Packs the messages of one batch.
#[derive(Default)]
pub(crate) struct BatchWriter {
    names: Vec<String>,
    body: Vec<u8>,
    count: u32,
}

impl BatchWriter {
    /// A writer that need not grow for as many events: growing byte by byte from nothing moves the
    /// first one seven times, and a large batch as a whole.
    pub(crate) fn for_events(count: usize) -> Self {
        BatchWriter { body: Vec::with_capacity(count * EVENT_BYTES), ..BatchWriter::default() }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Adds an event; `payload` writes the value's bytes into the buffer.
    pub(crate) fn event<E>(
        &mut self,
        topic: &str,
        event_type: &str,
        key: &str,
        meta: &EventMeta<'_>,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.body.len();
        let (topic, event_type) = (self.name(topic), self.name(event_type));
        self.body.push(EVENT);
        self.body.extend_from_slice(&topic.to_le_bytes());
        self.body.extend_from_slice(&event_type.to_le_bytes());
        self.body.extend_from_slice(&meta.sequence.to_le_bytes());
        self.body.extend_from_slice(&meta.time_micros.to_le_bytes());
        put(&mut self.body, Some(key.as_bytes()));
        put(&mut self.body, meta.cause.map(str::as_bytes));
        match meta.trace {
            Some(trace) => {
                self.body.push(1);
                self.body.extend_from_slice(&trace.trace_id.to_le_bytes());
                self.body.extend_from_slice(&trace.span_id.to_le_bytes());
                self.body.push(trace.flags);
            }
            None => self.body.push(0),
        }
        let length_at = self.body.len();
        self.body.extend_from_slice(&[0; 4]);
        if let Err(error) = payload(&mut self.body) {
            self.body.truncate(start);
            return Err(error);
        }
        let length = (self.body.len() - length_at - 4) as u32;
        self.body[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self.count += 1;
        Ok(())
    }

    /// Adds a message as it is: a dead letter with its original bytes.
    pub(crate) fn raw<'h>(
        &mut self,
        topic: &str,
        key: Option<&[u8]>,
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
        payload: Option<&[u8]>,
    ) {
        let topic = self.name(topic);
        put_raw(&mut self.body, topic, key, headers, payload);
        self.count += 1;
    }

    /// The row's bytes. The writer is empty afterwards.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut row = Vec::with_capacity(self.body.len() + 256);
        row.push(VERSION);
        row.extend_from_slice(&(self.names.len() as u16).to_le_bytes());
        for name in self.names.drain(..) {
            row.extend_from_slice(&(name.len() as u16).to_le_bytes());
            row.extend_from_slice(name.as_bytes());
        }
        row.extend_from_slice(&mem::take(&mut self.count).to_le_bytes());
        row.append(&mut self.body);
        row
    }

    fn name(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|n| n == name);
        let index = known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        index as u16
    }
}

/// Packs one message of no topic by itself, in one allocation.
pub(crate) fn pack_one(
    key: Option<&[u8]>,
    headers: &[(&str, Option<&[u8]>)],
    payload: Option<&[u8]>,
) -> Vec<u8> {
    let length = |bytes: Option<&[u8]>| 4 + bytes.map_or(0, <[u8]>::len);
    let headers_length: usize =
        headers.iter().map(|(name, value)| length(Some(name.as_bytes())) + length(*value)).sum();
    // Version, one empty name, a count of one, kind, topic and the count of headers.
    let fixed = 1 + 4 + 4 + 1 + 2 + 4;
    let mut row = Vec::with_capacity(fixed + length(key) + headers_length + length(payload));
    row.push(VERSION);
    row.extend_from_slice(&1_u16.to_le_bytes());
    row.extend_from_slice(&0_u16.to_le_bytes());
    row.extend_from_slice(&1_u32.to_le_bytes());
    put_raw(&mut row, 0, key, headers.iter().copied(), payload);
    row
}

fn put_raw<'h>(
    body: &mut Vec<u8>,
    topic: u16,
    key: Option<&[u8]>,
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    payload: Option<&[u8]>,
) {
    body.push(RAW);
    body.extend_from_slice(&topic.to_le_bytes());
    put(body, key);
    let (count_at, mut count) = (body.len(), 0_u32);
    body.extend_from_slice(&[0; 4]);
    for (name, value) in headers {
        put(body, Some(name.as_bytes()));
        put(body, value);
        count += 1;
    }
    body[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
    put(body, payload);
}

fn put(body: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            body.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            body.extend_from_slice(bytes);
        }
        None => body.extend_from_slice(&NONE.to_le_bytes()),
    }
}

/// One message of a packed batch, borrowed from the row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packed<'a> {
    Event {
        topic: &'a str,
        event_type: &'a str,
        key: &'a str,
        sequence: i64,
        time_micros: i64,
        cause: Option<&'a str>,
        trace: Option<TraceContext>,
        payload: &'a [u8],
    },
    Raw {
        topic: &'a str,
        key: Option<&'a [u8]>,
        headers: Vec<(&'a str, Option<&'a [u8]>)>,
        payload: Option<&'a [u8]>,
    },
}

/// An outbox row that this version cannot read. Publishing past it would lose events, so the relay
/// stops and says so.
#[derive(Debug, thiserror::Error)]
#[error("the outbox row is not a packed batch of a version that this build reads")]
pub(crate) struct Unreadable;

/// Reads a whole row. Nothing is published of a row that does not read to its last byte.
pub(crate) fn unpack(row: &[u8]) -> Result<Vec<Packed<'_>>, Unreadable> {
    let mut cursor = Cursor { rest: row };
    if cursor.take(1)? != [VERSION] {
        return Err(Unreadable);
    }
    let mut names = Vec::new();
    for _ in 0..u16::from_le_bytes(cursor.array()?) {
        let length = u16::from_le_bytes(cursor.array()?);
        names.push(text(cursor.take(length as usize)?)?);
    }
    let count = u32::from_le_bytes(cursor.array()?);
    let mut messages = Vec::with_capacity(count.min(65_536) as usize);
    for _ in 0..count {
        messages.push(cursor.message(&names)?);
    }
    if cursor.rest.is_empty() { Ok(messages) } else { Err(Unreadable) }
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn message(&mut self, names: &[&'a str]) -> Result<Packed<'a>, Unreadable> {
        let kind = self.take(1)?[0];
        let topic = self.name(names)?;
        match kind {
            EVENT => Ok(Packed::Event {
                topic,
                event_type: self.name(names)?,
                sequence: i64::from_le_bytes(self.array()?),
                time_micros: i64::from_le_bytes(self.array()?),
                key: text(self.bytes()?.ok_or(Unreadable)?)?,
                cause: self.bytes()?.map(text).transpose()?,
                trace: self.trace()?,
                payload: self.bytes()?.ok_or(Unreadable)?,
            }),
            RAW => {
                let key = self.bytes()?;
                let mut headers = Vec::new();
                for _ in 0..u32::from_le_bytes(self.array()?) {
                    headers.push((text(self.bytes()?.ok_or(Unreadable)?)?, self.bytes()?));
                }
                Ok(Packed::Raw { topic, key, headers, payload: self.bytes()? })
            }
            _unknown => Err(Unreadable),
        }
    }

    fn trace(&mut self) -> Result<Option<TraceContext>, Unreadable> {
        Ok(match self.take(1)?[0] {
            0 => None,
            _present => Some(TraceContext {
                trace_id: u128::from_le_bytes(self.array()?),
                span_id: u64::from_le_bytes(self.array()?),
                flags: self.take(1)?[0],
            }),
        })
    }

    fn name(&mut self, names: &[&'a str]) -> Result<&'a str, Unreadable> {
        names.get(u16::from_le_bytes(self.array()?) as usize).copied().ok_or(Unreadable)
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        match u32::from_le_bytes(self.array()?) {
            NONE => Ok(None),
            length => self.take(length as usize).map(Some),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.take(N).map(|bytes| bytes.try_into().expect("took as many bytes as it holds"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(taken)
    }
}

fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_not_utf8| Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(trace: Option<TraceContext>) -> EventMeta<'static> {
        EventMeta { sequence: 7, time_micros: 42, cause: Some("order/a/1"), trace }
    }

    fn packed() -> Vec<u8> {
        let mut writer = BatchWriter::default();
        let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let put = |bytes: &'static [u8]| {
            move |body: &mut Vec<u8>| {
                body.extend_from_slice(bytes);
                Ok::<(), ()>(())
            }
        };
        writer.event("a.events", "A", "k", &meta(None), put(b"one")).unwrap();
        writer.event("a.events", "B", "k", &meta(trace), put(b"")).unwrap();
        writer.event("a.events", "B", "k", &meta(None), |_| Err(())).unwrap_err();
        writer.raw("a.dead-letters", None, [("h", None)], Some(b"raw"));
        writer.finish()
    }

    #[test]
    fn a_batch_unpacks_to_what_was_packed_and_a_failed_event_leaves_no_trace() {
        let row = packed();
        let messages = unpack(&row).unwrap();
        assert_eq!(messages.len(), 3);
        assert!(matches!(messages[0], Packed::Event { event_type: "A", payload: b"one", .. }));
        assert!(matches!(messages[1], Packed::Event { trace: Some(_), payload: b"", .. }));
        assert!(
            matches!(&messages[2], Packed::Raw { key: None, headers, .. } if headers.len() == 1)
        );
    }

    #[test]
    fn a_message_packed_alone_unpacks_to_itself_and_fills_its_allocation() {
        let headers: [(&str, Option<&[u8]>); 2] = [("a", Some(b"1")), ("none", None)];
        let row = pack_one(Some(b"key"), &headers, None);
        let raw =
            Packed::Raw { topic: "", key: Some(b"key"), headers: headers.to_vec(), payload: None };
        assert_eq!(unpack(&row).unwrap(), [raw]);
        assert_eq!(row.capacity(), row.len());
    }

    #[test]
    fn every_prefix_and_every_extension_of_a_row_is_refused() {
        let mut row = packed();
        for length in 0..row.len() {
            assert!(unpack(&row[..length]).is_err(), "prefix of {length} bytes");
        }
        row.push(0);
        assert!(unpack(&row).is_err());
    }
}
