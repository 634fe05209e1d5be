//! Where each partition stands. The database's offset leads: it moves by compare-and-set in the
//! transaction of the effect, so that a replica that lost a partition without knowing cannot apply
//! anything twice. Kafka's committed offset is a hint for lag tools.

mod positions;

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::postgres::writes::Writes;
pub(crate) use positions::{Advance, Positions, Processed, Question, Reached, SetBack};

/// A partition of a subscribed topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) topic: &'static str,
    pub(crate) number: i32,
}

/// Reads the rows of partitions, creating those never seen at 0.
pub(crate) async fn load(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<HashMap<Partition, Stored>, sqlx::Error> {
    let (topics, numbers) = columns(partitions);
    sqlx::query(
        "insert into flotilla.offsets (topic, partition, next_offset)
         select topic, partition, 0 from unnest($1::text[], $2::int[]) as p (topic, partition)
         on conflict do nothing",
    )
    .bind(topics)
    .bind(numbers)
    .execute(&mut *db)
    .await?;
    read_rows(db, partitions).await
}

fn columns(partitions: &[Partition]) -> (Vec<&'static str>, Vec<i32>) {
    partitions.iter().map(|partition| (partition.topic, partition.number)).unzip()
}

/// Reads the offsets of those partitions that have one.
pub(crate) async fn read(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<HashMap<Partition, i64>, sqlx::Error> {
    let rows = read_rows(db, partitions).await?;
    Ok(rows.into_iter().map(|(partition, row)| (partition, row.offset)).collect())
}

async fn read_rows(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<HashMap<Partition, Stored>, sqlx::Error> {
    let (topics, numbers) = columns(partitions);
    let rows: Vec<(String, i32, i64, Option<Uuid>)> = sqlx::query_as(
        "select topic, partition, next_offset, topic_id from flotilla.offsets
         where (topic, partition) in (select * from unnest($1::text[], $2::int[]))",
    )
    .bind(topics)
    .bind(numbers)
    .fetch_all(db)
    .await?;
    let find = |topic: &str, number: i32| {
        partitions.iter().copied().find(|p| p.topic == topic && p.number == number)
    };
    let row = |(topic, number, offset, topic_id): (String, i32, i64, Option<Uuid>)| {
        Some((find(&topic, number)?, Stored { offset, topic_id }))
    };
    Ok(rows.into_iter().filter_map(row).collect())
}

/// The offset of a partition, as in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) offset: i64,
    /// The topic that the offset belongs to. None until the partition is first assigned.
    pub(crate) topic_id: Option<Uuid>,
}

impl Stored {
    /// Whether the offset was counted in another topic than the one with this id. A topic whose id nobody
    /// knows is assumed to be the same. Each partition by itself: if a topic came back with fewer
    /// partitions, rows are left that nothing will ever bring up to date.
    pub(crate) fn is_of_another(&self, topic_id: Option<&Uuid>) -> bool {
        match (&self.topic_id, topic_id) {
            (Some(counted_in), Some(id)) => counted_in != id,
            (None, _) | (_, None) => false,
        }
    }
}

/// The rows of topics, by topic and number.
pub(crate) async fn rows(
    db: &sqlx::PgPool,
    topics: &[&str],
) -> Result<HashMap<(String, i32), Stored>, sqlx::Error> {
    let rows: Vec<(String, i32, i64, Option<Uuid>)> = sqlx::query_as(
        "select topic, partition, next_offset, topic_id from flotilla.offsets where topic = any($1)",
    )
    .bind(topics)
    .fetch_all(db)
    .await?;
    let row = |(topic, number, offset, topic_id)| ((topic, number), Stored { offset, topic_id });
    Ok(rows.into_iter().map(row).collect())
}

/// Moves a partition to where an operator wants it, in the topic with this id. Returns whether it still was
/// where it was last seen; without a row it is at 0.
pub(crate) async fn move_to(
    db: &sqlx::PgPool,
    partition: Partition,
    from: i64,
    to: i64,
    topic_id: Option<Uuid>,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query(
        "insert into flotilla.offsets as o (topic, partition, next_offset, topic_id)
         values ($1, $2, $4, $5)
         on conflict (topic, partition) do update
         set next_offset = excluded.next_offset, topic_id = excluded.topic_id
         where o.next_offset = $3",
    )
    .bind(partition.topic)
    .bind(partition.number)
    .bind(from)
    .bind(to)
    .bind(topic_id)
    .execute(db)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Notes the id of a topic in those of its rows that have none.
pub(crate) async fn note_topic(
    db: &mut PgConnection,
    topic: &str,
    id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("update flotilla.offsets set topic_id = $2 where topic = $1 and topic_id is null")
        .bind(topic)
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

/// Moves offsets on, if nobody else did. Otherwise the batch runs again, knowing the offsets, and
/// everything already processed drops out.
pub(crate) fn advance(writes: &mut Writes, advances: &[Advance]) {
    if advances.is_empty() {
        return;
    }
    writes
        .add(
            "update flotilla.offsets o set next_offset = a.next
             from {rows} a
             where o.topic = a.topic and o.partition = a.partition and o.next_offset = a.stored",
        )
        .column("topic", advances.iter().map(|a| a.partition.topic).collect::<Vec<_>>())
        .column("partition", advances.iter().map(|a| a.partition.number).collect::<Vec<_>>())
        .column("stored", advances.iter().map(|a| a.from).collect::<Vec<_>>())
        .column("next", advances.iter().map(|a| a.to).collect::<Vec<_>>())
        .expect(advances.len(), "an offset");
}

/// Reads the offsets of all held partitions again: after a conflict, over a new connection, and every few
/// seconds, as a database that was set back need not bring a conflict. Returns the partitions that have to
/// be fetched again.
pub(crate) async fn refresh(
    db: &mut PgConnection,
    positions: &Positions,
) -> Result<Vec<SetBack>, sqlx::Error> {
    let before = positions.snapshot();
    if before.is_empty() {
        return Ok(Vec::new());
    }
    let partitions: Vec<Partition> = before.iter().map(|(partition, _)| *partition).collect();
    let stored = read(db, &partitions).await?;
    Ok(positions.reload(&before, &stored))
}
