//! An order as a row: what decisions read of it, what is added to it, and what is written once.

use std::sync::Arc;

use chassis::{Column, Columns, Failure, Stored, Table};
use events::{OrderId, OrderLine, Shortage};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};

use super::StateColumns;
use super::load::money;
use crate::domain::{Facts, State};
use crate::history;
use crate::placement::{Place, Placed};
use crate::service::News;

/// One order.
#[derive(Debug, Clone)]
pub struct OrderState {
    pub facts: Facts,
    pub state: State,
    /// What the batch adds to the history.
    pub(crate) log: Vec<u8>,
    pub(crate) tracking_code: Option<String>,
    pub(crate) shortages: Option<Vec<Shortage>>,
    /// What is written once, where this batch places the order.
    pub(crate) new: Option<New>,
}

/// The columns of an order that are written once.
#[derive(Debug, Clone)]
pub(crate) struct New {
    pub place: Arc<Place>,
    pub placed: Arc<Placed>,
}

impl OrderState {
    /// An order as it is read.
    pub fn read(facts: Facts, state: State) -> Self {
        OrderState {
            facts,
            state,
            log: Vec::new(),
            tracking_code: None,
            shortages: None,
            new: None,
        }
    }

    /// The names of the events that the batch adds to the history, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &'static str> {
        history::entries(&self.log).map(|entry| entry.kind.event())
    }

    /// Keeps what an answer tells beyond the step.
    pub(crate) fn hear(&mut self, news: &News) {
        match news {
            News::None => {}
            News::Shortages(shortages) => self.shortages = Some(shortages.clone()),
            News::Tracking(code) => self.tracking_code = Some(code.clone()),
        }
    }
}

impl Stored for OrderState {
    type Key = OrderId;

    const TABLE: Table = Table {
        name: "orders",
        key: "order_id",
        is_dated: false,
        columns: &[
            Column::set("state"),
            Column::set("reason"),
            Column::set("stock_hold"),
            Column::set("payment_hold"),
            Column::append("history"),
            Column::keep("tracking_code").not_read(),
            Column::keep("shortages").not_read(),
            Column::once("total_minor"),
            Column::once("currency"),
            Column::once("destination"),
            Column::once("placed_at").not_read(),
            Column::once("customer_id"),
            Column::once("lines").not_read(),
        ],
    };

    fn read(row: &PgRow) -> Result<Self, Failure> {
        let columns = StateColumns {
            state: row.try_get("state")?,
            reason: row.try_get("reason")?,
            stock: row.try_get("stock_hold")?,
            payment: row.try_get("payment_hold")?,
        };
        let facts = Facts {
            id: OrderId(row.try_get("order_id")?),
            customer_id: row.try_get("customer_id")?,
            total: money(row.try_get("total_minor")?, row.try_get("currency")?)?,
            destination: row.try_get("destination")?,
        };
        Ok(OrderState::read(facts, columns.state()?))
    }

    fn write<'w>(columns: Columns<'w>, orders: &[&Self]) -> Columns<'w> {
        let mut values = Values::default();
        orders.iter().for_each(|order| values.push(order));
        columns
            .column("state", values.states)
            .column("reason", values.reasons)
            .column("stock_hold", values.stock_holds)
            .column("payment_hold", values.payment_holds)
            .column("history", values.histories)
            .column("tracking_code", values.tracking_codes)
            .column("shortages", values.shortages)
    }

    fn write_new<'w>(columns: Columns<'w>, orders: &[&Self]) -> Columns<'w> {
        let mut once = Once::default();
        orders.iter().for_each(|order| once.push(order));
        Self::write(columns, orders)
            .column("total_minor", once.totals)
            .column("currency", once.currencies)
            .column("destination", once.destinations)
            .column("placed_at", once.placed_at)
            .column("customer_id", once.customers)
            .column("lines", once.lines)
    }

    fn remembered(self) -> Option<Self> {
        let OrderState { facts, state, .. } = self;
        (!state.is_terminal()).then(|| OrderState::read(facts, state))
    }
}

/// The columns that every write of an order sets, column by column.
#[derive(Default)]
struct Values<'a> {
    states: Vec<i16>,
    reasons: Vec<Option<i16>>,
    stock_holds: Vec<Option<i16>>,
    payment_holds: Vec<Option<i16>>,
    histories: Vec<&'a [u8]>,
    tracking_codes: Vec<Option<&'a str>>,
    shortages: Vec<Option<Json<&'a [Shortage]>>>,
}

impl<'a> Values<'a> {
    fn push(&mut self, order: &'a OrderState) {
        let columns = StateColumns::of(&order.state);
        self.states.push(columns.state);
        self.reasons.push(columns.reason);
        self.stock_holds.push(columns.stock);
        self.payment_holds.push(columns.payment);
        self.histories.push(&order.log);
        self.tracking_codes.push(order.tracking_code.as_deref());
        self.shortages.push(order.shortages.as_deref().map(Json));
    }
}

/// The columns that are written once.
#[derive(Default)]
struct Once<'a> {
    totals: Vec<i64>,
    currencies: Vec<&'a str>,
    destinations: Vec<&'a str>,
    placed_at: Vec<DateTime<Utc>>,
    customers: Vec<&'a str>,
    lines: Vec<Json<&'a [OrderLine]>>,
}

impl<'a> Once<'a> {
    fn push(&mut self, order: &'a OrderState) {
        let New { place, placed } = order.new.as_ref().expect("an order begins by being placed");
        let placed_at = DateTime::from_timestamp_micros(placed.placed_at_micros);
        self.totals.push(placed.total.minor);
        self.currencies.push(placed.total.currency.as_str());
        self.destinations.push(&order.facts.destination);
        self.placed_at.push(placed_at.expect("the time of a batch"));
        self.customers.push(&place.customer_id);
        self.lines.push(Json(&placed.lines));
    }
}
