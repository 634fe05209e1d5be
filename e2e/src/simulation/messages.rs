//! The messages under way in the simulation, and the order in which topics keep them.

use chassis::model::Fact;

use super::fleet::Reader;

/// Something under way to a service, or from it to the outside.
#[derive(Debug, Clone)]
pub enum Message {
    /// A record on its way from its topic to one of its readers.
    Record(Reader, Fact),
    /// What a customer or the clock asks of an order.
    ToOrder(usize, order::domain::Input),
    /// A call to the payment provider or to the carrier.
    Provider(usize, payment::domain::Call),
    Carrier(usize, shipping::domain::Call),
    /// What they answer.
    ToPayment(usize, payment::domain::Input),
    ToShipping(usize, shipping::domain::Input),
}

/// Who keeps a message in its place: the reader, the topic and the key. Calls and their outcomes keep no order.
pub(super) fn lane(message: &Message) -> Option<(Reader, &str, &str)> {
    match message {
        Message::Record(reader, fact) => Some((*reader, fact.topic(), &**fact.key())),
        Message::ToOrder(..)
        | Message::Provider(..)
        | Message::Carrier(..)
        | Message::ToPayment(..)
        | Message::ToShipping(..) => None,
    }
}
