//! What each event asks of the service.

use chassis::Hears;
use events::{Currency, OrderEvent, OrderId, OrderLine, OrderPlaced, OrderShipped, Sku};
use inventory::{Input, Inventory, domain};

fn sku(text: &str) -> Sku {
    Sku::new(text.to_owned()).unwrap()
}

#[test]
fn a_placed_order_asks_for_all_of_its_lines() {
    let line = |name: &str, quantity| OrderLine { sku: sku(name), quantity, unit_price_minor: 5 };
    let currency: Currency = "EUR".parse().unwrap();
    let placed = OrderPlaced {
        order_id: OrderId::now(),
        customer_id: "c".to_owned(),
        lines: vec![line("b", 2), line("a", 1)],
        total_minor: 15,
        currency,
        payment_token: "tok_visa".to_owned(),
        occurred_at: 1,
    };
    let Some(Input::Order { step: domain::Input::Placed { lines }, .. }) =
        Inventory::hear(OrderEvent::from(placed), 1)
    else {
        panic!("a placed order asks for a reservation")
    };
    assert_eq!(lines, domain::Lines::from([(sku("a"), 1), (sku("b"), 2)]));
}

#[test]
fn what_the_service_never_skips_is_what_it_acts_on_after_a_reservation() {
    let never = <Inventory as Hears<OrderEvent>>::NEVER_DEAD_LETTERED;
    assert_eq!(never, ["OrderCancelled", "OrderShipped", "OrderReturned"]);
    let shipped = OrderShipped {
        order_id: OrderId::now(),
        total_minor: 1,
        currency: "EUR".parse().unwrap(),
        occurred_at: 1,
    };
    let heard = Inventory::hear(OrderEvent::from(shipped), 2);
    assert!(matches!(heard, Some(Input::Order { step: domain::Input::Shipped, .. })));
}
