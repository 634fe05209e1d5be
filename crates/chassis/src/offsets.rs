//! Where each partition stands. The database's offset leads: it moves by compare-and-set in the
//! transaction of the effect, so that a replica that lost a partition without knowing cannot apply
//! anything twice. Kafka's committed offset is a hint for lag tools.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::writes::Writes;

/// A partition of a subscribed topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) topic: &'static str,
    pub(crate) number: i32,
}

/// One assignment of a partition to this replica.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// Grows with every assignment and rewind: what was fetched before is stale.
    generation: u64,
    /// The offset the database holds.
    stored: i64,
    /// The next offset after all that was processed or skipped; ahead of `stored` by ignored events.
    next: i64,
}

/// The partitions this replica holds, shared by the consumer's thread and the executor.
#[derive(Default)]
pub(crate) struct Positions {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    generations: u64,
    held: HashMap<Partition, Position>,
    /// Partitions to fetch again from the database's offset, each from a moment on.
    rewinds: Vec<(Partition, Instant)>,
}

/// One partition's move in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) partition: Partition,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Positions {
    /// Takes a partition at the database's offset; answers the generation of its messages.
    pub(crate) fn assign(&self, partition: Partition, stored: i64) -> u64 {
        let mut inner = self.lock();
        inner.generations += 1;
        let generation = inner.generations;
        inner.held.insert(partition, Position { generation, stored, next: stored });
        generation
    }

    pub(crate) fn revoke(&self, partition: Partition) {
        let mut inner = self.lock();
        inner.held.remove(&partition);
        inner.rewinds.retain(|(held, _)| *held != partition);
    }

    /// Sets a partition aside: what was fetched of it is dropped, and fetched again after a pause.
    pub(crate) fn hold(&self, partition: Partition, pause: Duration) {
        let mut inner = self.lock();
        if inner.held.remove(&partition).is_some() {
            inner.rewinds.push((partition, Instant::now() + pause));
        }
    }

    /// Partitions whose pause is over. Each is answered once.
    pub(crate) fn due_rewinds(&self) -> Vec<Partition> {
        let now = Instant::now();
        let mut inner = self.lock();
        let (due, later) = inner.rewinds.drain(..).partition(|(_, at)| *at <= now);
        inner.rewinds = later;
        let due: Vec<(Partition, Instant)> = due;
        due.into_iter().map(|(partition, _)| partition).collect()
    }

    pub(crate) fn generation(&self, partition: Partition) -> Option<u64> {
        self.lock().held.get(&partition).map(|position| position.generation)
    }

    /// The database's offset of a partition that this replica holds.
    pub(crate) fn stored(&self, partition: Partition) -> Option<i64> {
        self.lock().held.get(&partition).map(|position| position.stored)
    }

    pub(crate) fn held(&self) -> Vec<Partition> {
        self.lock().held.keys().copied().collect()
    }

    /// Whether a message was fetched under the present assignment and is not processed yet.
    pub(crate) fn is_current(&self, partition: Partition, generation: u64, offset: i64) -> bool {
        self.lock()
            .held
            .get(&partition)
            .is_some_and(|held| held.generation == generation && offset >= held.stored)
    }

    /// Notes that everything before `next` needs nothing more; without a transaction of its own.
    pub(crate) fn skip_to(&self, partition: Partition, generation: u64, next: i64) {
        if let Some(held) = self.lock().held.get_mut(&partition)
            && held.generation == generation
        {
            held.next = held.next.max(next);
        }
    }

    /// The moves a transaction has to make: `processed` partitions up to the given offsets, and all
    /// others that ignored events moved on.
    pub(crate) fn advances(&self, processed: &HashMap<Partition, i64>) -> Vec<Advance> {
        let inner = self.lock();
        let mut advances: Vec<Advance> = inner
            .held
            .iter()
            .map(|(partition, held)| Advance {
                partition: *partition,
                from: held.stored,
                to: processed.get(partition).copied().unwrap_or(0).max(held.next),
            })
            .filter(|advance| advance.to > advance.from)
            .collect();
        // Always in one order, so that two replicas cannot wait for each other.
        advances.sort_by_key(|advance| advance.partition);
        advances
    }

    /// Takes over what a transaction committed.
    pub(crate) fn committed(&self, advances: &[Advance]) {
        let mut inner = self.lock();
        for advance in advances {
            if let Some(held) = inner.held.get_mut(&advance.partition) {
                held.stored = held.stored.max(advance.to);
                held.next = held.next.max(advance.to);
            }
        }
    }

    /// Takes over what the database holds after somebody else moved it.
    fn reload(&self, stored: &[(Partition, i64)]) {
        let mut inner = self.lock();
        for (partition, offset) in stored {
            if let Some(held) = inner.held.get_mut(partition) {
                held.stored = *offset;
                held.next = *offset;
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic under this lock")
    }
}

/// Reads the offsets of partitions, creating those never seen at 0.
pub(crate) async fn load(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<Vec<(Partition, i64)>, sqlx::Error> {
    let topics: Vec<&str> = partitions.iter().map(|p| p.topic).collect();
    let numbers: Vec<i32> = partitions.iter().map(|p| p.number).collect();
    sqlx::query(
        "insert into flotilla.offsets (topic, partition, next_offset)
         select topic, partition, 0 from unnest($1::text[], $2::int[]) as p (topic, partition)
         on conflict do nothing",
    )
    .bind(&topics)
    .bind(&numbers)
    .execute(&mut *db)
    .await?;
    let rows: Vec<(String, i32, i64)> = sqlx::query_as(
        "select topic, partition, next_offset from flotilla.offsets
         where (topic, partition) in (select * from unnest($1::text[], $2::int[]))",
    )
    .bind(&topics)
    .bind(&numbers)
    .fetch_all(db)
    .await?;
    let find = |topic: &str, number: i32| {
        partitions.iter().copied().find(|p| p.topic == topic && p.number == number)
    };
    Ok(rows.iter().filter_map(|(t, n, offset)| Some((find(t, *n)?, *offset))).collect())
}

/// Whether the offsets of a topic were counted in the topic with this id. Notes the id where none is.
pub(crate) async fn is_same_topic(
    db: &mut PgConnection,
    topic: &str,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query("update flotilla.offsets set topic_id = $2 where topic = $1 and topic_id is null")
        .bind(topic)
        .bind(id)
        .execute(&mut *db)
        .await?;
    sqlx::query_scalar(
        "select not exists (select from flotilla.offsets where topic = $1 and topic_id <> $2)",
    )
    .bind(topic)
    .bind(id)
    .fetch_one(db)
    .await
}

/// Moves offsets on, if nobody else did. Otherwise the batch runs again, knowing where they stand, and
/// everything already processed falls away.
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

/// Learns the offsets of all held partitions anew, after a conflict.
pub(crate) async fn refresh(
    db: &mut PgConnection,
    positions: &Positions,
) -> Result<(), sqlx::Error> {
    let stored = load(db, &positions.held()).await?;
    positions.reload(&stored);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition { topic: "t", number: 0 };

    #[test]
    fn what_was_fetched_before_a_reassignment_is_stale() {
        let positions = Positions::default();
        let first = positions.assign(P, 10);
        assert!(positions.is_current(P, first, 10));
        assert!(!positions.is_current(P, first, 9));
        let second = positions.assign(P, 10);
        assert!(!positions.is_current(P, first, 10));
        assert!(positions.is_current(P, second, 10));
        positions.revoke(P);
        assert!(!positions.is_current(P, second, 10));
    }

    #[test]
    fn skipped_events_move_with_the_next_transaction() {
        let positions = Positions::default();
        let generation = positions.assign(P, 10);
        assert_eq!(positions.advances(&HashMap::new()), []);
        positions.skip_to(P, generation, 14);
        let advances = positions.advances(&HashMap::new());
        assert_eq!(advances, [Advance { partition: P, from: 10, to: 14 }]);
        positions.committed(&advances);
        assert_eq!(positions.advances(&HashMap::new()), []);
    }
}
