//! What cannot be processed is set aside with its original bytes: as a message on the service's
//! dead-letter topic, for readers of topics, and as a row, for those who repair it.

mod repair;
mod text;

use serde_json::Value;
use sqlx::PgConnection;

use crate::consume::offsets::Partition;
use crate::publish::outbox::{BatchWriter, Packed, unpack};
use crate::wire::cause::About;
use crate::wire::limits::{DETAIL_BYTES_MAX, RECORD_BYTES_MAX};
pub(crate) use repair::{DeadLetter, LetterState, Listed, find, list, settle, waiting};
use text::headers_to_json;

/// Room for the headers that say why a message was set aside.
const OWN_HEADERS_BYTES: usize = 2 * DETAIL_BYTES_MAX;

/// Why a message was set aside: a stable code for programs and statistics, a text for people.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

/// A message on its way to the dead letters.
pub(crate) struct Casualty<'a> {
    pub(crate) partition: Partition,
    pub(crate) offset: i64,
    /// The message as it was, packed by [`pack_one`](crate::publish::outbox::pack_one).
    pub(crate) original: &'a [u8],
    pub(crate) reason: Reason,
    pub(crate) about: About,
}

/// The topic of a service's dead letters.
pub fn topic_of(service: &str) -> String {
    format!("{service}.dead-letters")
}

/// Writes the rows and adds the messages to the batch, in the transaction that passes the offsets.
pub(crate) async fn record(
    db: &mut PgConnection,
    service: &str,
    casualties: &[Casualty<'_>],
    out: &mut BatchWriter,
) -> Result<(), sqlx::Error> {
    if casualties.is_empty() {
        return Ok(());
    }
    let topic = topic_of(service);
    let mut columns = LetterColumns::default();
    for casualty in casualties {
        let messages = unpack(casualty.original).expect("packed by this process");
        let Some(Packed::Raw { key, headers, payload, .. }) = messages.into_iter().next() else {
            unreachable!("an original is packed raw")
        };
        let detail = readable(&casualty.reason.detail);
        let position = casualty.offset.to_string();
        let partition = casualty.partition.number.to_string();
        let why: [(&str, Option<&[u8]>); 5] = [
            ("dead_letter_reason", Some(casualty.reason.code.as_bytes())),
            ("dead_letter_detail", Some(detail.as_bytes())),
            ("dead_letter_topic", Some(casualty.partition.topic.as_bytes())),
            ("dead_letter_partition", Some(partition.as_bytes())),
            ("dead_letter_offset", Some(position.as_bytes())),
        ];
        let excerpt = Excerpt::of(key, &headers, payload);
        let omitted = excerpt.omitted.map(|what| ("dead_letter_omitted", Some(what.as_bytes())));
        let shown = excerpt.headers.iter().copied().chain(why).chain(omitted);
        out.raw(&topic, excerpt.key, shown, excerpt.payload);
        columns.push(casualty, key, &headers, payload, detail);
    }
    columns.insert(db).await
}

type Headers<'a> = [(&'a str, Option<&'a [u8]>)];

/// What the message on the topic repeats of the original. A record that just fitted into its topic no
/// longer fits with our headers added; what is left out is in the row, which always has everything.
struct Excerpt<'a> {
    key: Option<&'a [u8]>,
    headers: &'a Headers<'a>,
    payload: Option<&'a [u8]>,
    omitted: Option<&'static str>,
}

impl<'a> Excerpt<'a> {
    fn of(key: Option<&'a [u8]>, headers: &'a Headers<'a>, payload: Option<&'a [u8]>) -> Self {
        let room = RECORD_BYTES_MAX - OWN_HEADERS_BYTES;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        // Each length takes up to five bytes of its own.
        let header = |(name, value): &(&str, Option<&[u8]>)| name.len() + length(*value) + 10;
        let around = length(key) + headers.iter().map(header).sum::<usize>();
        if around + length(payload) <= room {
            Excerpt { key, headers, payload, omitted: None }
        } else if around <= room {
            Excerpt { key, headers, payload: None, omitted: Some("value") }
        } else {
            Excerpt { key: None, headers: &[], payload: None, omitted: Some("key, headers, value") }
        }
    }
}

/// A detail short enough for a header, and without the one character that Postgres does not store.
fn readable(detail: &str) -> String {
    let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    detail[..end].replace('\0', "")
}

#[derive(Default)]
struct LetterColumns {
    topics: Vec<&'static str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    keys: Vec<Option<Vec<u8>>>,
    headers: Vec<Value>,
    payloads: Vec<Option<Vec<u8>>>,
    reasons: Vec<&'static str>,
    details: Vec<String>,
}

impl LetterColumns {
    fn push(
        &mut self,
        casualty: &Casualty<'_>,
        key: Option<&[u8]>,
        headers: &Headers<'_>,
        payload: Option<&[u8]>,
        detail: String,
    ) {
        self.topics.push(casualty.partition.topic);
        self.partitions.push(casualty.partition.number);
        self.offsets.push(casualty.offset);
        self.keys.push(key.map(<[u8]>::to_vec));
        self.headers.push(headers_to_json(headers));
        self.payloads.push(payload.map(<[u8]>::to_vec));
        self.reasons.push(casualty.reason.code);
        self.details.push(detail);
    }

    async fn insert(self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        // A message that is set aside again, after a rewind of the offsets, is the same dead letter; one
        // at the same place of a recreated topic is another.
        sqlx::query(
            "insert into flotilla.dead_letters
                 (topic, topic_id, partition, message_offset, message_key, headers, payload, reason,
                  detail)
             select v.topic, coalesce(o.topic_id, '00000000-0000-0000-0000-000000000000'), v.partition,
                    v.message_offset, v.message_key, v.headers, v.payload, v.reason, v.detail
             from unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::jsonb[], $6::bytea[],
                         $7::text[], $8::text[])
                  as v (topic, partition, message_offset, message_key, headers, payload, reason, detail)
             left join flotilla.offsets o on o.topic = v.topic and o.partition = v.partition
             on conflict do nothing",
        )
        .bind(self.topics)
        .bind(self.partitions)
        .bind(self.offsets)
        .bind(self.keys)
        .bind(self.headers)
        .bind(self.payloads)
        .bind(self.reasons)
        .bind(self.details)
        .execute(db)
        .await?;
        Ok(())
    }
}
