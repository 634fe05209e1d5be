//! What a service says about itself, and nothing else: its work (`Service`), what it hears (`Hears`),
//! which calls it has open (`Calls`) and who makes them (`Outside`). Everything behind these traits is
//! the chassis.

use std::future::Future;
use std::hash::Hash;
use std::time::Duration;

use language::{Events, ReadRecord, RecordInfo, WriteRecord};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::effects::Effects;
use crate::failure::Failure;
use crate::postgres::writes::Writes;

/// A service's work: load the rows that a batch of inputs touches, decide input by input in memory,
/// save what changed. The executor calls the three in this order; what they write is one transaction.
pub trait Service: Send + Sync + Sized + 'static {
    /// The service's name: its consumer group, the `ce_source` of its events, the prefix of its
    /// dead-letter topic.
    const NAME: &'static str;

    /// What makes the service act: an event, a command, an outcome of a call, a timer.
    type Input: Clone + Send + Sync + 'static;

    /// A call to the outside that a decision asks for. [`NoCall`] where there is none.
    /// Equal calls are the same call: one that is under way is not made a second time.
    type Call: Clone + Eq + Hash + Send + Sync + 'static;

    /// What a command's caller is told after the commit. Inputs that are not commands return one too, and
    /// nobody reads it.
    type Reply: Send + 'static;

    /// The rows of one batch, in memory.
    type Rows: Send;

    /// Loads every row that `inputs` touch, with a number of statements that does not depend on the
    /// size of the batch. There need not be a transaction around it and the write: what was read is
    /// verified when it is written.
    fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&Self::Input],
    ) -> impl Future<Output = Result<Self::Rows, Failure>> + Send;

    /// Applies one input to the rows in memory: no I/O, no clock (`effects.now_micros()` is the time
    /// of the batch), no randomness. It may run again for the same input after a rollback.
    fn decide(
        &self,
        rows: &mut Self::Rows,
        input: &Self::Input,
        effects: &mut Effects<Self::Call>,
    ) -> Self::Reply;

    /// Adds what changed to the batch's writes, one per table and kind of change. A write that must
    /// find a row as it was read says so with [`Columns::expect`](crate::Columns::expect).
    fn save(&self, rows: &Self::Rows, writes: &mut Writes) -> Result<(), Failure>;

    /// What was saved is committed: these rows, if they changed, are now what the database holds.
    /// A service may keep those that will be needed again soon, see
    /// [`Remembered`](crate::Remembered).
    fn committed(&self, _rows: Self::Rows) {}

    /// Whether replicas share rows that nearly every batch writes, the way all orders share
    /// a warehouse's shelves. Taking turns is cheaper there than losing races: where several replicas run, and
    /// after a lost race, [`Service::load_locked`] is called in place of [`Service::load`].
    const LOCKS: bool = false;

    /// Like [`Service::load`], in a transaction, and locks the rows that replicas share: in one order,
    /// so that no two batches wait for each other. Belongs to [`Service::LOCKS`]; a service that has only
    /// one of the two is still correct, as everything is verified, but loses races.
    fn load_locked(
        &self,
        db: &mut PgConnection,
        inputs: &[&Self::Input],
    ) -> impl Future<Output = Result<Self::Rows, Failure>> + Send {
        self.load(db, inputs)
    }

    /// Whether the service has timers, which [`Service::sweep`] finds.
    const TIMERS: bool = false;

    /// Finds timers that became due before `until`, as inputs: at most a batch's worth. Runs every
    /// [`Service::SWEEP_EVERY`] in every replica, so the same timer may be found more than once.
    ///
    /// `until` is a time by the database's clock, in microseconds since the Unix epoch: the last moment up to
    /// which everything that the service hears is known to have been processed. It is some seconds
    /// behind the present, and does not move while Kafka is away or a backlog is worked off: what a timer
    /// waits for may be in there.
    fn sweep(
        &self,
        _db: &mut PgConnection,
        _until: i64,
    ) -> impl Future<Output = Result<Vec<Self::Input>, Failure>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Shows as gauges what can only be read from the rows, every few seconds in every replica. It must be cheap
    /// whatever the size of the tables: bounded, by an index.
    fn observe(
        &self,
        _db: &mut PgConnection,
    ) -> impl Future<Output = Result<Vec<Reading>, Failure>> + Send {
        async { Ok(Vec::new()) }
    }

    /// How often the sweep runs. A second is well under any deadline a customer notices.
    const SWEEP_EVERY: Duration = Duration::from_secs(1);
}

/// A service that calls somebody outside.
pub trait Calls: Service {
    /// The calls that are still open in the rows with these keys: asked for by a decision, and without an
    /// outcome. They are made again, with the same idempotency keys as before. This is how calls are found
    /// whose process died between the commit of the intent and the commit of the outcome.
    fn open_calls(
        &self,
        db: &mut PgConnection,
        keys: &[Uuid],
    ) -> impl Future<Output = Result<Vec<(Uuid, Self::Call)>, Failure>> + Send;
}

/// The present value of a gauge.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The gauge's name, its unit last.
    pub name: &'static str,
    /// Few and fixed: never an id.
    pub label: Option<(&'static str, &'static str)>,
    /// What it is now.
    pub value: f64,
}

/// The call of a service that calls nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NoCall {}

/// The event of a service that publishes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEvent {}

impl Events for NoEvent {
    const TOPIC: &'static str = "";
    const KEY: &'static str = "";
    const RECORDS: &'static [RecordInfo] = &[];

    fn record(&self) -> usize {
        match *self {}
    }

    fn key(&self) -> String {
        match *self {}
    }

    fn read<R: ReadRecord>(record: usize, _reader: R) -> Result<Self, R::Error> {
        panic!("nothing is published, so there is no record with index {record}")
    }

    fn write<W: WriteRecord>(&self, _writer: W) -> Result<W::Ok, W::Error> {
        match *self {}
    }
}

/// One topic that a service hears, and what each of its events asks of it.
pub trait Hears<E: Events>: Service {
    /// Records of the topic that never concern this service. They cost an offset: neither a row nor
    /// a decoded byte. Names are checked at start.
    const IGNORES: &'static [&'static str] = &[];

    /// Compensations and retriable steps. A batch that fails because of one of these is retried
    /// forever and holds its partition: dead-lettering it would keep a customer's money or goods. So is
    /// one that cannot be decoded or whose headers are wrong.
    const NEVER_DEAD_LETTERED: &'static [&'static str] = &[];

    /// What each record that is heard makes the service do, in one sentence: for whoever changes an event and asks
    /// who depends on it. Stands beside `hear`, so that both change together; names are checked at start.
    const ASKS: &'static [(&'static str, &'static str)] = &[];

    /// How a redelivery under the same event id is told apart from a new event.
    const DEDUPLICATION: Deduplication = Deduplication::Inbox;

    /// The event's own id, on a topic that outsiders write to with whatever their client provides: most
    /// serializers set no headers. Where `ce_id`, `ce_source` and `ce_type` are missing, this id, the
    /// topic and the schema's name are used instead; where they are present, they are checked. `None`, the
    /// default, demands all of them.
    fn id_of(_event: &E) -> Option<String> {
        None
    }

    /// Whether only the latest event of a key counts, so that each needs its number: a record whose
    /// header `ce_sequence` is missing or not a number from 1 on is a dead letter.
    const NUMBERED: bool = false;

    /// The input that an event becomes, or `None` when it asks nothing of this service. `sequence` is the
    /// event's number among those of its key, which says which of two is the later, independent of any clock; 0
    /// where the sender does not count and [`Hears::NUMBERED`] does not ask for it.
    fn hear(event: E, sequence: i64) -> Option<Self::Input>;
}

/// How a subscription makes sure that the same event has its effect once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deduplication {
    /// The event's id is inserted into the inbox in the transaction of its effect. The default.
    Inbox,
    /// `decide` changes nothing when it hears the same fact again under any id. It is the service's
    /// promise, proven by its tests; no row is written.
    Idempotent,
}

/// Somebody outside the fleet whom a service calls: a payment provider, a carrier.
pub trait Outside<S: Service>: Send + Sync + 'static {
    /// The name in logs and metrics.
    const NAME: &'static str;

    /// Makes one call and turns its outcome into an input. Called outside any transaction, after the
    /// commit of the intent. Anything but a known outcome is [`Unanswered`]: the same call is made
    /// again with the same idempotency key, after a pause. It was first asked for an `age` ago, or later:
    /// the callee may have forgotten the key by now.
    fn call(
        &self,
        call: S::Call,
        age: Duration,
    ) -> impl Future<Output = Result<S::Input, Unanswered>> + Send;
}

/// The outcome of a call is not known: a timeout, a broken connection, a server error.
#[derive(Debug, thiserror::Error)]
#[error("the outcome of the call is unknown")]
pub struct Unanswered(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl Unanswered {
    /// Wraps the error that hid the outcome.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Unanswered(source.into())
    }

    /// The call is refused, and will be the next time unless somebody does something about it. It is still
    /// made again. An adapter need not log it: the chassis does, once for each call.
    pub fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Unanswered::new(RefusedForGood(source.into()))
    }

    /// Whether it is refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.0.is::<RefusedForGood>()
    }
}

/// What [`Unanswered::refused`] wraps its error in.
#[derive(Debug, thiserror::Error)]
#[error("it is refused, and will be the next time")]
struct RefusedForGood(#[source] Box<dyn std::error::Error + Send + Sync>);
