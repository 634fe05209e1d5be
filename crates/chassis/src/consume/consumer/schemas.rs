//! Schemas that this build was not compiled with. A partition whose next record was written with one waits
//! at that record, and the registry is asked in the background: while it is away, all other partitions go on.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::passed::Fetched;
use crate::backoff::Backoff;
use crate::consume::offsets::{Partition, Positions};
use crate::failure::Chain;
use crate::ops::health::Health;
use crate::wire::codec::SchemaId;
use crate::wire::registry::Registry;

/// The pauses between questions to a registry that does not answer, from the first to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_LAST: Duration = Duration::from_secs(4);

/// A schema that is asked for, by a topic's subscription.
type Wanted = (&'static str, SchemaId);

/// Partitions that wait for schemas.
pub(super) struct Schemas {
    asking: Arc<Asking>,
    /// Where each of them goes on.
    waiting: HashMap<Partition, (Fetched, SchemaId)>,
    /// How many tasks were started.
    tasks: u64,
}

/// What the questions share with the polling thread.
struct Asking {
    registry: Registry,
    health: Arc<Health>,
    /// What is asked for, and the number of the task that asks. Locked before the answers.
    wanted: Mutex<HashMap<Wanted, u64>>,
    answers: Mutex<Vec<Answer>>,
}

/// What the registry says about a schema.
pub(super) struct Answer {
    pub(super) topic: &'static str,
    pub(super) id: SchemaId,
    /// None if it has none with that id.
    pub(super) schema: Option<String>,
}

impl Schemas {
    pub(super) fn new(registry: Registry, health: Arc<Health>) -> Self {
        let asking =
            Asking { registry, health, wanted: Mutex::default(), answers: Mutex::default() };
        Schemas { asking: Arc::new(asking), waiting: HashMap::new(), tasks: 0 }
    }

    /// Whether a partition waits, under the assignment that it has now.
    pub(super) fn holds_up(&self, partition: Partition, generation: u64) -> bool {
        self.waiting.get(&partition).is_some_and(|(place, _)| place.generation == generation)
    }

    /// Makes a partition wait at a record, and asks for its schema.
    pub(super) fn wait(&mut self, runtime: &tokio::runtime::Handle, place: Fetched, id: SchemaId) {
        self.waiting.insert(place.partition, (place, id));
        let wanted = (place.partition.topic, id);
        if let Entry::Vacant(vacant) = lock(&self.asking.wanted).entry(wanted) {
            self.tasks += 1;
            vacant.insert(self.tasks);
            // An answer that came when nobody waited for it any more may be outdated.
            lock(&self.asking.answers).retain(|answer| (answer.topic, answer.id) != wanted);
            runtime.spawn(Arc::clone(&self.asking).ask(wanted, self.tasks));
        }
    }

    /// What the registry has answered since.
    pub(super) fn answers(&mut self, positions: &Positions) -> Vec<Answer> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        // Revoked or fetched again meanwhile: the next owner runs into the same record.
        self.waiting.retain(|partition, (place, _)| {
            positions.generation(*partition) == Some(place.generation)
        });
        let wanted = || self.waiting.values().map(|(place, id)| (place.partition.topic, *id));
        lock(&self.asking.wanted).retain(|known, _| wanted().any(|wanted| wanted == *known));
        if self.waiting.is_empty() {
            self.asking.health.has("registry");
        }
        std::mem::take(&mut *lock(&self.asking.answers))
    }

    /// The places at which partitions go on, now that this schema is known.
    pub(super) fn go_on(&mut self, answer: &Answer) -> Vec<Fetched> {
        let goes_on = |_: &Partition, (place, id): &mut (Fetched, SchemaId)| {
            (place.partition.topic, *id) == (answer.topic, answer.id)
        };
        let places = self.waiting.extract_if(goes_on).map(|(_, (place, _))| place).collect();
        if self.waiting.is_empty() {
            self.asking.health.has("registry");
        }
        places
    }
}

/// Another member of the group takes over, and runs into the same records.
impl Drop for Schemas {
    fn drop(&mut self) {
        lock(&self.asking.wanted).clear();
        self.asking.health.has("registry");
    }
}

impl Asking {
    /// Asks until there is an answer, or nobody waits for one of this task.
    async fn ask(self: Arc<Self>, wanted: Wanted, task: u64) {
        let (topic, id) = wanted;
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_LAST);
        while lock(&self.wanted).get(&wanted) == Some(&task) {
            match self.registry.schema(id).await {
                Ok(schema) => {
                    let mut open = lock(&self.wanted);
                    if open.get(&wanted) == Some(&task) {
                        open.remove(&wanted);
                        lock(&self.answers).push(Answer { topic, id, schema });
                    }
                    return;
                }
                Err(error) => {
                    let reason = format!(
                        "a record of {topic} was written with schema {id}, which has to be asked for; its \
                         partition waits: {}",
                        Chain(&error)
                    );
                    // Under the lock: nobody may have stopped waiting in between, and said so.
                    let open = lock(&self.wanted);
                    if open.get(&wanted) == Some(&task) {
                        self.health.waits_for("registry", reason);
                    }
                }
            }
            backoff.pause().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no panic under this lock")
}
