//! What happens to the stock that one order reserves. Pure: the clock and the database stay outside, so
//! that a test can take it through every possible order of events. The items themselves, which all
//! orders share, are in `items`.

mod items;

use std::collections::BTreeMap;

use events::{
    CatalogueEvent, InventoryEvent, OrderId, Shortage, Sku, StockLine, StockRejected,
    StockReleased, StockReserved, StockReturned,
};

pub use items::{
    Adjustment, Item, MAX_STOCK, NOTE_LENGTH_MAX, Rejection, Source, adjust, check_adjustment, set,
};

/// What one order takes: how many units of each SKU.
pub type Lines = BTreeMap<Sku, u32>;

/// Where an order's goods are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing has been heard of the order yet.
    #[default]
    New,
    /// Set aside for it.
    Reserved { lines: Lines },
    /// Not enough was free, so nothing was set aside.
    Rejected,
    /// Nothing is set aside any more. Also the tombstone of an order that was cancelled before it was
    /// heard of: a late `OrderPlaced` must not reserve.
    Released,
    /// Gone to the customer.
    Deducted { lines: Lines },
    /// Sent back by the customer, and free again.
    Returned,
}

/// What the order service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Placed { lines: Lines },
    Cancelled,
    Shipped,
    Returned,
}

/// The next state and what to tell the fleet. A decision that keeps the state says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub state: State,
    pub events: Vec<InventoryEvent>,
    /// What the decision means for the items that it moved.
    pub catalogue: Vec<CatalogueEvent>,
}

/// The items that a decision may move: those of the input's lines and those of the state's. They are the second
/// kind of row: shared by all orders, where a state belongs to one. So a decision moves them in place, and the
/// next one of the same batch finds them moved.
pub trait Shelf {
    /// The item of a SKU that exists.
    fn item(&self, sku: &Sku) -> Option<&Item>;
    /// The same, to be changed.
    fn item_mut(&mut self, sku: &Sku) -> Option<&mut Item>;
}

/// Decides what an input means, and moves units accordingly. `now_micros` dates the events and has no
/// part in the decision.
pub fn decide(
    order: OrderId,
    state: &State,
    input: Input,
    shelf: &mut impl Shelf,
    now_micros: i64,
) -> Decision {
    let (order_id, occurred_at) = (order, now_micros);
    match (input, state) {
        (Input::Placed { lines }, State::New) => place(order, lines, shelf, now_micros),
        // An order reserves at most once however often it is heard of, and never once it was
        // cancelled.
        (
            Input::Placed { .. },
            State::Reserved { .. }
            | State::Rejected
            | State::Released
            | State::Deducted { .. }
            | State::Returned,
        ) => Decision::keep(state),

        (Input::Cancelled, State::Reserved { lines }) => Decision {
            state: State::Released,
            events: vec![StockReleased { order_id, occurred_at }.into()],
            catalogue: move_units(lines, shelf, Item::release, now_micros),
        },
        // Said at once, because order waits for it and the `OrderPlaced` that was overtaken may never
        // come: an operator can drop it.
        (Input::Cancelled, State::New) => Decision {
            state: State::Released,
            events: vec![StockReleased { order_id, occurred_at }.into()],
            catalogue: Vec::new(),
        },
        // Nothing is held, and order knows that from `StockRejected` or `StockReleased`.
        (Input::Cancelled, State::Rejected | State::Released) => Decision::keep(state),
        // Order never cancels what it has shipped. These goods come back when they are returned.
        (Input::Cancelled, State::Deducted { .. } | State::Returned) => Decision::keep(state),

        // Nobody asks whether the goods are gone: the carrier has them.
        (Input::Shipped, State::Reserved { lines }) => Decision {
            state: State::Deducted { lines: lines.clone() },
            events: Vec::new(),
            catalogue: move_units(lines, shelf, Item::deduct, now_micros),
        },
        // Heard before, or overtaken by the return, which found the goods still reserved.
        (Input::Shipped, State::Deducted { .. } | State::Returned) => Decision::keep(state),
        // Order ships only what we reserved and never what it cancelled, so it has not said this.
        (Input::Shipped, State::New | State::Rejected | State::Released) => Decision::keep(state),

        (Input::Returned, State::Deducted { lines }) => Decision {
            state: State::Returned,
            events: vec![StockReturned { order_id, occurred_at }.into()],
            catalogue: move_units(lines, shelf, Item::take_back, now_micros),
        },
        // The `OrderShipped` that comes first was overtaken. When it comes it finds nothing to deduct.
        (Input::Returned, State::Reserved { lines }) => Decision {
            state: State::Returned,
            events: vec![StockReturned { order_id, occurred_at }.into()],
            catalogue: move_units(lines, shelf, Item::release, now_micros),
        },
        // Goods are taken back at most once.
        (Input::Returned, State::Returned) => Decision::keep(state),
        // Order takes back only what it shipped, so it has not said this.
        (Input::Returned, State::New | State::Rejected | State::Released) => Decision::keep(state),
    }
}

/// Reserves all lines or none.
fn place(order: OrderId, lines: Lines, shelf: &mut impl Shelf, now_micros: i64) -> Decision {
    let (order_id, occurred_at) = (order, now_micros);
    let shortages: Vec<Shortage> = lines
        .iter()
        .filter_map(|(sku, quantity)| {
            let (wanted, item) = (i64::from(*quantity), shelf.item(sku));
            item.is_none_or(|item| item.free < wanted).then(|| Shortage {
                sku: sku.clone(),
                requested: to_avro(wanted),
                available: to_avro(item.map_or(0, |item| item.free)),
            })
        })
        .collect();
    if !shortages.is_empty() {
        return Decision {
            state: State::Rejected,
            events: vec![StockRejected { order_id, shortages, occurred_at }.into()],
            catalogue: Vec::new(),
        };
    }
    let reserved = lines
        .iter()
        .map(|(sku, quantity)| StockLine {
            sku: sku.clone(),
            quantity: to_avro(i64::from(*quantity)),
        })
        .collect();
    Decision {
        events: vec![StockReserved { order_id, lines: reserved, occurred_at }.into()],
        catalogue: move_units(&lines, shelf, Item::reserve, now_micros),
        state: State::Reserved { lines },
    }
}

/// Moves the units of every line, and returns which items ran out or are available again.
fn move_units(
    lines: &Lines,
    shelf: &mut impl Shelf,
    movement: fn(&mut Item, i64),
    now_micros: i64,
) -> Vec<CatalogueEvent> {
    let mut told = Vec::new();
    for (sku, quantity) in lines {
        let item = shelf.item_mut(sku).expect("an item is never removed once it exists");
        let free_before = item.free;
        movement(item, i64::from(*quantity));
        told.extend(items::availability(sku, item, free_before, now_micros));
    }
    told
}

/// Counts are 32 bits wide in the published language. The largest stands for anything above it.
fn to_avro(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

impl Decision {
    fn keep(state: &State) -> Decision {
        Decision { state: state.clone(), events: Vec::new(), catalogue: Vec::new() }
    }
}

impl Shelf for BTreeMap<Sku, Item> {
    fn item(&self, sku: &Sku) -> Option<&Item> {
        self.get(sku)
    }

    fn item_mut(&mut self, sku: &Sku) -> Option<&mut Item> {
        self.get_mut(sku)
    }
}

#[cfg(test)]
mod tests;
