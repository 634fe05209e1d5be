//! Every way that one order can go: any order of messages, a duplicate, a cancellation, a return.

use std::collections::BTreeSet;

use e2e::simulation::{Exploration, Luck, explore};

/// Goes every way, and checks where they end.
fn ends(luck: Luck, expected: &[&str]) -> Exploration {
    let found = explore(luck);
    if let Some(wrong) = &found.wrong {
        panic!("{wrong}");
    }
    let by_whom = ["Customer", "Overdue"].map(|who| format!("Cancelled {{ reason: {who} }}"));
    let expected: BTreeSet<String> =
        by_whom.into_iter().chain(expected.iter().map(|&end| end.to_owned())).collect();
    assert_eq!(found.ends, expected, "{luck:?}");
    assert!(found.states > 1_000, "{luck:?}: {} states prove little", found.states);
    found
}

#[test]
fn an_order_that_everybody_grants_is_completed_or_given_back_on_every_way() {
    let luck = Luck { in_stock: true, card_is_good: true, carrier_accepts: true };
    let found = ends(luck, &["Completed", "Returned"]);
    for what in [
        "tombstones of inventory",
        "tombstones of payment",
        "cancellations that won at the carrier",
        "cancellations that lost to the carrier",
        "commands rejected",
    ] {
        assert!(found.seen.contains(what), "{what} is not on any way: {:?}", found.seen);
    }
}

#[test]
fn an_order_that_somebody_refuses_is_given_back_on_every_way() {
    let (out, declined) =
        ("Cancelled { reason: OutOfStock }", "Cancelled { reason: PaymentDeclined }");
    let refused = "Cancelled { reason: ShipmentRefused }";
    for (in_stock, card_is_good, carrier_accepts, expected) in [
        (true, true, false, &[refused][..]),
        (true, false, true, &[declined]),
        (false, true, true, &[out]),
        (false, false, true, &[out, declined]),
    ] {
        ends(Luck { in_stock, card_is_good, carrier_accepts }, expected);
    }
}
