//! The rules as sentences. All pairs of state and input are in `docs/transitions.md`.

use super::*;
use events::Money;

fn id() -> OrderId {
    OrderId(uuid::Uuid::from_u128(1))
}

fn sku(name: &str) -> Sku {
    Sku::new(name.to_owned()).unwrap()
}

fn shelf(items: &[(&str, i64)]) -> BTreeMap<Sku, Item> {
    let item = |free| Item {
        name: "item".to_owned(),
        price: Money::new(5, "EUR".parse().unwrap()),
        free,
        reserved: 0,
        shipped: 0,
    };
    items.iter().map(|(name, free)| (sku(name), item(*free))).collect()
}

fn placed(lines: &[(&str, u32)]) -> Input {
    Input::Placed { lines: lines.iter().map(|(name, n)| (sku(name), *n)).collect() }
}

/// Leads a reservation through inputs, each delivered twice; returns its state and what was said.
fn lead(
    shelf: &mut BTreeMap<Sku, Item>,
    inputs: impl IntoIterator<Item = Input>,
) -> (State, Vec<&'static str>) {
    use events::Events;
    let (mut state, mut said) = (State::New, Vec::new());
    for input in inputs {
        let first = decide(id(), &state, input.clone(), shelf, 7);
        let units = shelf.clone();
        let again = decide(id(), &first.state, input, shelf, 8);
        assert_eq!(
            (&again.state, &*shelf),
            (&first.state, &units),
            "hearing it again changes nothing"
        );
        assert!(
            again.events.is_empty() && again.catalogue.is_empty(),
            "and says nothing: {again:?}"
        );
        state = first.state;
        said.extend(first.events.iter().map(|event| InventoryEvent::RECORDS[event.record()].name));
        said.extend(
            first.catalogue.iter().map(|event| CatalogueEvent::RECORDS[event.record()].name),
        );
    }
    (state, said)
}

fn units(shelf: &BTreeMap<Sku, Item>, name: &str) -> (i64, i64, i64) {
    let item = &shelf[&sku(name)];
    (item.free, item.reserved, item.shipped)
}

#[test]
fn goods_are_reserved_deducted_and_taken_back() {
    let mut shelf = shelf(&[("a", 5)]);
    let (_, said) = lead(&mut shelf, [placed(&[("a", 2)])]);
    assert_eq!((said, units(&shelf, "a")), (vec!["StockReserved"], (3, 2, 0)));
    let mut shelf = super::tests::shelf(&[("a", 5)]);
    lead(&mut shelf, [placed(&[("a", 2)]), Input::Shipped]);
    assert_eq!(units(&shelf, "a"), (3, 0, 2));
    let mut shelf = super::tests::shelf(&[("a", 5)]);
    let (state, _) = lead(&mut shelf, [placed(&[("a", 2)]), Input::Shipped, Input::Returned]);
    assert_eq!((state, units(&shelf, "a")), (State::Returned, (5, 0, 0)));
}

#[test]
fn one_short_line_refuses_all_and_every_short_line_is_named() {
    let mut shelf = shelf(&[("a", 5), ("b", 1)]);
    let wanted = placed(&[("a", 2), ("b", 3), ("unknown", 1)]);
    let decision = decide(id(), &State::New, wanted, &mut shelf, 7);
    assert_eq!(decision.state, State::Rejected);
    let [InventoryEvent::StockRejected(rejected)] = decision.events.as_slice() else {
        panic!("{decision:?}")
    };
    let short: Vec<_> =
        rejected.shortages.iter().map(|s| (s.sku.as_str(), s.requested, s.available)).collect();
    assert_eq!(short, [("b", 3, 1), ("unknown", 1, 0)]);
    assert_eq!((units(&shelf, "a"), units(&shelf, "b")), ((5, 0, 0), (1, 0, 0)));
}

#[test]
fn an_order_that_was_cancelled_before_it_was_heard_of_reserves_nothing() {
    let mut shelf = shelf(&[("a", 5)]);
    let (state, said) = lead(&mut shelf, [Input::Cancelled, placed(&[("a", 1)])]);
    assert_eq!((state, said), (State::Released, vec!["StockReleased"]));
    assert_eq!(units(&shelf, "a"), (5, 0, 0));
}

#[test]
fn a_return_that_overtakes_its_shipment_loses_no_unit() {
    let mut shelf = shelf(&[("a", 5)]);
    let (state, _) = lead(&mut shelf, [placed(&[("a", 2)]), Input::Returned, Input::Shipped]);
    assert_eq!((state, units(&shelf, "a")), (State::Returned, (5, 0, 0)));
}

#[test]
fn the_last_free_unit_is_told_and_so_is_the_first_that_is_free_again() {
    let mut shelf = shelf(&[("a", 2)]);
    let (_, said) = lead(&mut shelf, [placed(&[("a", 2)]), Input::Cancelled]);
    let told = [
        "StockReserved",
        "InventoryDepleted",
        "StockItemChanged",
        "StockReleased",
        "StockItemChanged",
    ];
    assert_eq!(said, told, "the price stands last, for the compacted topic");
}

#[test]
fn an_adjustment_never_takes_more_than_is_free() {
    let mut shelf = shelf(&[("a", 2)]);
    let name = sku("a");
    assert_eq!(adjust(&name, shelf.get_mut(&name), -3, 7), Err(Rejection::NotEnough { free: 2 }));
    assert_eq!(adjust(&name, None, 1, 7), Err(Rejection::UnknownSku));
    assert_eq!(adjust(&name, shelf.get_mut(&name), MAX_STOCK, 7), Err(Rejection::TooMany));
    assert_eq!(adjust(&name, shelf.get_mut(&name), i64::MAX, 7), Err(Rejection::TooMany));
    assert!(adjust(&name, shelf.get_mut(&name), -2, 7).is_ok());
    assert_eq!(units(&shelf, "a"), (0, 0, 0));
}

#[test]
fn an_item_that_is_set_keeps_its_units_and_is_told_of_only_when_something_changed() {
    let euro = |minor| Money::new(minor, "EUR".parse().unwrap());
    let (tea, at) = (sku("tea"), 7);
    let told = |name: &str, price: i64, free| {
        let sku = sku("tea");
        let (name, currency) = (name.to_owned(), "EUR".parse().unwrap());
        vec![CatalogueEvent::from(events::StockItemChanged {
            sku,
            name,
            unit_price_minor: price,
            currency,
            free_quantity: free,
            occurred_at: 7,
        })]
    };
    let (new, said) = set(&tea, None, "Tea".to_owned(), euro(5), at);
    assert_eq!((new.free, new.reserved, new.shipped), (0, 0, 0));
    assert_eq!(said, told("Tea", 5, 0));

    let stocked = Item { free: 4, reserved: 2, shipped: 1, ..new };
    for (name, price) in [("Green tea", 5), ("Tea", 6)] {
        let (changed, said) = set(&tea, Some(&stocked), name.to_owned(), euro(price), at);
        let (name, price) = (name.to_owned(), euro(price));
        assert_eq!(said, told(&name, price.minor, 4));
        assert_eq!(changed, Item { name, price, ..stocked.clone() });
    }
    let (same, said) = set(&tea, Some(&stocked), "Tea".to_owned(), euro(5), at);
    assert_eq!((same, said), (stocked, vec![]));
}
