//! How events leave: a batch's messages are committed as one row of the outbox, and the relay publishes the rows
//! in their order.

pub(crate) mod outbox;
pub(crate) mod relay;
