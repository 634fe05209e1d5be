//! The way out: events into the buffer that becomes the outbox row.

use std::collections::HashMap;
use std::io;

use apache_avro::writer::datum::GenericDatumWriter;
use language::{Events, WriteRecord};
use serde::Serialize;

use super::{FRAME_BYTES, leak};
use crate::publish::outbox::{BatchWriter, EventMeta};
use crate::wire::limits::{MAX_VALUE_BYTES, RECORD_BYTES_MAX};

/// More than the headers take that do not depend on the event's key or cause; half of it is for what others
/// note about a trace.
const OTHER_HEADERS_BYTES: usize = 1536;

/// Why an event cannot be published. Its input is dead-lettered: what cannot be encoded now cannot be
/// encoded later.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("{topic} is not among the topics this service publishes to")]
    UndeclaredTopic { topic: &'static str },
    #[error(
        "the event takes {bytes} bytes, more than the {MAX_VALUE_BYTES} that a record may have"
    )]
    TooLarge { bytes: usize },
    #[error(
        "the event takes {bytes} bytes with its headers, more than the {RECORD_BYTES_MAX} that a \
         record may have"
    )]
    HeadersTooLarge { bytes: usize },
    #[error("the event does not fit its schema")]
    Avro(#[source] Box<apache_avro::Error>),
}

/// Encodes the events of every topic that a service publishes to.
#[derive(Default)]
pub(crate) struct Encoder {
    topics: HashMap<&'static str, Vec<RecordWriter>>,
}

struct RecordWriter {
    frame: [u8; FRAME_BYTES],
    full_name: &'static str,
    writer: GenericDatumWriter<'static>,
}

impl Encoder {
    /// Adds a topic; `ids` are the registry's ids of its records, in the order of `E::RECORDS`.
    pub(crate) fn add<E: Events>(&mut self, ids: &[u32]) -> Result<(), apache_avro::Error> {
        let mut writers = Vec::with_capacity(ids.len());
        for (info, id) in E::RECORDS.iter().zip(ids) {
            let mut frame = [0; FRAME_BYTES];
            frame[1..].copy_from_slice(&id.to_be_bytes());
            let writer =
                GenericDatumWriter::builder(leak(info.schema)?).human_readable(true).build()?;
            writers.push(RecordWriter { frame, full_name: info.full_name, writer });
        }
        self.topics.insert(E::TOPIC, writers);
        Ok(())
    }

    pub(crate) fn encode<E: Events>(
        &self,
        event: &E,
        meta: &EventMeta<'_>,
        out: &mut BatchWriter,
    ) -> Result<(), EncodeError> {
        let writers =
            self.topics.get(E::TOPIC).ok_or(EncodeError::UndeclaredTopic { topic: E::TOPIC })?;
        let record = &writers[event.record()];
        let key = event.key();
        // The key is also the subject, the correlation id and a part of the event's id.
        let around = 4 * key.len() + meta.cause.map_or(0, str::len) + OTHER_HEADERS_BYTES;
        out.event(E::TOPIC, record.full_name, &key, meta, |body| {
            let start = body.len();
            body.extend_from_slice(&record.frame);
            event
                .write(Into { writer: &record.writer, body: &mut *body })
                .map_err(|error| EncodeError::Avro(Box::new(error)))?;
            match body.len() - start {
                bytes if bytes > MAX_VALUE_BYTES => Err(EncodeError::TooLarge { bytes }),
                bytes if bytes + around > RECORD_BYTES_MAX => {
                    Err(EncodeError::HeadersTooLarge { bytes: bytes + around })
                }
                _fits => Ok(()),
            }
        })
    }
}

struct Into<'a, W: io::Write> {
    writer: &'a GenericDatumWriter<'static>,
    body: W,
}

impl<W: io::Write> WriteRecord for Into<'_, W> {
    type Ok = usize;
    type Error = apache_avro::Error;

    fn write<T: Serialize>(mut self, record: &T) -> Result<usize, apache_avro::Error> {
        self.writer.write_ser(&mut self.body, record)
    }
}
