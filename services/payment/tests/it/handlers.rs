//! What each event of an order asks of payment.

use chassis::Hears;
use events::{
    CancelReason, CancellationCause, Events, Money, OrderCancellationRequested, OrderCancelled,
    OrderCompensated, OrderCompleted, OrderConfirmed, OrderEvent, OrderId, OrderPlaced,
    OrderReturned, OrderShipped,
};
use payment::Payments;
use payment::domain::Input;

use crate::simulator::eur;

#[test]
fn every_event_is_heard_or_ignored_by_name() {
    let order_id = OrderId::now();
    let Money { minor: total_minor, currency } = eur(1050);
    let occurred_at = 0;
    let payment_token = "tok_visa".to_owned();
    let (customer, lines) = ("c1", Vec::new());
    let placed = OrderPlaced {
        order_id,
        customer_id: customer.to_owned(),
        lines,
        total_minor,
        currency,
        payment_token: payment_token.clone(),
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
        (placed.into(), Some(Input::Placed { amount: eur(1050), token: payment_token })),
        (OrderConfirmed { order_id, destination, occurred_at }.into(), None),
        (OrderCancellationRequested { order_id, cause, occurred_at }.into(), None),
        (OrderCancelled { order_id, reason, occurred_at }.into(), Some(Input::Cancelled)),
        (
            OrderShipped { order_id, total_minor, currency, occurred_at }.into(),
            Some(Input::Shipped),
        ),
        (completed.into(), None),
        (OrderCompensated { order_id, occurred_at }.into(), None),
        (OrderReturned { order_id, customer_id, occurred_at }.into(), Some(Input::Returned)),
    ];
    assert_eq!(table.len(), OrderEvent::RECORDS.len());
    for (event, expected) in table {
        let name = OrderEvent::RECORDS[event.record()].name;
        let heard = Payments::hear(event, 1);
        assert_eq!(heard.as_ref().map(|to| to.key), expected.as_ref().map(|_| order_id));
        assert_eq!(heard.map(|to| to.input), expected, "{name}");
        let ignored = <Payments as Hears<OrderEvent>>::IGNORES.contains(&name);
        assert_eq!(ignored, expected.is_none(), "{name}");
    }
}
