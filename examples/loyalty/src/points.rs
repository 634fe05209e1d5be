//! The service in the chassis' terms: what it hears, what that asks of the domain, and how a state is stored.

use chassis::{
    Addressed, Column, Columns, Deduplication, Failure, Hears, Keyed, KeyedService, NoCall, Stored,
    Table,
};
use events::{OrderEvent, OrderId};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use crate::domain::{self, Decision, State};
use crate::language::LoyaltyEvent;

/// The loyalty service.
#[derive(Default)]
pub struct Points {
    rows: Keyed<State>,
}

impl KeyedService for Points {
    const NAME: &'static str = "loyalty";
    type State = State;
    type Input = domain::Input;
    type Event = LoyaltyEvent;
    type Call = NoCall;

    fn rows(&self) -> &Keyed<State> {
        &self.rows
    }

    fn decide(order: OrderId, state: &State, input: domain::Input, now_micros: i64) -> Decision {
        domain::decide(order, state, input, now_micros)
    }

    fn begins(input: &domain::Input) -> bool {
        matches!(input, domain::Input::Completed { .. })
    }

    fn open_call(_order: OrderId, _state: &State) -> Option<NoCall> {
        None
    }
}

/// Idempotent: `domain::decide` changes nothing when it hears a fact again.
impl Hears<OrderEvent> for Points {
    const DEDUPLICATION: Deduplication = Deduplication::Idempotent;

    const IGNORES: &'static [&'static str] = &[
        "OrderPlaced",
        "OrderConfirmed",
        "OrderCancellationRequested",
        "OrderCancelled",
        "OrderShipped",
        "OrderCompensated",
    ];

    /// Without it, a customer would keep the points of goods that were sent back.
    const NEVER_DEAD_LETTERED: &'static [&'static str] = &["OrderReturned"];

    const ASKS: &'static [(&'static str, &'static str)] = &[
        ("OrderCompleted", "Gives the customer points for the total."),
        ("OrderReturned", "Takes the points of the order back."),
    ];

    fn hear(event: OrderEvent, _sequence: i64) -> Option<Addressed<OrderId, domain::Input>> {
        let order = *event.order_id();
        let input = match event {
            OrderEvent::OrderCompleted(e) => domain::Input::Completed {
                // An order completed before events named the customer earns nobody any points.
                customer: e.customer_id?,
                total_minor: e.total_minor,
            },
            OrderEvent::OrderReturned(_) => domain::Input::Returned,
            OrderEvent::OrderPlaced(_)
            | OrderEvent::OrderConfirmed(_)
            | OrderEvent::OrderCancellationRequested(_)
            | OrderEvent::OrderCancelled(_)
            | OrderEvent::OrderShipped(_)
            | OrderEvent::OrderCompensated(_) => return None,
        };
        Some(Addressed::to(order, input))
    }
}

// Existing databases contain the numbers of the states; a state that goes away leaves a gap.
const GRANTED: i16 = 1;
const TAKEN_BACK: i16 = 2;

impl Stored for State {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "order_points",
        key: "order_id",
        is_dated: true,
        columns: &[Column::set("state"), Column::keep("customer_id"), Column::set("points")],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        match row.try_get("state")? {
            GRANTED => Ok(State::Granted {
                customer: row.try_get("customer_id")?,
                points: row.try_get("points")?,
            }),
            TAKEN_BACK => Ok(State::TakenBack),
            unknown => Err(Failure::permanent(UnknownState(unknown))),
        }
    }

    fn write<'w>(columns: Columns<'w>, states: &[&Self]) -> Columns<'w> {
        let (mut codes, mut customers, mut points) = (Vec::new(), Vec::new(), Vec::new());
        for state in states {
            let (code, customer, has) = match state {
                State::New => unreachable!("nothing leads back to a state without a row"),
                State::Granted { customer, points } => (GRANTED, Some(&**customer), *points),
                State::TakenBack => (TAKEN_BACK, None, 0),
            };
            codes.push(code);
            customers.push(customer);
            points.push(has);
        }
        columns.column("state", codes).column("customer_id", customers).column("points", points)
    }

    /// If anything follows, it is a return, days later.
    fn remembered(self) -> Option<Self> {
        None
    }
}

/// A row that no version of this service can have written.
#[derive(Debug, thiserror::Error)]
#[error("points in state {0}, which there is not")]
struct UnknownState(i16);

/// The points of a customer; none for an unknown one.
pub async fn of_customer(db: impl PgExecutor<'_>, customer: &str) -> Result<i64, sqlx::Error> {
    let sum = "select coalesce(sum(points), 0)::bigint from order_points where customer_id = $1";
    sqlx::query_scalar(sum).bind(customer).fetch_one(db).await
}
