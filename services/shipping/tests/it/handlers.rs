//! What each event of an order asks of shipping.

use chassis::Hears;
use events::{
    CancelReason, CancellationCause, Currency, Events, OrderCancellationRequested, OrderCancelled,
    OrderCompensated, OrderCompleted, OrderConfirmed, OrderEvent, OrderId, OrderPlaced,
    OrderReturned, OrderShipped,
};
use shipping::Shipments;
use shipping::domain::Input;

#[test]
fn every_event_is_heard_or_ignored_by_name() {
    let order_id = OrderId::now();
    let currency: Currency = "EUR".parse().unwrap();
    let (total_minor, occurred_at) = (1050, 0);
    let (customer, lines) = ("c1", Vec::new());
    let payment_token = "tok_visa".to_owned();
    let placed = OrderPlaced {
        order_id,
        customer_id: customer.to_owned(),
        lines,
        total_minor,
        currency,
        payment_token,
        occurred_at,
    };
    let destination = "DE".to_owned();
    let (cause, reason) = (CancellationCause::Customer, CancelReason::Customer);
    let customer_id = Some(customer.to_owned());
    let completed = OrderCompleted {
        order_id,
        customer_id: customer_id.clone(),
        total_minor,
        currency,
        occurred_at,
    };
    let table: [(OrderEvent, Option<Input>); 8] = [
        (placed.into(), None),
        (
            OrderConfirmed { order_id, destination: destination.clone(), occurred_at }.into(),
            Some(Input::Confirmed { destination }),
        ),
        (
            OrderCancellationRequested { order_id, cause, occurred_at }.into(),
            Some(Input::CancellationRequested),
        ),
        (OrderCancelled { order_id, reason, occurred_at }.into(), None),
        (OrderShipped { order_id, total_minor, currency, occurred_at }.into(), None),
        (completed.into(), None),
        (OrderCompensated { order_id, occurred_at }.into(), None),
        (OrderReturned { order_id, customer_id, occurred_at }.into(), None),
    ];
    assert_eq!(table.len(), OrderEvent::RECORDS.len());
    for (event, expected) in table {
        let name = OrderEvent::RECORDS[event.record()].name;
        let heard = Shipments::hear(event, 1);
        assert_eq!(heard.as_ref().map(|to| to.key), expected.as_ref().map(|_| order_id));
        assert_eq!(heard.map(|to| to.input), expected, "{name}");
        let ignored = <Shipments as Hears<OrderEvent>>::IGNORES.contains(&name);
        assert_eq!(ignored, expected.is_none(), "{name}");
    }
}
