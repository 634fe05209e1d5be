//! What order charges against what inventory says.

use super::{Check, Rule};
use crate::audit::facts::{Facts, PriceFact};

/// The numbers of two prices show which is the later, so what order charges is judged at any moment. Only
/// that it has not heard the last may be corrected a moment later, unless it is past the event and still
/// charges something else.
pub(super) fn are_those_of_inventory(facts: &Facts) -> Rule {
    let latest = &facts.latest().stock;
    let items = facts.stock.iter().map(|(sku, item)| -> Check {
        let said = &item.price;
        let charged = facts.prices.get(sku);
        if charged == Some(said) {
            return Check::Holds;
        }
        let is_behind = |facts: &Facts| {
            let heard = facts.prices.get(sku).map_or(0, |charged| charged.sequence);
            heard < said.sequence
        };
        let is_past = facts.catalogue.passed.contains(&(sku.clone(), said.sequence));
        let will_not_hear = is_past && is_behind(facts.latest());
        if is_behind(facts) && facts.after.is_some() && !will_not_hear {
            return Check::Moving;
        }
        Check::Broken(difference(sku, said, charged))
    });
    let unknown = facts.prices.keys().filter(|sku| !latest.contains_key(*sku));
    let unknown = unknown
        .map(|sku| Check::Broken(format!("{sku}: order has a price, inventory no such item")));
    Rule::of("order charges the prices of inventory", items.chain(unknown))
}

fn difference(sku: &str, said: &PriceFact, charged: Option<&PriceFact>) -> String {
    let PriceFact { unit_minor, currency, sequence } = said;
    let said = format!("{sku}: inventory says {unit_minor} {currency} in event {sequence}");
    match charged {
        Some(PriceFact { unit_minor, currency, sequence }) => {
            format!("{said}, order charges {unit_minor} {currency} from event {sequence}")
        }
        None => format!("{said}, order has no price of it"),
    }
}
