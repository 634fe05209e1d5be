//! The carrier, as the service sees it: two calls, each of which may be made again under the same key.
//! Two adapters: over HTTP, and one in the process that is not built into what is shipped. Which one is
//! configuration.

mod http;
#[cfg(feature = "in-process")]
mod in_process;
mod settings;

use std::fmt;
use std::time::Duration;

use chassis::{Outside, Unanswered};
use events::{OrderId, RefusalReason};

use crate::domain::{self, Call};
use crate::shipments::{Input, Shipments};

pub use http::Http;
#[cfg(feature = "in-process")]
pub use in_process::InProcess;
pub use settings::{Configured, from_env};

/// Somebody who moves goods. Both calls answer how the shipment ended, whichever of them came first.
pub trait Carrier: Send + Sync + 'static {
    /// Books the shipment of an order.
    fn book(
        &self,
        order: OrderId,
        destination: &str,
    ) -> impl Future<Output = Result<Shipment, Unanswered>> + Send;

    /// Cancels it, unless it is under way; before it is booked, too.
    fn cancel(&self, order: OrderId) -> impl Future<Output = Result<Shipment, Unanswered>> + Send;
}

/// How a shipment ended at the carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shipment {
    /// Under way. Nothing stops it any more.
    Dispatched {
        /// Under which code it is tracked.
        tracking: String,
    },
    /// The carrier does not deliver it.
    Refused(RefusalReason),
    /// It will not be dispatched.
    Cancelled,
}

/// A step of a shipment: with the order, the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Book,
    Cancel,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Book => "book",
            Step::Cancel => "cancel",
        })
    }
}

/// Makes the calls that decisions ask for, through a carrier.
#[derive(Debug)]
pub struct Calls<C>(pub C);

impl<C: Carrier> Outside<Shipments> for Calls<C> {
    const NAME: &'static str = "carrier";

    async fn call(&self, call: Call, _age: Duration) -> Result<Input, Unanswered> {
        let Calls(carrier) = self;
        let (order, shipment) = match call {
            Call::Book { order, destination } => (order, carrier.book(order, &destination).await?),
            Call::Cancel { order } => (order, carrier.cancel(order).await?),
        };
        let input = match shipment {
            Shipment::Dispatched { tracking } => domain::Input::Dispatched { tracking },
            Shipment::Refused(reason) => domain::Input::Refused { reason },
            Shipment::Cancelled => domain::Input::Cancelled,
        };
        Ok(Input::to(order, input))
    }
}
