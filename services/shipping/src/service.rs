//! The shipping service's work in the executor's terms: which rows a batch of inputs needs, what each
//! input does to them in memory, and what is written. The rules are in `domain`, the SQL in `store`.

use std::sync::Arc;

use chassis::{Calls, Effects, Failure, Presumed, Remembered, Service, Settlement, Writes};
use events::OrderId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{self, Call};
use crate::store::{self, Row, Rows};

/// The shipping service.
#[derive(Default)]
pub struct Shipments {
    remembered: Remembered<OrderId, Row>,
    presumed: Presumed<OrderId>,
}

/// Something that happens to the shipment of one order: an event, the carrier's answer, or what an
/// operator says in its place.
#[derive(Debug, Clone)]
pub struct Input {
    pub order: OrderId,
    pub step: domain::Input,
    /// Who says so, where it is not the carrier.
    pub settled: Option<Arc<Settlement>>,
}

impl Input {
    /// What an event or the carrier says.
    pub fn of(order: OrderId, step: domain::Input) -> Self {
        Input { order, step, settled: None }
    }
}

/// What the caller of a command is told.
#[derive(Debug)]
pub enum Reply {
    /// For inputs that nobody waits for.
    Noted,
    Settled,
    /// The shipment does not wait for this outcome.
    NotAwaited(domain::State),
}

impl Service for Shipments {
    const NAME: &'static str = "shipping";
    type Input = Input;
    type Call = Call;
    type Reply = Reply;
    type Rows = Rows;

    async fn load(&self, db: &mut PgConnection, inputs: &[&Input]) -> Result<Rows, Failure> {
        let mut ids = inputs.iter().map(|input| input.order).collect();
        let mut rows = self.remembered.take(&mut ids);
        let begins = |input: &&Input| matches!(input.step, domain::Input::Confirmed { .. });
        let begun = inputs.iter().copied().filter(begins).map(|input| input.order);
        let new = self.presumed.take(begun.filter(|id| !rows.contains_key(id)));
        rows.extend(new.into_iter().map(|id| (id, Row::presumed_new())));
        ids.retain(|id| !rows.contains_key(id));
        rows.extend(store::load(db, ids.into_iter().map(|id| id.0).collect()).await?);
        Ok(rows)
    }

    fn decide(&self, rows: &mut Rows, input: &Input, effects: &mut Effects<Call>) -> Reply {
        let now = effects.now_micros();
        let row = rows.entry(input.order).or_default();
        let decision = domain::decide(input.order, &row.state, input.step.clone(), now);
        if decision.state == row.state {
            return match input.settled {
                Some(_) => Reply::NotAwaited(decision.state),
                None => Reply::Noted,
            };
        }
        if let Some(settlement) = &input.settled {
            row.settled = Some((input.step.clone(), settlement.clone()));
        }
        row.enter(decision.state, now);
        for event in &decision.events {
            row.sequence += 1;
            effects.publish(row.sequence, event);
        }
        for call in decision.calls {
            effects.call(input.order.0, call);
        }
        effects.changed(input.order.0);
        input.settled.as_ref().map_or(Reply::Noted, |_| Reply::Settled)
    }

    fn save(&self, rows: &Rows, writes: &mut Writes) -> Result<(), Failure> {
        store::save(rows, writes)
    }

    fn committed(&self, rows: Rows) {
        self.presumed.settle();
        self.remembered.put(rows.into_iter().filter_map(|(id, row)| Some((id, row.written()?))));
    }
}

impl Calls for Shipments {
    async fn open_calls(
        &self,
        db: &mut PgConnection,
        keys: &[Uuid],
    ) -> Result<Vec<(Uuid, Call)>, Failure> {
        let rows = store::load(db, keys.to_vec()).await?;
        let open = |(order, row): (OrderId, Row)| Some((order.0, row.state.open_call(order)?));
        Ok(rows.into_iter().filter_map(open).collect())
    }
}
