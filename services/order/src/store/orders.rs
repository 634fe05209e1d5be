//! An order as a row: what decisions read of it, what is added to it, and what is written once.

use std::sync::Arc;

use chassis::{Column, Columns, Failure, Stored, Table};
use events::{OrderId, Shortage};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{FromRow as _, Row as _};

use super::StateColumns;
use super::load::money;
use crate::domain::{Facts, State};
use crate::history;
use crate::placement::{PlaceOrder, Placed};
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
    pub place: Arc<PlaceOrder>,
    pub placed: Arc<Placed>,
}

impl New {
    fn placed_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.placed.placed_at_micros).expect("the time of a batch")
    }
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

    fn placing(&self) -> &New {
        self.new.as_ref().expect("an order begins by being placed")
    }

    /// Keeps what an answer says beyond the step.
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
        let state = StateColumns::from_row(row)?.state().map_err(Failure::permanent)?;
        let facts = Facts {
            id: OrderId(row.try_get("order_id")?),
            customer_id: row.try_get("customer_id")?,
            total: money(row.try_get("total_minor")?, row.try_get("currency")?)?,
            destination: row.try_get("destination")?,
        };
        Ok(OrderState::read(facts, state))
    }

    fn write<'w>(columns: Columns<'w>, orders: &[&Self]) -> Columns<'w> {
        let states: Vec<_> = orders.iter().map(|order| StateColumns::of(&order.state)).collect();
        columns
            .each("state", &states, |state| state.state)
            .each("reason", &states, |state| state.reason)
            .each("stock_hold", &states, |state| state.stock_hold)
            .each("payment_hold", &states, |state| state.payment_hold)
            .each("history", orders, |order| &*order.log)
            .each("tracking_code", orders, |order| order.tracking_code.as_deref())
            .each("shortages", orders, |order| order.shortages.as_deref().map(Json))
    }

    fn write_new<'w>(columns: Columns<'w>, orders: &[&Self]) -> Columns<'w> {
        Self::write(columns, orders)
            .each("total_minor", orders, |order| order.facts.total.minor)
            .each("currency", orders, |order| order.facts.total.currency.as_str())
            .each("destination", orders, |order| &*order.facts.destination)
            .each("placed_at", orders, |order| order.placing().placed_at())
            .each("customer_id", orders, |order| &*order.placing().place.customer_id)
            .each("lines", orders, |order| Json(&*order.placing().placed.lines))
    }

    fn remembered(self) -> Option<Self> {
        let OrderState { facts, state, .. } = self;
        (!state.is_terminal()).then(|| OrderState::read(facts, state))
    }
}
