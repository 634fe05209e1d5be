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

/// How far a batch reaches in a partition, under which assignment it was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) generation: u64,
    /// The offset after the last one.
    pub(crate) next: i64,
}

/// How far a batch reaches in each partition that it has events of.
pub(crate) type Processed = HashMap<Partition, Reached>;

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
    /// others that ignored events moved on. Nothing at all where a processed partition is no longer
    /// held as it was when it was fetched: its effect would be committed without its offset.
    pub(crate) fn advances(&self, processed: &Processed) -> Option<Vec<Advance>> {
        let inner = self.lock();
        let is_held = |(partition, reached): (&Partition, &Reached)| {
            inner.held.get(partition).is_some_and(|held| held.generation == reached.generation)
        };
        if !processed.iter().all(is_held) {
            return None;
        }
        let mut advances: Vec<Advance> = inner
            .held
            .iter()
            .map(|(partition, held)| Advance {
                partition: *partition,
                from: held.stored,
                to: processed.get(partition).map_or(0, |reached| reached.next).max(held.next),
            })
            .filter(|advance| advance.to > advance.from)
            .collect();
        // Always in one order, so that two replicas cannot wait for each other.
        advances.sort_by_key(|advance| advance.partition);
        Some(advances)
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

    /// Every partition as it is held now.
    fn snapshot(&self) -> Vec<(Partition, Position)> {
        self.lock().held.iter().map(|(partition, held)| (*partition, *held)).collect()
    }

    /// Takes over what the database holds. Where somebody else moved an offset on, what is before it is
    /// done. Where the database is behind what it held before it was read, or has no row at all, it was
    /// set back: a standby that lagged, a backup, a row that was changed by hand. The effects of all
    /// events from there on are gone, and the consumer is beyond them, so the partition is held and
    /// fetched again. Returns these partitions.
    fn reload(
        &self,
        before: &[(Partition, Position)],
        stored: &HashMap<Partition, i64>,
    ) -> Vec<SetBack> {
        let mut set_back = Vec::new();
        for (partition, before) in before {
            let found = stored.get(partition).copied();
            if found.is_none_or(|found| found < before.stored) {
                if self.generation(*partition) == Some(before.generation) {
                    self.hold(*partition, Duration::ZERO);
                    set_back.push(SetBack {
                        partition: *partition,
                        from: before.stored,
                        to: found,
                    });
                }
            } else if let Some(found) = found
                && let Some(held) = self.lock().held.get_mut(partition)
            {
                held.stored = held.stored.max(found);
                held.next = held.next.max(found);
            }
        }
        set_back
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic under this lock")
    }
}

/// A partition whose offset went back in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetBack {
    pub(crate) partition: Partition,
    pub(crate) from: i64,
    /// None where the row is gone.
    pub(crate) to: Option<i64>,
}

/// Reads the offsets of partitions, creating those never seen at 0.
pub(crate) async fn load(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<Vec<(Partition, i64)>, sqlx::Error> {
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
    read(db, partitions).await
}

fn columns(partitions: &[Partition]) -> (Vec<&'static str>, Vec<i32>) {
    partitions.iter().map(|partition| (partition.topic, partition.number)).unzip()
}

async fn read(
    db: &mut PgConnection,
    partitions: &[Partition],
) -> Result<Vec<(Partition, i64)>, sqlx::Error> {
    let (topics, numbers) = columns(partitions);
    let rows: Vec<(String, i32, i64)> = sqlx::query_as(
        "select topic, partition, next_offset from flotilla.offsets
         where (topic, partition) in (select * from unnest($1::text[], $2::int[]))",
    )
    .bind(topics)
    .bind(numbers)
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

/// Learns the offsets of all held partitions anew: after a conflict, over a new connection, and every few
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
    let stored = read(db, &partitions).await?.into_iter().collect();
    Ok(positions.reload(&before, &stored))
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

    /// What is processed up to an offset under an assignment.
    fn up_to(next: i64, generation: u64) -> Processed {
        Processed::from([(P, Reached { generation, next })])
    }

    fn reload(positions: &Positions, found: Option<i64>) -> Vec<SetBack> {
        let stored = found.map(|offset| (P, offset)).into_iter().collect();
        positions.reload(&positions.snapshot(), &stored)
    }

    #[test]
    fn skipped_events_move_with_the_next_transaction() {
        let positions = Positions::default();
        let generation = positions.assign(P, 10);
        let advances = || positions.advances(&Processed::new()).unwrap();
        assert_eq!(advances(), []);
        positions.skip_to(P, generation, 14);
        assert_eq!(advances(), [Advance { partition: P, from: 10, to: 14 }]);
        positions.committed(&advances());
        assert_eq!(advances(), []);
    }

    #[test]
    fn a_partition_whose_offset_went_back_is_fetched_again_and_nothing_between_is_passed() {
        let positions = Positions::default();
        let generation = positions.assign(P, 120);
        let set_back = reload(&positions, Some(100));
        assert_eq!(set_back, [SetBack { partition: P, from: 120, to: Some(100) }]);
        // The batch that found it out must neither be committed nor move 100 to 121.
        assert!(!positions.is_current(P, generation, 120));
        assert_eq!(positions.advances(&up_to(121, generation)), None);
        assert_eq!(positions.advances(&Processed::new()), Some(Vec::new()));
        assert_eq!(positions.due_rewinds(), [P]);
    }

    #[test]
    fn a_partition_whose_offset_is_gone_is_fetched_again() {
        let positions = Positions::default();
        positions.assign(P, 0);
        assert_eq!(reload(&positions, None), [SetBack { partition: P, from: 0, to: None }]);
        assert_eq!(positions.due_rewinds(), [P]);
    }

    #[test]
    fn what_another_replica_has_done_meanwhile_falls_away() {
        let positions = Positions::default();
        let generation = positions.assign(P, 10);
        assert_eq!(reload(&positions, Some(12)), []);
        assert!(!positions.is_current(P, generation, 11));
        assert!(positions.is_current(P, generation, 12));
        assert_eq!(positions.due_rewinds(), []);
    }

    #[test]
    fn a_partition_that_came_back_while_offsets_were_read_is_not_taken_for_set_back() {
        let positions = Positions::default();
        positions.assign(P, 10);
        let before = positions.snapshot();
        let generation = positions.assign(P, 50);
        assert_eq!(positions.reload(&before, &HashMap::from([(P, 9)])), []);
        assert!(positions.is_current(P, generation, 50));
    }

    #[test]
    fn a_batch_whose_partition_was_revoked_or_fetched_again_meanwhile_moves_nothing() {
        let positions = Positions::default();
        let generation = positions.assign(P, 10);
        assert!(positions.advances(&up_to(11, generation)).is_some());
        positions.revoke(P);
        assert_eq!(positions.advances(&up_to(11, generation)), None);
        positions.assign(P, 10);
        assert_eq!(positions.advances(&up_to(11, generation)), None);
    }
}
