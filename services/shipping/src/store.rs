//! The rows of one batch in memory, between `load` and `save`. The SQL is in the submodules, one kind
//! of statement each.

mod columns;
mod load;
mod save;
mod settlements;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use chassis::Settlement;
use events::OrderId;

use crate::domain::{Input, State};

pub use load::load;
pub use save::save;
pub use view::{ShipmentRow, find};

/// The shipments that a batch of inputs touches. An order that was never heard of is `State::New`, and
/// becomes a row when it leaves that state.
pub type Rows = HashMap<OrderId, Row>;

/// One shipment.
#[derive(Debug)]
pub struct Row {
    pub state: State,
    /// How many events were published about it.
    pub sequence: i64,
    /// Of the row as it was loaded; 0 when there is none.
    version: i64,
    /// Whether it was not read for this batch: it is remembered, or presumed not to exist.
    unread: bool,
    /// When this batch changed it, if it did.
    changed_at_micros: Option<i64>,
    /// What an operator said in this batch in place of the carrier. There is one answer to a shipment, so
    /// there is one of it.
    pub settled: Option<(Input, Arc<Settlement>)>,
}

impl Default for Row {
    fn default() -> Self {
        Row::unchanged(State::New, 0, 0)
    }
}

impl Row {
    /// The row of an order that is presumed to be heard of for the first time.
    pub fn presumed_new() -> Self {
        Row { unread: true, ..Row::default() }
    }

    /// A row as it is in the table.
    pub fn unchanged(state: State, sequence: i64, version: i64) -> Self {
        let (unread, changed_at_micros, settled) = (false, None, None);
        Row { state, sequence, version, unread, changed_at_micros, settled }
    }

    /// Moves the shipment to another state.
    pub fn enter(&mut self, state: State, now_micros: i64) {
        self.state = state;
        self.changed_at_micros = Some(now_micros);
    }

    /// The row as it was written, if it was and more is to happen to it soon.
    pub fn written(self) -> Option<Self> {
        self.changed_at_micros.filter(|_| self.state.is_under_way())?;
        let Row { state, sequence, version, .. } = self;
        Some(Row { unread: true, ..Row::unchanged(state, sequence, version + 1) })
    }
}
