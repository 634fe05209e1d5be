//! The rules, each a question about the facts.

mod topics;
mod prices;
mod providers;

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::facts::{Facts, Goods, Money, OrderEnd, OrderFact};

/// Examples of a broken rule that are shown.
const EXAMPLES_MAX: usize = 5;

/// A rule and its result.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// What it says.
    pub name: &'static str,
    /// How many things it was checked on.
    pub checked: u64,
    /// How many broke it.
    pub violations: u64,
    /// How many could not be judged, as they moved while they were read.
    pub moving: u64,
    /// Some that broke it.
    pub examples: Vec<String>,
    /// Whether it cannot be judged at all while something moves.
    #[serde(skip)]
    pub at_rest_only: bool,
}

/// The result for one thing.
enum Check {
    Holds,
    Broken(String),
    /// It moved while it was read.
    Moving,
}

impl From<Option<String>> for Check {
    fn from(broken: Option<String>) -> Self {
        broken.map_or(Check::Holds, Check::Broken)
    }
}

impl Rule {
    fn of<C: Into<Check>>(name: &'static str, checks: impl Iterator<Item = C>) -> Self {
        let mut rule = Rule {
            name,
            checked: 0,
            violations: 0,
            moving: 0,
            examples: Vec::new(),
            at_rest_only: false,
        };
        for check in checks {
            match check.into() {
                Check::Holds => rule.checked += 1,
                Check::Moving => rule.moving += 1,
                Check::Broken(example) => {
                    rule.checked += 1;
                    rule.violations += 1;
                    if rule.examples.len() < EXAMPLES_MAX {
                        rule.examples.push(example);
                    }
                }
            }
        }
        rule
    }

    fn at_rest_only(self) -> Self {
        Rule { at_rest_only: true, ..self }
    }
}

/// All rules.
pub fn all(facts: &Facts) -> Vec<Rule> {
    let mut rules = vec![
        every_order_has_ended(facts).at_rest_only(),
        money_follows_the_order(facts),
        captured_is_the_total_of_completed_orders(facts),
        goods_follow_the_order(facts),
        nothing_is_dispatched_for_an_order_that_is_not_completed(facts),
        nothing_is_held_without_an_order(facts),
        no_unit_is_lost(facts),
        counters_are_the_sum_of_reservations(facts),
        prices::are_those_of_inventory(facts),
        topics::everything_committed_is_published(facts).at_rest_only(),
        topics::sequences_are_complete(facts),
        topics::every_key_is_known(facts),
        topics::copies_are_identical(facts),
        topics::foreign_records_are_set_aside(facts).at_rest_only(),
        topics::the_catalogue_is_current(facts),
    ];
    rules.extend(providers::agree(facts));
    rules
}

fn every_order_has_ended(facts: &Facts) -> Rule {
    let check = |(id, order): (&Uuid, &OrderFact)| {
        (order.end == OrderEnd::Under).then(|| format!("{id} has not ended"))
    };
    Rule::of(
        "every order is completed or cancelled with everything given back",
        facts.orders.iter().map(check),
    )
}

fn money_follows_the_order(facts: &Facts) -> Rule {
    let check = |(id, order): (&Uuid, &OrderFact)| {
        let payment = facts.payments.get(id);
        let money = payment.map_or(Money::Nothing, |payment| payment.money);
        let amount = payment.map_or(0, |payment| payment.amount_minor);
        let is_right = amount == order.total_minor;
        let fine = match order.end {
            // Nothing but the total is ever asked for, however far the order is.
            _moved if !facts.is_settled(id) => match money == Money::Nothing || is_right {
                true => return Check::Moving,
                false => false,
            },
            OrderEnd::Under => return Check::Moving,
            OrderEnd::Completed => money == Money::Captured && is_right,
            OrderEnd::Cancelled => money == Money::Nothing,
            OrderEnd::Returned => money == Money::Refunded && is_right,
        };
        let broken = || {
            let (end, total) = (order.end, order.total_minor);
            format!("{id} ({total}) is {end:?}, but its money {money:?} ({amount})")
        };
        (!fine).then(broken).into()
    };
    Rule::of("an order's money is where its state says", facts.orders.iter().map(check))
}

fn captured_is_the_total_of_completed_orders(facts: &Facts) -> Rule {
    let judged = |id: &Uuid| facts.after.is_none() || facts.is_settled(id);
    let orders = facts.orders.iter().filter(|(id, _)| judged(id));
    let completed = orders.filter(|(_, order)| order.end == OrderEnd::Completed);
    let total: i128 = completed.map(|(_, order)| i128::from(order.total_minor)).sum();
    let payments = facts.payments.iter().filter(|(id, _)| judged(id));
    let captured = payments.filter(|(_, payment)| payment.money == Money::Captured);
    let captured: i128 = captured.map(|(_, payment)| i128::from(payment.amount_minor)).sum();
    let broken = (total != captured)
        .then(|| format!("completed orders cost {total}, but {captured} was captured"));
    Rule::of("captured less refunded is the total of completed orders", std::iter::once(broken))
}

fn goods_follow_the_order(facts: &Facts) -> Rule {
    let check = |(id, order): (&Uuid, &OrderFact)| {
        if !facts.is_settled(id) {
            return Check::Moving;
        }
        let goods = facts.reservations.get(id).map_or(Goods::Nothing, |r| r.goods);
        let expected = match order.end {
            OrderEnd::Under => return Check::Moving,
            // Nobody waits for inventory to deduct what has left.
            OrderEnd::Completed if goods == Goods::Reserved && facts.after.is_some() => {
                return Check::Moving;
            }
            OrderEnd::Completed => Goods::Deducted,
            OrderEnd::Cancelled => Goods::Nothing,
            OrderEnd::Returned => Goods::Returned,
        };
        let broken = || format!("{id} is {:?}, but its goods {goods:?}", order.end);
        (goods != expected).then(broken).into()
    };
    Rule::of("an order's goods are where its state says", facts.orders.iter().map(check))
}

fn nothing_is_dispatched_for_an_order_that_is_not_completed(facts: &Facts) -> Rule {
    let check = |(id, order): (&Uuid, &OrderFact)| {
        if !facts.is_settled(id) {
            return Check::Moving;
        }
        let dispatched = facts.shipments.get(id).and_then(|shipment| shipment.dispatched);
        let fine = match order.end {
            OrderEnd::Under => return Check::Moving,
            OrderEnd::Completed | OrderEnd::Returned => dispatched == Some(true),
            OrderEnd::Cancelled => dispatched != Some(true),
        };
        (!fine).then(|| format!("{id} is {:?}, dispatched: {dispatched:?}", order.end)).into()
    };
    Rule::of("completed orders are dispatched, and no others", facts.orders.iter().map(check))
}

fn nothing_is_held_without_an_order(facts: &Facts) -> Rule {
    let money = facts.payments.iter().map(|(id, p)| (id, "payment", p.money != Money::Nothing));
    let goods = facts
        .reservations
        .iter()
        .map(|(id, r)| (id, "reservation", matches!(r.goods, Goods::Reserved | Goods::Deducted)));
    let parcels =
        facts.shipments.iter().map(|(id, s)| (id, "shipment", s.dispatched == Some(true)));
    // Orders are committed before anybody hears of them, so those that were read last include all.
    let orders = &facts.latest().orders;
    let check = |(id, what, holds): (&Uuid, &str, bool)| {
        (holds && !orders.contains_key(id)).then(|| format!("a {what} of {id}, an unknown order"))
    };
    Rule::of(
        "nothing is held for an order that does not exist",
        money.chain(goods).chain(parcels).map(check),
    )
}

fn no_unit_is_lost(facts: &Facts) -> Rule {
    let check = |(sku, item): (&String, &super::facts::StockFact)| {
        let units = item.free + item.reserved + item.shipped;
        let fine = units == item.adjusted
            && item.adjusted == item.ledger
            && item.free >= 0
            && item.reserved >= 0
            && item.shipped >= 0;
        (!fine).then(|| {
            format!(
                "{sku}: free {} + reserved {} + shipped {}, adjusted {}, by the ledger {}",
                item.free, item.reserved, item.shipped, item.adjusted, item.ledger
            )
        })
    };
    Rule::of(
        "free, reserved and shipped units are the sum of all adjustments",
        facts.stock.iter().map(check),
    )
}

fn counters_are_the_sum_of_reservations(facts: &Facts) -> Rule {
    let mut sums: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for reservation in facts.reservations.values() {
        for (sku, quantity) in &reservation.lines {
            let (reserved, shipped) = sums.entry(sku).or_default();
            match reservation.goods {
                Goods::Reserved => *reserved += quantity,
                Goods::Deducted => *shipped += quantity,
                Goods::Nothing | Goods::Returned => {}
            }
        }
    }
    let check = |(sku, item): (&String, &super::facts::StockFact)| {
        let (reserved, shipped) = sums.get(sku.as_str()).copied().unwrap_or_default();
        (item.reserved != reserved || item.shipped != shipped).then(|| {
            format!(
                "{sku}: counters {}/{}, reservations {reserved}/{shipped}",
                item.reserved, item.shipped
            )
        })
    };
    Rule::of("an item's counters are the sums of its reservations", facts.stock.iter().map(check))
}

#[cfg(test)]
mod tests;
