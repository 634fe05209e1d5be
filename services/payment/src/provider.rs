//! The payment provider, as the service sees it: four calls, each of which may be made again under
//! the same key. Two adapters: over HTTP, and one in the process that is not built into what is shipped.
//! Which one is configuration.

mod http;
#[cfg(feature = "in-process")]
mod in_process;
mod settings;

use std::fmt;
use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::{DeclineReason, Money, OrderId};

use crate::domain::{self, Call};
use crate::payments::{Input, Payments};

pub use http::{Http, Memory};
#[cfg(feature = "in-process")]
pub use in_process::InProcess;
pub use settings::{Configured, from_env};

/// Somebody who moves money. A call that was already carried out is answered as the first time.
pub trait Provider: Send + Sync + 'static {
    /// Holds the amount, without taking it. The first time it was asked to is an `age` ago, or less.
    fn authorize(
        &self,
        order: OrderId,
        amount: Money,
        token: &str,
        age: Duration,
    ) -> impl Future<Output = Result<Authorization, Unanswered>> + Send;

    /// Takes what is held.
    fn capture(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> impl Future<Output = Result<(), Unanswered>> + Send;

    /// Lets go what is held.
    fn void(
        &self,
        order: OrderId,
        authorization: &str,
    ) -> impl Future<Output = Result<(), Unanswered>> + Send;

    /// Gives back what was taken.
    fn refund(
        &self,
        order: OrderId,
        authorization: &str,
        amount: Money,
    ) -> impl Future<Output = Result<(), Unanswered>> + Send;
}

/// The answer to an authorisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// The amount is held.
    Authorized {
        /// The provider's id of what it holds.
        id: String,
    },
    /// Nothing is held, and never will be.
    Declined(DeclineReason),
}

/// A step of a payment: with the order, the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Authorize,
    Capture,
    Void,
    Refund,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Authorize => "authorize",
            Step::Capture => "capture",
            Step::Void => "void",
            Step::Refund => "refund",
        })
    }
}

/// Makes the calls that decisions ask for, through a provider.
#[derive(Debug)]
pub struct Calls<P>(pub P);

impl<P: Provider> Outside<Payments> for Calls<P> {
    const NAME: &'static str = "payment-provider";

    async fn call(&self, call: Call, age: Duration) -> Result<Input, Unanswered> {
        let Calls(provider) = self;
        match call {
            Call::Authorize { order, amount, token } => {
                let input = match provider.authorize(order, amount, &token, age).await? {
                    Authorization::Authorized { id } => {
                        domain::Input::Authorized { authorization: id }
                    }
                    Authorization::Declined(reason) => domain::Input::Declined { reason },
                };
                Ok(Input::to(order, input))
            }
            Call::Capture { order, authorization, amount } => {
                provider.capture(order, &authorization, amount).await?;
                Ok(Input::to(order, domain::Input::Captured))
            }
            Call::Void { order, authorization } => {
                provider.void(order, &authorization).await?;
                Ok(Input::to(order, domain::Input::Voided))
            }
            Call::Refund { order, authorization, amount } => {
                provider.refund(order, &authorization, amount).await?;
                Ok(Input::to(order, domain::Input::Refunded))
            }
        }
    }
}
