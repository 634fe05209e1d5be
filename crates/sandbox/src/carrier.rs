//! The rules of the carrier, pure: where it delivers, and who wins when a booking and its
//! cancellation meet. The HTTP simulator and the in-process adapter both follow them.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::manner::Manner;

/// A destination that is not served (Antarctica).
pub const NOT_SERVED: &str = "AQ";
/// A destination that does not accept the goods (a code that ISO 3166 leaves to its users).
pub const NOT_ACCEPTED: &str = "XX";
/// A destination whose bookings take the configured slow latency (New Zealand), so that a
/// cancellation can win meanwhile.
pub const SLOW: &str = "NZ";
/// A destination whose booking is done although its first answer is lost (Trinidad and Tobago).
pub const TIMEOUT: &str = "TT";
/// A destination whose booking the carrier does not understand, however often it is sent: it refuses the
/// call and says nothing about the shipment (a code that ISO 3166 leaves to its users).
pub const NOT_UNDERSTOOD: &str = "ZZ";

/// What the carrier says to a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It delivers there.
    Accepted,
    /// It does not.
    Refused(Reason),
}

/// Why the carrier does not deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It does not go there.
    DestinationNotServed,
    /// The goods must not go there.
    GoodsNotAccepted,
}

/// What the carrier says to a destination, an ISO 3166 country code. Any other text is a place that is
/// not served.
pub fn outcome(destination: &str) -> Outcome {
    let is_code = destination.len() == 2 && destination.bytes().all(|b| b.is_ascii_uppercase());
    match destination {
        NOT_ACCEPTED => Outcome::Refused(Reason::GoodsNotAccepted),
        NOT_SERVED => Outcome::Refused(Reason::DestinationNotServed),
        _country if is_code => Outcome::Accepted,
        _unreadable => Outcome::Refused(Reason::DestinationNotServed),
    }
}

/// How the booking of a shipment to `destination` is answered. A cancellation is always answered at
/// once, so that it can overtake a slow booking.
pub fn manner(destination: &str) -> Manner {
    match destination {
        SLOW => Manner::Slow,
        TIMEOUT => Manner::LosesAnswer,
        _other => Manner::Prompt,
    }
}

/// The code under which the parcel of an order is tracked.
pub fn tracking_code(order: Uuid) -> String {
    format!("SBX{:X}", order.simple())
}

/// One order's shipment, as far as the carrier has heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parcel {
    /// Under way. Nothing stops it any more.
    Dispatched {
        /// Where to.
        destination: String,
    },
    /// The carrier does not deliver it.
    Refused {
        /// Where to.
        destination: String,
        /// Why not.
        reason: Reason,
    },
    /// It was cancelled before it was booked, so no booking will dispatch it.
    Cancelled,
}

/// A call that the carrier refuses. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCall {
    /// The shipment was booked before with another destination.
    #[error("the shipment was booked with destination {booked}")]
    OtherDestination {
        /// Where it was booked to.
        booked: String,
    },
    /// It does not understand the destination.
    #[error("the destination is not understood")]
    NotUnderstood,
}

impl Parcel {
    /// Books a shipment. Repeating the booking gives the same answer.
    pub fn book(known: Option<&Self>, destination: &str) -> Result<Self, RefusedCall> {
        match known {
            None if destination == NOT_UNDERSTOOD => Err(RefusedCall::NotUnderstood),
            None => Ok(match outcome(destination) {
                Outcome::Accepted => Self::Dispatched { destination: destination.into() },
                Outcome::Refused(reason) => {
                    Self::Refused { destination: destination.into(), reason }
                }
            }),
            Some(
                Self::Dispatched { destination: booked }
                | Self::Refused { destination: booked, .. },
            ) if booked != destination => {
                Err(RefusedCall::OtherDestination { booked: booked.clone() })
            }
            // The cancellation overtook the booking, and its sender relies on having the goods.
            Some(Self::Cancelled) => Ok(Self::Cancelled),
            Some(same @ (Self::Dispatched { .. } | Self::Refused { .. })) => Ok(same.clone()),
        }
    }

    /// Cancels a shipment, even one that has not been booked yet. One that is under way stays so.
    pub fn cancel(known: Option<&Self>) -> Self {
        known.cloned().unwrap_or(Self::Cancelled)
    }
}
