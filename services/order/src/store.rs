//! The rows of one batch in memory, between `load` and `save`. The SQL is in the submodules, one kind
//! of statement each.

mod columns;
mod load;
mod open;
mod overdue;
mod save;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use events::{OrderId, Shortage, Sku};

use crate::domain::{Facts, State};
use crate::placement::{Place, Placed, Price};
use crate::service::News;

pub(crate) use columns::{StateColumns, codes_of};
pub(crate) use load::load;
pub(crate) use open::{OpenOrders, OpenSearch};
pub(crate) use overdue::OverdueSearch;
pub(crate) use save::save;
pub(crate) use view::{Filter, ListedRow, OrderRow, changed_since, end_of_stride, find, page};

/// Everything that a batch of inputs touches.
#[derive(Debug, Default)]
pub struct Rows {
    pub orders: HashMap<OrderId, Row>,
    /// What was answered under the idempotency keys of the batch.
    pub answered: HashMap<Arc<str>, Answered>,
    /// Whether keys of the batch are presumed new.
    pub presumed: bool,
    /// Whether a request was refused, which writes nothing about its key.
    pub refused: bool,
    pub prices: Prices,
    /// Orders that somebody told us about and nobody placed.
    pub strangers: Vec<OrderId>,
}

/// One order.
#[derive(Debug)]
pub struct Row {
    pub facts: Facts,
    pub state: State,
    pub sequence: i64,
    pub version: i64,
    /// Whether it was not read for this batch: it is remembered, or presumed not to exist.
    pub unread: bool,
    /// Whether the batch changed it, so that it has to be written.
    pub changed: bool,
    /// What the batch adds to the history.
    pub log: Vec<u8>,
    pub tracking_code: Option<String>,
    pub shortages: Option<Vec<Shortage>>,
    pub new: Option<New>,
}

/// The columns of an order that are written once.
#[derive(Debug)]
pub struct New {
    pub place: Arc<Place>,
    pub placed: Arc<Placed>,
}

/// What was answered to a request to place an order.
#[derive(Debug)]
pub struct Answered {
    pub fingerprint: [u8; 32],
    pub placed: Arc<Placed>,
}

impl Row {
    /// A row as it is in the table.
    pub fn unchanged(facts: Facts, state: State, sequence: i64, version: i64) -> Self {
        Row {
            facts,
            state,
            sequence,
            version,
            unread: false,
            changed: false,
            log: Vec::new(),
            tracking_code: None,
            shortages: None,
            new: None,
        }
    }

    /// The row as it was written, if it was and more is to happen to it soon.
    pub fn written(self) -> Option<Self> {
        if !self.changed || self.state.is_terminal() {
            return None;
        }
        // An insert writes the version that the new row has, an update the next one.
        let version = if self.new.is_some() { self.version } else { self.version + 1 };
        let row = Row::unchanged(self.facts, self.state, self.sequence, version);
        Some(Row { unread: true, ..row })
    }

    /// Keeps what an answer tells beyond the step.
    pub fn hear(&mut self, news: &News) {
        match news {
            News::None => {}
            News::Shortages(shortages) => self.shortages = Some(shortages.clone()),
            News::Tracking(code) => self.tracking_code = Some(code.clone()),
        }
    }
}

/// The part of the price list that a batch touches.
#[derive(Debug, Default)]
pub struct Prices {
    listed: HashMap<Sku, Price>,
    changed: BTreeSet<Sku>,
}

impl Prices {
    /// The prices as of now, with the changes of this batch.
    pub fn listed(&self) -> &HashMap<Sku, Price> {
        &self.listed
    }

    /// Adds a price as it is in the table.
    pub fn list(&mut self, sku: Sku, price: Price) {
        self.listed.insert(sku, price);
    }

    /// Changes a price, unless this one or a newer one is known: events may be delivered late or again.
    pub fn change(&mut self, sku: &Sku, price: &Price) {
        let known = self.listed.get(sku);
        if known.is_some_and(|known| known.sequence >= price.sequence) {
            return;
        }
        self.listed.insert(sku.clone(), price.clone());
        self.changed.insert(sku.clone());
    }
}

#[cfg(test)]
pub(crate) mod tests;
