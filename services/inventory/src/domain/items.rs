//! The stock of one SKU, which all orders share: how units move between its places, how it is adjusted
//! from outside, and what the catalogue says about it. At all times, free + reserved + shipped is the sum
//! of all adjustments, and none of the three is negative.

use events::{CatalogueEvent, InventoryDepleted, Money, Sku, StockItemChanged};
use uuid::Uuid;

/// The most units of a SKU that can be free, far beyond any warehouse and far from overflow.
pub const MAX_STOCK: i64 = 1_000_000_000_000;

/// The longest note of an adjustment, in characters. It is kept for good.
pub const NOTE_LENGTH_MAX: usize = 500;

/// A stock item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub price: Money,
    /// Units that can be reserved.
    pub free: i64,
    /// Units set aside for orders.
    pub reserved: i64,
    /// Units gone to customers.
    pub shipped: i64,
}

/// A change of free units. Its id is the producer's: sent again, it counts once.
#[derive(Debug, Clone)]
pub struct Adjustment {
    pub id: Uuid,
    pub sku: Sku,
    pub delta: i64,
    pub note: String,
    pub source: Source,
}

/// Who adjusts: a caller is told why it is rejected, an event becomes a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Caller,
    Warehouse,
}

/// Why an item is not adjusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such item")]
    UnknownSku,
    #[error("only {free} units are free")]
    NotEnough { free: i64 },
    #[error("an item has at most {MAX_STOCK} free units")]
    TooMany,
    #[error("an adjustment is not 0, and at most {MAX_STOCK} units either way")]
    Delta,
    #[error("a note has at most {NOTE_LENGTH_MAX} characters, and no NUL among them")]
    Note,
}

/// Whether an adjustment is valid, whichever way it came: the database accepts neither an empty one nor
/// every text.
pub fn check_adjustment(delta: i64, note: &str) -> Result<(), Rejection> {
    if delta == 0 || delta.unsigned_abs() > MAX_STOCK.unsigned_abs() {
        return Err(Rejection::Delta);
    }
    // Bytes first: they are counted already, and a text of this many bytes has too many characters.
    let too_long = note.len() > 4 * NOTE_LENGTH_MAX || note.chars().count() > NOTE_LENGTH_MAX;
    if too_long || note.contains('\0') {
        return Err(Rejection::Note);
    }
    Ok(())
}

impl Item {
    pub(super) fn reserve(&mut self, units: i64) {
        self.free -= units;
        self.reserved += units;
    }

    pub(super) fn release(&mut self, units: i64) {
        self.reserved -= units;
        self.free += units;
    }

    pub(super) fn deduct(&mut self, units: i64) {
        self.reserved -= units;
        self.shipped += units;
    }

    pub(super) fn take_back(&mut self, units: i64) {
        self.shipped -= units;
        self.free += units;
    }
}

/// Someone counted, received or lost goods. Each adjustment must be applied only once: the caller keeps
/// the ids.
pub fn adjust(
    sku: &Sku,
    item: Option<&mut Item>,
    delta: i64,
    now_micros: i64,
) -> Result<Vec<CatalogueEvent>, Rejection> {
    let item = item.ok_or(Rejection::UnknownSku)?;
    let free = item.free.checked_add(delta).ok_or(Rejection::TooMany)?;
    // What is reserved is promised to orders, so only free units can go.
    if free < 0 {
        return Err(Rejection::NotEnough { free: item.free });
    }
    if free > MAX_STOCK && delta > 0 {
        return Err(Rejection::TooMany);
    }
    let free_before = item.free;
    item.free = free;
    let ran_out = (free_before > 0 && free == 0).then(|| depleted(sku, now_micros));
    let changed = (delta != 0).then(|| item.changed(sku, now_micros));
    Ok(ran_out.into_iter().chain(changed).collect())
}

/// Lists an item, new or not, under this name and at this price. Orders that were placed keep the
/// price that they were placed at.
pub fn set(
    sku: &Sku,
    item: Option<&Item>,
    name: String,
    price: Money,
    now_micros: i64,
) -> (Item, Vec<CatalogueEvent>) {
    let (free, reserved, shipped) =
        item.map_or((0, 0, 0), |item| (item.free, item.reserved, item.shipped));
    let listed = Item { name, price, free, reserved, shipped };
    let changed = (item != Some(&listed)).then(|| listed.changed(sku, now_micros));
    (listed, changed.into_iter().collect())
}

/// What the catalogue says when units of an item have moved: only whether there are any. The level is
/// not published.
pub(super) fn availability(
    sku: &Sku,
    item: &Item,
    free_before: i64,
    now_micros: i64,
) -> Vec<CatalogueEvent> {
    match (free_before > 0, item.free > 0) {
        // The topic is compacted: the second event keeps name and price for those who come later.
        (true, false) => vec![depleted(sku, now_micros), item.changed(sku, now_micros)],
        (false, true) => vec![item.changed(sku, now_micros)],
        (true, true) | (false, false) => Vec::new(),
    }
}

fn depleted(sku: &Sku, occurred_at: i64) -> CatalogueEvent {
    InventoryDepleted { sku: sku.clone(), occurred_at }.into()
}

impl Item {
    fn changed(&self, sku: &Sku, occurred_at: i64) -> CatalogueEvent {
        StockItemChanged {
            sku: sku.clone(),
            name: self.name.clone(),
            unit_price_minor: self.price.minor,
            currency: self.price.currency,
            free_quantity: self.free,
            occurred_at,
        }
        .into()
    }
}
