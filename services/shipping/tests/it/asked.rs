//! The carrier asked by tests, whichever adapter it is: a call, and the outcome that the domain hears.

use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::OrderId;
use shipping::Shipments;
use shipping::domain::{Call, Input};

pub(crate) trait Carrier: Outside<Shipments> {
    async fn book(&self, order: OrderId, destination: &str) -> Result<Input, Unanswered> {
        self.ask(Call::Book { order, destination: destination.to_owned() }).await
    }

    async fn cancel(&self, order: OrderId) -> Result<Input, Unanswered> {
        self.ask(Call::Cancel { order }).await
    }

    async fn ask(&self, call: Call) -> Result<Input, Unanswered> {
        self.call(call, Duration::ZERO).await.map(|answer| answer.input)
    }
}

impl<C: Outside<Shipments>> Carrier for C {}
