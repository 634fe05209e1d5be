//! Dead letters as rows that operators look through and settle. Separate from setting aside, which belongs to
//! the transaction of a batch: this is requested over the admin port, and by whatever counts what waits.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use utoipa::ToSchema;

use super::text::headers_from_json;

/// What became of a dead letter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetterState)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LetterState {
    /// Somebody has to look at it.
    #[default]
    Waiting,
    /// It was sent through the normal path again, and processed.
    Retried,
    /// It was given up.
    Dropped,
}

impl LetterState {
    /// Its name in the database and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            LetterState::Waiting => "waiting",
            LetterState::Retried => "retried",
            LetterState::Dropped => "dropped",
        }
    }
}

impl From<String> for LetterState {
    fn from(name: String) -> Self {
        match name.as_str() {
            "retried" => LetterState::Retried,
            "dropped" => LetterState::Dropped,
            _waiting => LetterState::Waiting,
        }
    }
}

/// A message that could not be processed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    pub(crate) id: i64,
    #[schema(example = "order.events")]
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    #[schema(required = true)]
    pub(crate) key: Option<String>,
    /// In their order, with all copies of each.
    pub(crate) headers: Vec<Header>,
    /// The original value, as hexadecimal digits.
    #[schema(required = true)]
    pub(crate) payload_hex: Option<String>,
    #[schema(example = "undecodable")]
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) state: LetterState,
    pub(crate) created_at: chrono::DateTime<chrono::Utc>,
    #[schema(required = true)]
    pub(crate) settled_at: Option<chrono::DateTime<chrono::Utc>>,
    /// When its key, headers, value and detail were forgotten; missing while they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) forgotten_at: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(skip)]
    pub(crate) raw: RawDeadLetter,
}

/// A header of a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageHeader)]
pub(crate) struct Header {
    #[schema(example = "ce_type")]
    name: String,
    /// The value, where it is text.
    #[schema(required = true)]
    value: Option<String>,
    /// The value as hexadecimal digits, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    value_hex: Option<String>,
}

impl Header {
    fn of((name, value): &(String, Option<Vec<u8>>)) -> Self {
        let text = value.as_ref().map(|bytes| String::from_utf8(bytes.clone()));
        let (value, value_hex) = match text {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(binary)) => (None, Some(hex::encode(binary.as_bytes()))),
        };
        Header { name: name.clone(), value, value_hex }
    }
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
    forgotten_at: Option<chrono::DateTime<chrono::Utc>>,
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
            headers: headers.iter().map(Header::of).collect(),
            payload_hex: row.payload.as_deref().map(hex::encode),
            reason: row.reason,
            detail: row.detail,
            state: row.state.into(),
            created_at: row.created_at,
            settled_at: row.settled_at,
            forgotten_at: row.forgotten_at,
            raw: RawDeadLetter { headers, payload: row.payload },
        }
    }
}

/// The most bytes that the dead letters of one answer may hold, but at least one letter: as hexadecimal digits and in
/// memory it is several times as much, and each may be a record of a megabyte.
const PAGE_BYTES_MAX: i64 = 4 * 1024 * 1024;

/// Some dead letters, and whether there were more that did not fit.
pub(crate) struct Listed {
    pub(crate) letters: Vec<DeadLetter>,
    pub(crate) is_cut: bool,
}

/// At most `limit` dead letters after `after`, oldest first.
pub(crate) async fn list(
    db: &PgPool,
    state: LetterState,
    reason: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Listed, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct Found {
        #[sqlx(flatten)]
        row: Row,
        found: i64,
    }
    let rows: Vec<Found> = sqlx::query_as(
        "with page as (
             select id, octet_length(headers::text) + coalesce(octet_length(payload), 0)
                        + coalesce(octet_length(message_key), 0) as bytes
             from flotilla.dead_letters
             where id > $1 and state = $2 and ($3::text is null or reason = $3)
             order by id limit $4),
         sized as (
             select id, sum(bytes) over (order by id) - bytes as before, count(*) over () as found
             from page)
         select id, topic, partition, message_offset, message_key, headers, payload, reason, detail,
                state, created_at, settled_at, forgotten_at, found
         from flotilla.dead_letters join sized using (id)
         where before < $5 order by id",
    )
    .bind(after)
    .bind(state.name())
    .bind(reason)
    .bind(limit)
    .bind(PAGE_BYTES_MAX)
    .fetch_all(db)
    .await?;
    let is_cut = rows.first().is_some_and(|first| (rows.len() as i64) < first.found);
    let letters = rows.into_iter().map(|found| found.row.into()).collect();
    Ok(Listed { letters, is_cut })
}

pub(crate) async fn find(db: &PgPool, id: i64) -> Result<Option<DeadLetter>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, topic, partition, message_offset, message_key, headers, payload, reason, detail,
                state, created_at, settled_at, forgotten_at
         from flotilla.dead_letters where id = $1",
    )
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

/// Settles dead letters, in the transaction of the replay where there is one. Returns how many
/// were still waiting.
pub(crate) async fn settle(
    db: &mut PgConnection,
    ids: &[i64],
    state: LetterState,
) -> Result<u64, sqlx::Error> {
    let settled = sqlx::query(
        "update flotilla.dead_letters set state = $2, settled_at = now()
         where id = any($1) and state = 'waiting'",
    )
    .bind(ids)
    .bind(state.name())
    .execute(db)
    .await?;
    Ok(settled.rows_affected())
}
