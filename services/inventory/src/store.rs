//! The rows of one batch in memory, between `load` and `save`. The SQL is in the submodules.

mod load;
mod reservations;
mod save;
mod view;

use std::collections::{BTreeMap, HashMap};

use events::Sku;
use uuid::Uuid;

use crate::domain::{Adjustment, Item, Shelf, State};

pub(crate) use load::Loading;
pub(crate) use save::save;
pub use view::{Listed, find, list};

/// What a batch of inputs touches.
#[derive(Clone)]
pub struct Rows {
    pub reservations: chassis::Rows<State>,
    pub stock: Stock,
    /// Adjustments of the batch's ids that were made, before or in this batch: SKU and delta.
    pub adjustments: HashMap<Uuid, (Sku, i64)>,
    new_adjustments: Vec<(Adjustment, i64)>,
}

impl Rows {
    /// The reservations of a batch, before anything else is loaded.
    pub fn of(reservations: chassis::Rows<State>) -> Self {
        Rows {
            reservations,
            stock: Stock::default(),
            adjustments: HashMap::new(),
            new_adjustments: Vec::new(),
        }
    }

    /// Remembers an adjustment that was made, for the ledger and for its next delivery.
    pub fn adjusted(&mut self, adjustment: &Adjustment, now_micros: i64) {
        let Adjustment { id, sku, delta, .. } = adjustment;
        self.stock.add_adjusted(sku, *delta, now_micros);
        self.adjustments.insert(*id, (sku.clone(), *delta));
        self.new_adjustments.push((adjustment.clone(), now_micros));
    }
}

/// The items of a batch.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    rows: BTreeMap<Sku, StockRow>,
    /// Whether nobody else can change them before this batch is committed.
    is_locked: bool,
}

/// One item.
#[derive(Debug, Clone)]
pub struct StockRow {
    item: Item,
    adjusted: i64,
    sequence: i64,
    /// The row as it is in the table; `None` when there is none.
    stored: Option<Figures>,
    /// Whether it was remembered instead of read for this batch.
    unread: bool,
    is_changed: bool,
    changed_at_micros: i64,
}

/// What a row is recognised by. Nothing in it changes without one of these: free units follow from them,
/// and a new name or price publishes an event.
#[derive(Debug, Clone, Copy)]
struct Figures {
    reserved: i64,
    shipped: i64,
    adjusted: i64,
    sequence: i64,
}

impl StockRow {
    /// A row as it is in the table.
    fn read(item: Item, adjusted: i64, sequence: i64) -> Self {
        let Item { reserved, shipped, .. } = item;
        let stored = Some(Figures { reserved, shipped, adjusted, sequence });
        let (unread, is_changed, changed_at_micros) = (false, false, 0);
        StockRow { item, adjusted, sequence, stored, unread, is_changed, changed_at_micros }
    }

    /// The row as it was written, if it was.
    fn written(self) -> Option<Self> {
        let StockRow { item, adjusted, sequence, is_changed, .. } = self;
        is_changed.then(|| StockRow { unread: true, ..StockRow::read(item, adjusted, sequence) })
    }
}

impl Stock {
    pub fn get(&self, sku: &Sku) -> Option<&Item> {
        self.rows.get(sku).map(|row| &row.item)
    }

    /// The item, which counts as changed from here on.
    pub fn get_mut(&mut self, sku: &Sku) -> Option<&mut Item> {
        let row = self.rows.get_mut(sku)?;
        row.is_changed = true;
        Some(&mut row.item)
    }

    /// Lists an item, new or changed.
    pub fn put(&mut self, sku: &Sku, item: Item, now_micros: i64) {
        let new = || StockRow { stored: None, ..StockRow::read(item.clone(), 0, 0) };
        let row = self.rows.entry(sku.clone()).or_insert_with(new);
        row.item = item;
        row.is_changed = true;
        row.changed_at_micros = now_micros;
    }

    /// The next number of the events about a SKU.
    pub fn next_sequence(&mut self, sku: &Sku, now_micros: i64) -> i64 {
        let row = self.rows.get_mut(sku).expect("only loaded items are told of");
        row.sequence += 1;
        row.is_changed = true;
        row.changed_at_micros = now_micros;
        row.sequence
    }

    fn add_adjusted(&mut self, sku: &Sku, delta: i64, now_micros: i64) {
        let row = self.rows.get_mut(sku).expect("only loaded items are adjusted");
        row.adjusted += delta;
        row.is_changed = true;
        row.changed_at_micros = now_micros;
    }

    /// The rows as they were written. Where they were locked, others write them too, and will have
    /// changed them before they are asked for again.
    pub fn written(self) -> impl Iterator<Item = (Sku, StockRow)> {
        let kept = if self.is_locked { BTreeMap::new() } else { self.rows };
        kept.into_iter().filter_map(|(sku, row)| Some((sku, row.written()?)))
    }
}

impl Shelf for Stock {
    fn item(&self, sku: &Sku) -> Option<&Item> {
        self.get(sku)
    }

    fn item_mut(&mut self, sku: &Sku) -> Option<&mut Item> {
        self.get_mut(sku)
    }
}
