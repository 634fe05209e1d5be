//! The service in the chassis' terms: what it hears, what that asks of the domain, and how a state is stored.

use chassis::{
    Addressed, Column, Columns, Deduplication, Failure, Hears, Keyed, KeyedService, NoCall, Stored,
    Table,
};
use events::{OrderEvent, OrderId};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::domain::{self, Decision, Input, State};
use crate::language::SproutEvent;

/// The service.
#[derive(Default)]
pub struct Sprout {
    rows: Keyed<State>,
}

impl KeyedService for Sprout {
    const NAME: &'static str = "sprout";
    type State = State;
    type Input = Input;
    type Event = SproutEvent;
    type Call = NoCall;

    fn rows(&self) -> &Keyed<State> {
        &self.rows
    }

    fn decide(order: OrderId, state: &State, input: Input, now_micros: i64) -> Decision {
        domain::decide(order, state, input, now_micros)
    }

    fn begins(input: &Input) -> bool {
        matches!(input, Input::OrderPlaced)
    }

    fn open_call(_order: OrderId, _state: &State) -> Option<NoCall> {
        None
    }
}

/// Idempotent: `domain::decide` changes nothing when it hears a fact again.
impl Hears<OrderEvent> for Sprout {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Addressed<OrderId, Input>> {
        let order = *event.order_id();
        let input = match event {
            OrderEvent::OrderPlaced(_) => Input::OrderPlaced,
            OrderEvent::OrderConfirmed(_) => Input::OrderConfirmed,
            OrderEvent::OrderCancellationRequested(_) => Input::OrderCancellationRequested,
            OrderEvent::OrderCancelled(_) => Input::OrderCancelled,
            OrderEvent::OrderShipped(_) => Input::OrderShipped,
            OrderEvent::OrderCompleted(_) => Input::OrderCompleted,
            OrderEvent::OrderCompensated(_) => Input::OrderCompensated,
            OrderEvent::OrderReturned(_) => Input::OrderReturned,
        };
        Some(Addressed::to(order, input))
    }
}

/// The number of [`State::Noted`] in every database; a number is never given to another state.
const NOTED: i16 = 1;

impl Stored for State {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "sprout_orders",
        key: "order_id",
        is_dated: true,
        columns: &[Column::set("state")],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        match row.try_get("state")? {
            NOTED => Ok(State::Noted),
            unknown => Err(Failure::permanent(UnknownState(unknown))),
        }
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let codes = states.iter().map(|state| match state {
            State::New => unreachable!("nothing leads back to a state without a row"),
            State::Noted => NOTED,
        });
        columns.column("state", codes.collect::<Vec<i16>>())
    }
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("state {0} is none of this service's")]
struct UnknownState(i16);
