//! The partitions that this replica has, in memory: those that it holds, with how far each is processed, and what the
//! others wait for. Shared by the consumer's thread and the executor; separate from the database's side.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Partition;

/// One assignment of a partition to this replica.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// Grows with every assignment and rewind: what was fetched before is stale.
    generation: u64,
    /// The offset the database holds.
    stored: i64,
    /// The next offset after all that was processed or skipped; ahead of `stored` by ignored events.
    next: i64,
    /// Whether nothing more is handed over until the schema of its next record is known.
    needs_schema: bool,
}

/// The partitions this replica holds, shared by the consumer's thread and the executor.
#[derive(Default)]
pub(crate) struct Positions {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Numbers assignments and questions.
    generations: u64,
    held: HashMap<Partition, Position>,
    /// The other partitions that the group gave this replica. Whatever arrives from them is dropped.
    waiting: HashMap<Partition, Waiting>,
}

/// What a partition waits for before it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// To be fetched from the database's offset, from a moment on.
    Due(Instant),
    /// The offset is being looked up. The number distinguishes this question from an earlier one.
    Asked(u64),
    /// The offset is known; the consumer has to go there.
    Found(i64),
    /// It cannot go on without an operator.
    Stopped,
}

/// A partition whose offset is to be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) partition: Partition,
    number: u64,
}

/// How far a batch reaches in a partition, and under which assignment it was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) generation: u64,
    /// The offset after the last one.
    pub(crate) next: i64,
}

/// How far a batch reaches in each partition that it has events from.
pub(crate) type Processed = HashMap<Partition, Reached>;

/// One partition's move in a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) partition: Partition,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Positions {
    /// Notes a partition that the group gave this replica. Its offset is yet to be looked up.
    pub(crate) fn expect(&self, partition: Partition) {
        let mut inner = self.lock();
        inner.held.remove(&partition);
        inner.waiting.insert(partition, Waiting::Due(Instant::now()));
    }

    /// Takes a partition at the database's offset; returns the generation of its messages.
    #[cfg(any(test, feature = "measuring"))]
    pub(crate) fn assign(&self, partition: Partition, stored: i64) -> u64 {
        let mut inner = self.lock();
        inner.waiting.remove(&partition);
        inner.take(partition, stored)
    }

    /// Takes a partition whose fetching has begun at the offset that was found, unless it was set aside or
    /// taken away meanwhile.
    pub(crate) fn begun(&self, partition: Partition, found: i64) {
        let mut inner = self.lock();
        if inner.waiting.get(&partition) == Some(&Waiting::Found(found)) {
            inner.waiting.remove(&partition);
            inner.take(partition, found);
        }
    }

    /// Notes that a held partition is fetched again from the database's offset or before, unless it
    /// was set aside or taken again meanwhile.
    pub(crate) fn begun_again(&self, partition: Partition, generation: u64) {
        let mut inner = self.lock();
        if let Some(held) = inner.held.get(&partition)
            && held.generation == generation
        {
            let stored = held.stored;
            inner.take(partition, stored);
        }
    }

    pub(crate) fn revoke(&self, partition: Partition) {
        let mut inner = self.lock();
        inner.held.remove(&partition);
        inner.waiting.remove(&partition);
    }

    pub(crate) fn revoke_all(&self) {
        let mut inner = self.lock();
        inner.held.clear();
        inner.waiting.clear();
    }

    /// How many partitions the group gave this replica.
    pub(crate) fn count(&self) -> usize {
        let inner = self.lock();
        inner.held.len() + inner.waiting.len()
    }

    /// Whether the group gave this replica a partition, even if it is set aside.
    pub(crate) fn is_ours(&self, partition: Partition) -> bool {
        let inner = self.lock();
        inner.held.contains_key(&partition) || inner.waiting.contains_key(&partition)
    }

    /// Sets a partition aside: what was fetched from it is dropped, and fetched again after a pause.
    pub(crate) fn hold(&self, partition: Partition, pause: Duration) {
        self.lock().set_aside(partition, pause);
    }

    /// Sets all partitions aside.
    pub(crate) fn hold_all(&self, pause: Duration) {
        self.held().into_iter().for_each(|partition| self.hold(partition, pause));
    }

    /// Looks a partition's offset up again after a pause: the consumer could not go to the one it had.
    pub(crate) fn put_off(&self, partition: Partition, pause: Duration) {
        if let Some(waiting) = self.lock().waiting.get_mut(&partition) {
            *waiting = Waiting::Due(Instant::now() + pause);
        }
    }

    /// Partitions whose pause is over. Each is returned once.
    pub(crate) fn questions(&self) -> Vec<Question> {
        let now = Instant::now();
        let mut inner = self.lock();
        let Inner { generations, waiting, .. } = &mut *inner;
        let due = waiting.iter_mut().filter(|(_, w)| matches!(w, Waiting::Due(at) if *at <= now));
        let ask = |(partition, waiting): (&Partition, &mut Waiting)| {
            *generations += 1;
            *waiting = Waiting::Asked(*generations);
            Question { partition: *partition, number: *generations }
        };
        due.map(ask).collect()
    }

    /// Whether an answer is still needed.
    pub(crate) fn is_open(&self, question: Question) -> bool {
        let asked = Waiting::Asked(question.number);
        self.lock().waiting.get(&question.partition) == Some(&asked)
    }

    /// Whether all partitions are held.
    pub(crate) fn are_settled(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Whether a partition is about to be held.
    pub(crate) fn are_open(&self) -> bool {
        let about_to = |w: &Waiting| matches!(w, Waiting::Asked(_) | Waiting::Found(_));
        self.lock().waiting.values().any(about_to)
    }

    /// Answers a question with the offset, or with none if the partition has to stop.
    pub(crate) fn answer(&self, question: Question, offset: Option<i64>) {
        let mut inner = self.lock();
        if let Some(waiting) = inner.waiting.get_mut(&question.partition)
            && *waiting == Waiting::Asked(question.number)
        {
            *waiting = offset.map_or(Waiting::Stopped, Waiting::Found);
        }
    }

    /// Stops a held partition: its offset no longer means anything.
    pub(crate) fn stop(&self, partition: Partition) {
        let mut inner = self.lock();
        if inner.held.remove(&partition).is_some() {
            inner.waiting.insert(partition, Waiting::Stopped);
        }
    }

    /// Looks a stopped partition's offset up again: an operator has decided.
    pub(crate) fn restart(&self, partition: Partition) {
        let mut inner = self.lock();
        if let Some(waiting) = inner.waiting.get_mut(&partition)
            && *waiting == Waiting::Stopped
        {
            *waiting = Waiting::Due(Instant::now());
        }
    }

    /// Partitions in which the consumer has to seek an offset, until they are assigned or put off.
    pub(crate) fn found(&self) -> Vec<(Partition, i64)> {
        let found = |(partition, waiting): (&Partition, &Waiting)| match waiting {
            Waiting::Found(offset) => Some((*partition, *offset)),
            Waiting::Due(_) | Waiting::Asked(_) | Waiting::Stopped => None,
        };
        self.lock().waiting.iter().filter_map(found).collect()
    }

    pub(crate) fn generation(&self, partition: Partition) -> Option<u64> {
        self.lock().held.get(&partition).map(|position| position.generation)
    }

    /// The partitions that are held, each with the generation of its messages and the database's offset.
    pub(crate) fn stored(&self) -> HashMap<Partition, (u64, i64)> {
        let inner = self.lock();
        let stored = |held: &Position| (held.generation, held.stored);
        inner.held.iter().map(|(partition, held)| (*partition, stored(held))).collect()
    }

    /// Notes whether a partition waits for the schema of its next record.
    pub(crate) fn needs_schema(&self, partition: Partition, generation: u64, needs: bool) {
        if let Some(held) = self.lock().held.get_mut(&partition)
            && held.generation == generation
        {
            held.needs_schema = needs;
        }
    }

    /// Whether a partition is held and nothing from it was committed or passed since it was taken there, although
    /// it does not wait for a schema.
    pub(crate) fn gets_nothing(&self, partition: Partition) -> bool {
        let inner = self.lock();
        let held = inner.held.get(&partition);
        held.is_some_and(|held| !held.needs_schema && held.next == held.stored)
    }

    /// Whether the database is past an offset of a held partition.
    pub(crate) fn is_past(&self, partition: Partition, offset: i64) -> bool {
        self.lock().held.get(&partition).is_some_and(|held| held.stored > offset)
    }

    /// The partitions that are held, each with the generation of its messages.
    pub(crate) fn generations(&self) -> HashMap<Partition, u64> {
        let inner = self.lock();
        inner.held.iter().map(|(partition, held)| (*partition, held.generation)).collect()
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
    /// others that ignored events moved on. `None` if a processed partition is no longer
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
        // Always in the same order, so that two replicas cannot wait for each other.
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
    pub(super) fn snapshot(&self) -> Vec<(Partition, Position)> {
        self.lock().held.iter().map(|(partition, held)| (*partition, *held)).collect()
    }

    /// Takes over what the database holds. If somebody else moved an offset on, what is before it is
    /// done. If the database is behind what it held before it was read, or has no row at all, it was
    /// set back: a standby that lagged, a backup, a row that was changed by hand. The effects of all
    /// events from there on are gone, and the consumer is past them, so the partition is held and
    /// fetched again. Returns these partitions.
    pub(super) fn reload(
        &self,
        before: &[(Partition, Position)],
        stored: &HashMap<Partition, i64>,
    ) -> Vec<SetBack> {
        let mut set_back = Vec::new();
        let mut inner = self.lock();
        for (partition, before) in before {
            // If held under another assignment by now, it was read then.
            let held = inner.held.get_mut(partition);
            let Some(held) = held.filter(|held| held.generation == before.generation) else {
                continue;
            };
            match stored.get(partition).copied() {
                Some(found) if found >= before.stored => {
                    held.stored = held.stored.max(found);
                    held.next = held.next.max(found);
                }
                to => {
                    inner.set_aside(*partition, Duration::ZERO);
                    set_back.push(SetBack { partition: *partition, from: before.stored, to });
                }
            }
        }
        set_back
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic under this lock")
    }
}

impl Inner {
    fn take(&mut self, partition: Partition, stored: i64) -> u64 {
        self.generations += 1;
        let generation = self.generations;
        let position = Position { generation, stored, next: stored, needs_schema: false };
        self.held.insert(partition, position);
        generation
    }

    fn set_aside(&mut self, partition: Partition, pause: Duration) {
        if self.held.remove(&partition).is_some() {
            self.waiting.insert(partition, Waiting::Due(Instant::now() + pause));
        }
    }
}

/// A partition whose offset went back in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetBack {
    pub(crate) partition: Partition,
    pub(crate) from: i64,
    /// None if the row is gone.
    pub(crate) to: Option<i64>,
}

#[cfg(test)]
mod tests;
