//! The provider asked by tests, whichever adapter it is: a call, and the outcome that the domain hears.

use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::{Money, OrderId};
use payment::Payments;
use payment::domain::{Call, Input};

use crate::simulator::FRESH;

pub(crate) trait Provider: Outside<Payments> {
    async fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
        age: Duration,
    ) -> Result<Input, Unanswered> {
        self.ask(Call::Authorize { order, amount, token: token.to_owned() }, age).await
    }

    async fn capture(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<Input, Unanswered> {
        let authorization = authorization.to_owned();
        self.ask(Call::Capture { order, authorization, amount }, FRESH).await
    }

    async fn void(&self, order: OrderId, authorization: &str) -> Result<Input, Unanswered> {
        self.ask(Call::Void { order, authorization: authorization.to_owned() }, FRESH).await
    }

    async fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> Result<Input, Unanswered> {
        let authorization = authorization.to_owned();
        self.ask(Call::Refund { order, authorization, amount }, FRESH).await
    }

    async fn ask(&self, call: Call, age: Duration) -> Result<Input, Unanswered> {
        self.call(call, age).await.map(|answer| answer.input)
    }
}

impl<P: Outside<Payments>> Provider for P {}
