//! The rows of one batch in memory, between `load` and `save`. The SQL is in the submodules, one kind
//! of statement each.

mod columns;
mod load;
mod open;
mod orders;
mod overdue;
mod save;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use events::{OrderId, Sku};

use crate::placement::{Placed, Price};

pub(crate) use columns::{Reason, StateColumns, codes_of};
pub(crate) use load::load;
pub(crate) use open::{OpenOrders, OpenSearch};
pub(crate) use orders::New;
pub use orders::OrderState;
pub(crate) use overdue::OverdueSearch;
pub(crate) use save::save;
pub(crate) use view::{Filter, ListedRow, OrderRow, changed_since, end_of_stride, find, page};

/// Everything that a batch of inputs touches.
#[derive(Clone, Default)]
pub struct Rows {
    pub orders: chassis::Rows<OrderState>,
    /// What was answered under the idempotency keys of the batch.
    pub answered: HashMap<Arc<str>, Answered>,
    /// Whether keys of the batch are presumed new.
    pub presumed: bool,
    /// Whether a request was rejected, which writes nothing about its key.
    pub rejected: bool,
    pub prices: Prices,
    /// Orders that somebody told us about and nobody placed.
    pub strangers: Vec<OrderId>,
}

/// What was answered to a request to place an order.
#[derive(Debug, Clone)]
pub struct Answered {
    pub fingerprint: [u8; 32],
    pub placed: Arc<Placed>,
}

/// The part of the price list that a batch touches.
#[derive(Debug, Clone, Default)]
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
