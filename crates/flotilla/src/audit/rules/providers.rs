//! The providers' own books against ours.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Check, Rule};
use crate::audit::facts::{Facts, LedgerFact, OrderEnd};

pub(super) fn agree(facts: &Facts) -> Vec<Rule> {
    let Some(ledger) = &facts.ledger else { return Vec::new() };
    // A provider hears of an order after it is committed, so the orders that were read last include all.
    let orders = &facts.latest().orders;
    let money = |id: &Uuid| -> Check {
        let kept = ledger.kept_minor.get(id).copied().unwrap_or_default();
        let held = ledger.held_minor.get(id).copied().unwrap_or_default();
        let Some(order) = orders.get(id) else {
            let broken =
                || format!("{id}, an unknown order: the provider keeps {kept}, holds {held}");
            return (kept != 0 || held != 0).then(broken).into();
        };
        // Nothing but the total is ever asked for, and never twice, however far the order is.
        if !facts.is_settled(id) && kept + held <= order.total_minor {
            return Check::Moving;
        }
        // An operator knows of money that this provider does not have. Nothing explains too much of it.
        if facts.payments_by_hand.contains(id) && kept + held <= order.total_minor {
            return Check::Holds;
        }
        let expected = if order.end == OrderEnd::Completed { order.total_minor } else { 0 };
        let broken = || {
            let (end, total) = (order.end, order.total_minor);
            format!("{id} ({total}) is {end:?}: the provider keeps {kept}, holds {held}")
        };
        (kept != expected || held != 0).then(broken).into()
    };
    let parcels = |id: &Uuid| -> Check {
        let dispatched = ledger.dispatched.get(id).copied().unwrap_or_default();
        let Some(order) = orders.get(id) else {
            let broken = || format!("{id}, an unknown order: the carrier has dispatched it");
            return dispatched.then(broken).into();
        };
        if !facts.is_settled(id) {
            return Check::Moving;
        }
        // An operator knows of a parcel that was sent another way. Nothing explains one too many.
        if facts.shipments_by_hand.contains(id) && !dispatched {
            return Check::Holds;
        }
        let fine = match order.end {
            OrderEnd::Under => return Check::Moving,
            OrderEnd::Completed | OrderEnd::Returned => dispatched,
            OrderEnd::Cancelled => !dispatched,
        };
        let broken =
            || format!("{id} is {:?}: the carrier says dispatched: {dispatched}", order.end);
        (!fine).then(broken).into()
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
