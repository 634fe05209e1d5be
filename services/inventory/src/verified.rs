//! Inventory's decisions about orders made again from its topics (`inventory verify`). What was on the shelf when an
//! order came depends on all orders before it, of every partition, so it is taken from what was said: a reservation
//! found enough, and a refusal says how much there was. What the shelf became is for the audit to judge.

use std::collections::BTreeMap;

use chassis::{Step, Verified};
use events::{InventoryEvent, Money, Sku};

use crate::domain::{self, Item, Lines, MAX_STOCK, State};
use crate::service::{Input, Inventory};

impl Verified for Inventory {
    type Course = State;
    type Said = InventoryEvent;

    /// Prices and adjustments are about items.
    fn about(input: &Input) -> Option<String> {
        match input {
            Input::Order { order, .. } => Some(order.to_string()),
            Input::Set { .. } | Input::Adjust(_) => None,
        }
    }

    fn again(
        course: &State,
        input: &Input,
        next: Option<&InventoryEvent>,
        now_micros: i64,
    ) -> Step<State, InventoryEvent> {
        let Input::Order { order, step } = input else {
            return Step { course: course.clone(), said: Vec::new() };
        };
        let mut shelf = shelf(course, step, next);
        let decision = domain::decide(*order, course, step.clone(), &mut shelf, now_micros);
        Step { course: decision.state, said: decision.events }
    }

    /// Whatever is said about an order follows from what order said.
    fn given(_: &State, _: &InventoryEvent, _: i64) -> Option<Step<State, InventoryEvent>> {
        None
    }
}

/// The items that a decision may look at, with as many units as what was said next tells.
fn shelf(
    course: &State,
    step: &domain::Input,
    next: Option<&InventoryEvent>,
) -> BTreeMap<Sku, Item> {
    let of_step = match step {
        domain::Input::Placed { lines } => Some(lines),
        domain::Input::Cancelled | domain::Input::Shipped | domain::Input::Returned => None,
    };
    let of_course = match course {
        State::Reserved { lines } | State::Deducted { lines } => Some(lines),
        State::New | State::Rejected | State::Released | State::Returned => None,
    };
    let skus = of_step.into_iter().chain(of_course).flat_map(Lines::keys);
    let mut shelf: BTreeMap<Sku, Item> = skus.map(|sku| (sku.clone(), item(MAX_STOCK))).collect();
    if let Some(InventoryEvent::StockRejected(rejected)) = next {
        for shortage in &rejected.shortages {
            shelf.insert(shortage.sku.clone(), item(shortage.available.into()));
        }
    }
    shelf
}

/// An item of which so much is free, and enough of everything else. What it is called and costs decides nothing.
fn item(free: i64) -> Item {
    let currency = "EUR".parse().expect("it is one");
    let price = Money::new(0, currency);
    Item { name: String::new(), price, free, reserved: MAX_STOCK, shipped: MAX_STOCK }
}
