//! What is under way in the simulation: the messages, in which order topics keep them, and what each
//! answer is to the order service.

use events::{Events, InventoryEvent, OrderEvent, PaymentEvent, ShippingEvent};

/// Something under way to a service.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    ToOrder(usize, order::domain::Input),
    ToInventory(usize, inventory::domain::Input),
    ToPayment(usize, payment::domain::Input),
    ToShipping(usize, shipping::domain::Input),
    /// A call to the payment provider or to the carrier.
    Provider(usize, payment::domain::Call),
    Carrier(usize, shipping::domain::Call),
}

/// Who keeps a message in its place: the reader and the topic it comes from. Calls keep no order.
pub(super) fn lane(message: &Message) -> Option<(u8, usize, u8)> {
    match message {
        Message::ToInventory(number, _) => Some((1, *number, 0)),
        Message::ToPayment(number, input) => payment_lane(input).map(|topic| (2, *number, topic)),
        Message::ToShipping(number, input) => shipping_lane(input).map(|topic| (3, *number, topic)),
        Message::ToOrder(number, input) => order_lane(*input).map(|topic| (4, *number, topic)),
        Message::Provider(..) | Message::Carrier(..) => None,
    }
}

fn payment_lane(input: &payment::domain::Input) -> Option<u8> {
    use payment::domain::Input;
    match input {
        Input::Placed { .. } | Input::Cancelled | Input::Shipped | Input::Returned => Some(0),
        Input::Authorized { .. }
        | Input::Declined { .. }
        | Input::Voided
        | Input::Captured
        | Input::Refunded => None,
    }
}

fn shipping_lane(input: &shipping::domain::Input) -> Option<u8> {
    use shipping::domain::Input;
    match input {
        Input::Confirmed { .. } | Input::CancellationRequested => Some(0),
        Input::Dispatched { .. } | Input::Refused { .. } | Input::Cancelled => None,
    }
}

fn order_lane(input: order::domain::Input) -> Option<u8> {
    use order::domain::Input;
    match input {
        Input::StockReserved
        | Input::StockRejected
        | Input::StockReleased
        | Input::StockReturned => Some(1),
        Input::PaymentAuthorized
        | Input::PaymentDeclined
        | Input::PaymentVoided
        | Input::PaymentReceived
        | Input::PaymentRefunded => Some(2),
        Input::ShipmentDispatched | Input::ShipmentRefused | Input::ShipmentCancelled => Some(3),
        Input::Overdue | Input::Cancel | Input::Return => None,
    }
}

pub(super) fn answer_of_inventory(event: &InventoryEvent) -> order::domain::Input {
    match event {
        InventoryEvent::StockReserved(_) => order::domain::Input::StockReserved,
        InventoryEvent::StockRejected(_) => order::domain::Input::StockRejected,
        InventoryEvent::StockReleased(_) => order::domain::Input::StockReleased,
        InventoryEvent::StockReturned(_) => order::domain::Input::StockReturned,
    }
}

pub(super) fn answer_of_payment(event: &PaymentEvent) -> order::domain::Input {
    match event {
        PaymentEvent::PaymentAuthorized(_) => order::domain::Input::PaymentAuthorized,
        PaymentEvent::PaymentDeclined(_) => order::domain::Input::PaymentDeclined,
        PaymentEvent::PaymentVoided(_) => order::domain::Input::PaymentVoided,
        PaymentEvent::PaymentReceived(_) => order::domain::Input::PaymentReceived,
        PaymentEvent::PaymentRefunded(_) => order::domain::Input::PaymentRefunded,
    }
}

pub(super) fn answer_of_shipping(event: &ShippingEvent) -> order::domain::Input {
    match event {
        ShippingEvent::ShipmentDispatched(_) => order::domain::Input::ShipmentDispatched,
        ShippingEvent::ShipmentRefused(_) => order::domain::Input::ShipmentRefused,
        ShippingEvent::ShipmentCancelled(_) => order::domain::Input::ShipmentCancelled,
    }
}

pub(super) fn name(event: &OrderEvent) -> &'static str {
    OrderEvent::RECORDS[event.record()].name
}
