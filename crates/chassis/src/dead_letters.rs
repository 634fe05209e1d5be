//! What cannot be processed is set aside with its original bytes: as a message on the service's
//! dead-letter topic, for whoever reads topics, and as a row, for whoever repairs.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};

use crate::limits::{DETAIL_BYTES_MAX, RECORD_BYTES_MAX};
use crate::offsets::Partition;
use crate::outbox::{BatchWriter, Packed, unpack};

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
    /// The message as it was, packed by [`pack_one`](crate::outbox::pack_one).
    pub(crate) original: &'a [u8],
    pub(crate) reason: Reason,
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
    let mut columns = Columns::default();
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
        let told = Told::of(key, &headers, payload);
        let omitted = told.omitted.map(|what| ("dead_letter_omitted", Some(what.as_bytes())));
        let headers_told = told.headers.iter().copied().chain(why).chain(omitted);
        out.raw(&topic, told.key, headers_told, told.payload);
        columns.push(casualty, key, &headers, payload, detail);
    }
    columns.insert(db).await
}

type Headers<'a> = [(&'a str, Option<&'a [u8]>)];

/// What the message on the topic repeats of the original. A record that just fitted into its topic no
/// longer fits with our headers; what is left out is in the row, which always has everything.
struct Told<'a> {
    key: Option<&'a [u8]>,
    headers: &'a Headers<'a>,
    payload: Option<&'a [u8]>,
    omitted: Option<&'static str>,
}

impl<'a> Told<'a> {
    fn of(key: Option<&'a [u8]>, headers: &'a Headers<'a>, payload: Option<&'a [u8]>) -> Self {
        let room = RECORD_BYTES_MAX - OWN_HEADERS_BYTES;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        // Each length takes up to five bytes of its own.
        let header = |(name, value): &(&str, Option<&[u8]>)| name.len() + length(*value) + 10;
        let around = length(key) + headers.iter().map(header).sum::<usize>();
        if around + length(payload) <= room {
            Told { key, headers, payload, omitted: None }
        } else if around <= room {
            Told { key, headers, payload: None, omitted: Some("value") }
        } else {
            Told { key: None, headers: &[], payload: None, omitted: Some("key, headers, value") }
        }
    }
}

/// A detail short enough for a header, and without the one character that Postgres does not store.
fn readable(detail: &str) -> String {
    let end = detail.floor_char_boundary(DETAIL_BYTES_MAX);
    detail[..end].replace('\0', "")
}

#[derive(Default)]
struct Columns {
    topics: Vec<&'static str>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    keys: Vec<Option<Vec<u8>>>,
    headers: Vec<Value>,
    payloads: Vec<Option<Vec<u8>>>,
    reasons: Vec<&'static str>,
    details: Vec<String>,
}

impl Columns {
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
        // A message that is set aside again, after a rewind of the offsets, is the same dead letter.
        sqlx::query(
            "insert into flotilla.dead_letters
                 (topic, partition, message_offset, message_key, headers, payload, reason, detail)
             select * from unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::jsonb[],
                                  $6::bytea[], $7::text[], $8::text[])
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

/// Headers as JSON, in their order. A value that is no text is written as hexadecimal digits.
fn headers_to_json(headers: &Headers<'_>) -> Value {
    let encode = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => json!({ "text": text }),
        _binary => json!({ "hex": hex(value) }),
    };
    headers.iter().map(|(name, value)| json!([name.replace('\0', ""), value.map(encode)])).collect()
}

fn headers_from_json(headers: &Value) -> Vec<(String, Option<Vec<u8>>)> {
    let decode = |value: &Value| {
        let text = value["text"].as_str().map(|text| text.as_bytes().to_vec());
        text.or_else(|| unhex(value["hex"].as_str()?))
    };
    let pairs = headers.as_array().map(Vec::as_slice).unwrap_or_default();
    pairs.iter().map(|p| (p[0].as_str().unwrap_or("").to_owned(), decode(&p[1]))).collect()
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 16).ok()).collect()
}

/// A dead letter as operators see it.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    pub(crate) headers: HashMap<String, Option<String>>,
    pub(crate) payload_hex: Option<String>,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) state: String,
    pub(crate) created_at: chrono::DateTime<chrono::Utc>,
    pub(crate) settled_at: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(skip)]
    pub(crate) raw: RawDeadLetter,
}

/// A dead letter's message as it was.
#[derive(Debug, Default)]
pub(crate) struct RawDeadLetter {
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) payload: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    topic: String,
    partition: i32,
    message_offset: i64,
    message_key: Option<Vec<u8>>,
    headers: Value,
    payload: Option<Vec<u8>>,
    reason: String,
    detail: String,
    state: String,
    created_at: chrono::DateTime<chrono::Utc>,
    settled_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        let headers = headers_from_json(&row.headers);
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        DeadLetter {
            id: row.id,
            topic: row.topic,
            partition: row.partition,
            offset: row.message_offset,
            key: row.message_key.as_ref().map(text),
            headers: headers.iter().map(|(n, v)| (n.clone(), v.as_ref().map(text))).collect(),
            payload_hex: row.payload.as_deref().map(hex),
            reason: row.reason,
            detail: row.detail,
            state: row.state,
            created_at: row.created_at,
            settled_at: row.settled_at,
            raw: RawDeadLetter { headers, payload: row.payload },
        }
    }
}

/// The most dead letters of one answer.
pub(crate) const PAGE_MAX: i64 = 500;

/// At most `limit` dead letters after `after`, oldest first.
pub(crate) async fn list(
    db: &PgPool,
    state: &str,
    reason: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<DeadLetter>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select * from flotilla.dead_letters
         where id > $1 and state = $2 and ($3::text is null or reason = $3)
         order by id limit $4",
    )
    .bind(after)
    .bind(state)
    .bind(reason)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(DeadLetter::from).collect())
}

pub(crate) async fn find(db: &PgPool, id: i64) -> Result<Option<DeadLetter>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as("select * from flotilla.dead_letters where id = $1")
        .bind(id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(DeadLetter::from))
}

/// How many wait, by reason.
pub(crate) async fn waiting(db: &mut PgConnection) -> Result<HashMap<String, i64>, sqlx::Error> {
    let counted: Vec<(String, i64)> = sqlx::query_as(
        "select reason, count(*) from flotilla.dead_letters where state = 'waiting' group by reason",
    )
    .fetch_all(db)
    .await?;
    Ok(counted.into_iter().collect())
}

/// Gives dead letters their end, in the transaction of the replay where there is one. Answers how many
/// were still waiting.
pub(crate) async fn settle(
    db: &mut PgConnection,
    ids: &[i64],
    state: &str,
) -> Result<u64, sqlx::Error> {
    let settled = sqlx::query(
        "update flotilla.dead_letters set state = $2, settled_at = now()
         where id = any($1) and state = 'waiting'",
    )
    .bind(ids)
    .bind(state)
    .execute(db)
    .await?;
    Ok(settled.rows_affected())
}
