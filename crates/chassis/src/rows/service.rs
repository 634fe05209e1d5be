//! A service whose whole work is one state for each key. It says what an input means for a state; loading,
//! remembering, numbering, publishing, calling and saving are up to the chassis.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use language::Events;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Keyed, Rows, Stored, Touched};
use crate::calls::settle::Settlement;
use crate::effects::Effects;
use crate::failure::Failure;
use crate::postgres::writes::Writes;
use crate::service::{Calls, NoCall, Service};

/// What an input means: the next state, what to tell the fleet and what to ask of the outside. A decision
/// that keeps the state publishes nothing and asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<S, E, C = NoCall> {
    /// The next state.
    pub state: S,
    /// What to publish, in this order.
    pub events: Vec<E>,
    /// Whom to call once that is committed.
    pub calls: Vec<C>,
}

impl<S: Clone, E, C> Decision<S, E, C> {
    /// Nothing changes.
    pub fn keep(state: &S) -> Self {
        Decision { state: state.clone(), events: Vec::new(), calls: Vec::new() }
    }
}

/// A service with one state for each key and nothing else. It is a [`Service`] and has [`Calls`].
pub trait KeyedService: Send + Sync + Sized + 'static {
    /// See [`Service::NAME`].
    const NAME: &'static str;
    /// The state of a key; the default is that of a key that was never heard of.
    type State: Stored + Default + Clone + Debug + PartialEq;
    /// What can happen to it.
    type Input: Clone + Send + Sync + 'static;
    /// What is published about it.
    type Event: Events + PartialEq;
    /// A call to the outside, see [`Service::Call`].
    type Call: Clone + Eq + Hash + Send + Sync + 'static;

    /// The rows that the service keeps.
    fn rows(&self) -> &Keyed<Self::State>;

    /// Decides what an input means. Pure: `now_micros` only dates events and has no part in the decision.
    fn decide(
        key: KeyOf<Self>,
        state: &Self::State,
        input: Self::Input,
        now_micros: i64,
    ) -> Decision<Self::State, Self::Event, Self::Call>;

    /// Whether a key nearly always begins with this input.
    fn begins(input: &Self::Input) -> bool;

    /// The call whose outcome a state waits for.
    fn open_call(key: KeyOf<Self>, state: &Self::State) -> Option<Self::Call>;

    /// The input that no event of a topic brings and of which this event of the service's own tells: what the outside
    /// answered. With it a decision can be made again (`<service> verify`). None where every event follows from
    /// those that were heard, as in a service that calls nobody.
    fn given(_said: &Self::Event) -> Option<Self::Input> {
        None
    }

    /// The service's own columns of its table `settlements`, all of them texts. Empty where operators settle
    /// nothing. Besides these, the table has the key, `settled_by`, `reason` and `settled_at`.
    const SETTLED: &'static [&'static str] = &[];

    /// The values of these columns: what an input says that an operator gave in place of the outside.
    fn settled(_input: &Self::Input) -> Vec<Option<&str>> {
        Vec::new()
    }
}

/// The key of such a service's state.
pub type KeyOf<P> = <<P as KeyedService>::State as Stored>::Key;

/// An input and the key that it is for.
#[derive(Debug, Clone)]
pub struct Addressed<K, I> {
    /// Whose state it may change.
    pub key: K,
    /// What happens.
    pub input: I,
    /// Who says so, if it is an operator in place of the outside.
    pub settled: Option<Arc<Settlement>>,
}

impl<K, I> Addressed<K, I> {
    /// What an event or the outside says.
    pub fn to(key: K, input: I) -> Self {
        Addressed { key, input, settled: None }
    }
}

/// What an operator said, about which key and when.
struct Settled<P: KeyedService> {
    key: KeyOf<P>,
    input: P::Input,
    settlement: Arc<Settlement>,
    at: DateTime<Utc>,
}

/// What the caller of a command is told.
#[derive(Debug)]
pub enum Reply<S> {
    /// For inputs that nobody waits for.
    Noted,
    /// What an operator said has taken effect.
    Settled,
    /// The state, given here, does not wait for what an operator said.
    NotAwaited(S),
}

/// What a batch touches.
pub struct Batch<P: KeyedService> {
    rows: Rows<P::State>,
    settled: Vec<Settled<P>>,
}

/// The rows of a batch as they were read, for benchmarks.
#[cfg(feature = "measuring")]
pub fn rows_of<P: KeyedService>(
    states: impl IntoIterator<Item = (KeyOf<P>, P::State)>,
) -> <P as Service>::Rows {
    let (absent, read): (Vec<_>, Vec<_>) =
        states.into_iter().partition(|(_, state)| *state == P::State::default());
    let mut rows = Rows::read_as(read);
    for (key, state) in absent {
        rows.rows.insert(key, super::Row::new(state, true));
    }
    Batch { rows, settled: Vec::new() }
}

#[cfg(feature = "model")]
impl<P: KeyedService> Batch<P> {
    /// The state of a key that was loaded.
    pub fn get(&self, key: KeyOf<P>) -> Option<&P::State> {
        self.rows.get(key)
    }
}

#[cfg(feature = "model")]
impl<P: KeyedService<State: Clone>> Clone for Batch<P> {
    /// Without what operators said, which is only ever written.
    fn clone(&self) -> Self {
        Batch { rows: self.rows.clone(), settled: Vec::new() }
    }
}

impl<P: KeyedService> Service for P {
    const NAME: &'static str = P::NAME;
    type Input = Addressed<KeyOf<P>, P::Input>;
    type Call = P::Call;
    type Reply = Reply<P::State>;
    type Rows = Batch<P>;

    async fn load(
        &self,
        db: &mut PgConnection,
        inputs: &[&Self::Input],
    ) -> Result<Batch<P>, Failure> {
        let touched = |to: &&Self::Input| Touched { key: to.key, begins: P::begins(&to.input) };
        let touched: Vec<_> = inputs.iter().map(touched).collect();
        let rows = self.rows().load(db, touched).await?;
        Ok(Batch { rows, settled: Vec::new() })
    }

    fn decide(
        &self,
        batch: &mut Batch<P>,
        Addressed { key, input, settled }: &Self::Input,
        effects: &mut Effects<P::Call>,
    ) -> Reply<P::State> {
        let now = effects.now_micros();
        let before = batch.rows.get(*key).expect("the rows of all inputs are loaded");
        let Decision { state, events, calls } = P::decide(*key, before, input.clone(), now);
        if state == *before {
            // Caught, and the input set aside: they would otherwise be lost silently.
            assert!(
                events.is_empty() && calls.is_empty(),
                "a decision that keeps its state tells and asks nothing"
            );
            return settled.as_ref().map_or(Reply::Noted, |_| Reply::NotAwaited(state));
        }
        batch.rows.enter(*key, state, &events, effects);
        calls.into_iter().for_each(|call| effects.call((*key).into(), call));
        let Some(settlement) = settled.clone() else { return Reply::Noted };
        let input = input.clone();
        let at = DateTime::from_timestamp_micros(now).unwrap_or_default();
        batch.settled.push(Settled { key: *key, input, settlement, at });
        Reply::Settled
    }

    fn save(&self, batch: &Batch<P>, writes: &mut Writes) -> Result<(), Failure> {
        batch.rows.save(writes)?;
        keep(&batch.settled, writes);
        Ok(())
    }

    fn committed(&self, batch: Batch<P>) {
        self.rows().committed(batch.rows);
    }
}

/// Records what operators said, for good: the table is only ever added to.
fn keep<P: KeyedService>(settled: &[Settled<P>], writes: &mut Writes) {
    if settled.is_empty() || P::SETTLED.is_empty() {
        return;
    }
    let (key, own) = (P::State::TABLE.key, P::SETTLED.join(", "));
    let said: Vec<Vec<Option<&str>>> = settled.iter().map(|s| P::settled(&s.input)).collect();
    let mut columns = writes
        .add_built(format!(
            "insert into settlements ({key}, settled_by, reason, settled_at, {own}) \
             select * from {{rows}} v"
        ))
        .each(key, settled, |s| -> Uuid { s.key.into() })
        .each("settled_by", settled, |s| &*s.settlement.by)
        .each("reason", settled, |s| &*s.settlement.reason)
        .each("settled_at", settled, |s| s.at);
    for (nth, name) in P::SETTLED.iter().enumerate() {
        columns = columns.each(name, &said, |said| said[nth]);
    }
    columns.expect(settled.len(), "settlements");
}

impl<P: KeyedService> Calls for P {
    async fn open_calls(
        &self,
        db: &mut PgConnection,
        keys: &[Uuid],
    ) -> Result<Vec<(Uuid, P::Call)>, Failure> {
        let states = self.rows().read(db, keys.iter().map(|key| KeyOf::<P>::from(*key))).await?;
        let open =
            |(key, state): (KeyOf<P>, P::State)| Some((key.into(), P::open_call(key, &state)?));
        Ok(states.into_iter().filter_map(open).collect())
    }
}
