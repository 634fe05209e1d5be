//! The providers' own books against ours.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Rule;
use crate::audit::facts::{Facts, LedgerFact, OrderEnd};

pub(super) fn agree(facts: &Facts) -> Vec<Rule> {
    let Some(ledger) = &facts.ledger else { return Vec::new() };
    let money = |id: &Uuid| {
        let kept = ledger.kept_minor.get(id).copied().unwrap_or_default();
        let held = ledger.held_minor.get(id).copied().unwrap_or_default();
        let Some(order) = facts.orders.get(id) else {
            return (kept != 0 || held != 0).then(|| {
                format!("{id}, an unknown order: the provider keeps {kept}, holds {held}")
            });
        };
        let expected = if order.end == OrderEnd::Completed { order.total_minor } else { 0 };
        let fine = order.end == OrderEnd::Under || (kept == expected && held == 0);
        (!fine).then(|| format!("{id} is {:?}: the provider keeps {kept}, holds {held}", order.end))
    };
    let parcels = |id: &Uuid| {
        let dispatched = ledger.dispatched.get(id).copied().unwrap_or_default();
        let Some(order) = facts.orders.get(id) else {
            return dispatched
                .then(|| format!("{id}, an unknown order: the carrier has dispatched it"));
        };
        let fine = match order.end {
            OrderEnd::Under => true,
            OrderEnd::Completed | OrderEnd::Returned => dispatched,
            OrderEnd::Cancelled => !dispatched,
        };
        (!fine)
            .then(|| format!("{id} is {:?}: the carrier says dispatched: {dispatched}", order.end))
    };
    let all = everybodys(facts, ledger);
    vec![
        Rule::of("the payment provider's books agree", all.iter().map(|id| money(id))),
        Rule::of("the carrier's books agree", all.iter().map(|id| parcels(id))),
    ]
}

/// Every order that we or the providers know of.
fn everybodys<'a>(facts: &'a Facts, ledger: &'a LedgerFact) -> BTreeSet<&'a Uuid> {
    let theirs = ledger.kept_minor.keys().chain(ledger.held_minor.keys());
    facts.orders.keys().chain(theirs).chain(ledger.dispatched.keys()).collect()
}
