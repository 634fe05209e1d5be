//! Writes the messages of a batch as one row, or one message on its own. Separate from reading, as it only
//! appends: each event is written into the batch's buffer as it is decided, and copied nowhere before
//! the row is finished.

use std::convert::Infallible;
use std::mem;

use super::reader::Packed;
use super::{EVENT, NO_TRACE, NONE, RAW, TRACE, TRACE_WITH_STATE, VERSION};
use crate::wire::trace::TraceContext;

/// Room for an event, its key and its cause: most take less, and a batch with one that takes more costs no
/// more than without this.
const EVENT_BYTES: usize = 384;

/// What an event's headers are derived from.
pub(crate) struct EventMeta<'a> {
    pub(crate) sequence: i64,
    pub(crate) time_micros: i64,
    pub(crate) cause: Option<&'a str>,
    pub(crate) trace: Option<&'a TraceContext>,
}

/// Packs the messages of one batch.
#[derive(Default)]
pub(crate) struct BatchWriter {
    names: Vec<String>,
    body: Vec<u8>,
    count: u32,
}

impl BatchWriter {
    /// A writer that need not grow for this many events: growing from nothing moves the first one seven
    /// times, and a large batch as a whole.
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
                self.body.push(if trace.state.is_some() { TRACE_WITH_STATE } else { TRACE });
                self.body.extend_from_slice(&trace.trace_id.to_le_bytes());
                self.body.extend_from_slice(&trace.span_id.to_le_bytes());
                self.body.push(trace.flags);
                if let Some(state) = &trace.state {
                    put(&mut self.body, Some(state.as_bytes()));
                }
            }
            None => self.body.push(NO_TRACE),
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

    /// Adds a message unchanged: a dead letter with its original bytes.
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

/// Packs a message that was read from a row by itself, as a row with one message.
pub(crate) fn pack_again(message: &Packed<'_>) -> Vec<u8> {
    let mut writer = BatchWriter::default();
    match message {
        Packed::Event { topic, event_type, key, sequence, time_micros, cause, trace, payload } => {
            let (sequence, time_micros, cause) = (*sequence, *time_micros, *cause);
            let meta = EventMeta { sequence, time_micros, cause, trace: trace.as_ref() };
            let whole = |body: &mut Vec<u8>| {
                body.extend_from_slice(payload);
                Ok::<(), Infallible>(())
            };
            let Ok(()) = writer.event(topic, event_type, key, &meta, whole);
        }
        Packed::Raw { topic, key, headers, payload } => {
            writer.raw(topic, *key, headers.iter().copied(), *payload);
        }
    }
    writer.finish()
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
