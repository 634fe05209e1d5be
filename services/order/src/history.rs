//! An order's own log, kept in its row: nine bytes an entry, appended by the update that the step
//! needs anyway. A row per entry would cost more than everything else that the step does.

use events::{
    CancelReason, CancellationCause, DeclineReason, InventoryEvent, OrderEvent, PaymentEvent,
    RefusalReason, ShippingEvent,
};

/// One byte of what happened and eight of when.
pub(crate) const ENTRY_BYTES: usize = 9;

/// Something that happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub at_micros: i64,
}

/// Adds an entry to a log.
pub(crate) fn append(log: &mut Vec<u8>, kind: Kind, at_micros: i64) {
    log.push(kind as u8);
    log.extend_from_slice(&at_micros.to_be_bytes());
}

/// The entries of a log, oldest first. Entries that a newer release wrote and this one does not know are
/// left out, so that a release can be rolled back.
pub(crate) fn entries(log: &[u8]) -> impl DoubleEndedIterator<Item = Entry> + '_ {
    log.chunks_exact(ENTRY_BYTES).filter_map(|entry| {
        let (code, at) = entry.split_first()?;
        Some(Entry {
            kind: Kind::from_code(*code)?,
            at_micros: i64::from_be_bytes(at.try_into().ok()?),
        })
    })
}

/// One line per kind: the stored code, which is never given another meaning, the name of the event,
/// and what distinguishes it from others of that name.
macro_rules! kinds {
    ($($code:literal $Kind:ident = $event:literal $detail:literal;)+) => {
        /// What happened, and why where there are several reasons.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind { $($Kind = $code),+ }

        impl Kind {
            #[cfg(test)]
            const ALL: &[Kind] = &[$(Kind::$Kind),+];

            fn from_code(code: u8) -> Option<Kind> {
                match code {
                    $($code => Some(Kind::$Kind),)+
                    _newer => None,
                }
            }

            /// The name of the event.
            pub fn event(self) -> &'static str {
                match self { $(Kind::$Kind => $event),+ }
            }

            /// The reason that the event gives, or nothing.
            pub fn detail(self) -> Option<&'static str> {
                let detail = match self { $(Kind::$Kind => $detail),+ };
                (!detail.is_empty()).then_some(detail)
            }
        }
    };
}

kinds! {
    1 Placed = "OrderPlaced" "";
    2 Confirmed = "OrderConfirmed" "";
    3 CancellationRequested = "OrderCancellationRequested" "UNKNOWN";
    4 CancellationRequestedByCustomer = "OrderCancellationRequested" "CUSTOMER";
    5 CancellationRequestedOverdue = "OrderCancellationRequested" "OVERDUE";
    6 Cancelled = "OrderCancelled" "UNKNOWN";
    7 CancelledOutOfStock = "OrderCancelled" "OUT_OF_STOCK";
    8 CancelledPaymentDeclined = "OrderCancelled" "PAYMENT_DECLINED";
    9 CancelledShipmentRefused = "OrderCancelled" "SHIPMENT_REFUSED";
    10 CancelledByCustomer = "OrderCancelled" "CUSTOMER";
    11 CancelledOverdue = "OrderCancelled" "OVERDUE";
    12 Shipped = "OrderShipped" "";
    13 Completed = "OrderCompleted" "";
    14 Compensated = "OrderCompensated" "";
    15 Returned = "OrderReturned" "";
    32 StockReserved = "StockReserved" "";
    33 StockRejected = "StockRejected" "";
    34 StockReleased = "StockReleased" "";
    35 StockReturned = "StockReturned" "";
    48 PaymentAuthorized = "PaymentAuthorized" "";
    49 PaymentDeclined = "PaymentDeclined" "UNKNOWN";
    50 PaymentDeclinedCard = "PaymentDeclined" "CARD_DECLINED";
    51 PaymentDeclinedFunds = "PaymentDeclined" "INSUFFICIENT_FUNDS";
    52 PaymentDeclinedExpired = "PaymentDeclined" "EXPIRED_CARD";
    53 PaymentVoided = "PaymentVoided" "";
    54 PaymentReceived = "PaymentReceived" "";
    55 PaymentRefunded = "PaymentRefunded" "";
    64 ShipmentDispatched = "ShipmentDispatched" "";
    65 ShipmentRefused = "ShipmentRefused" "UNKNOWN";
    66 ShipmentRefusedDestination = "ShipmentRefused" "DESTINATION_NOT_SERVED";
    67 ShipmentRefusedGoods = "ShipmentRefused" "GOODS_NOT_ACCEPTED";
    68 ShipmentCancelled = "ShipmentCancelled" "";
}

impl Kind {
    /// Whether this is an event of order itself. Those are what the other services react to, so a
    /// service is waited for since the latest of them.
    pub fn is_own(self) -> bool {
        (self as u8) < Kind::StockReserved as u8
    }
}

impl From<&OrderEvent> for Kind {
    fn from(event: &OrderEvent) -> Self {
        match event {
            OrderEvent::OrderPlaced(_) => Kind::Placed,
            OrderEvent::OrderConfirmed(_) => Kind::Confirmed,
            OrderEvent::OrderCancellationRequested(e) => match e.cause {
                CancellationCause::Unknown => Kind::CancellationRequested,
                CancellationCause::Customer => Kind::CancellationRequestedByCustomer,
                CancellationCause::Overdue => Kind::CancellationRequestedOverdue,
            },
            OrderEvent::OrderCancelled(e) => match e.reason {
                CancelReason::Unknown => Kind::Cancelled,
                CancelReason::OutOfStock => Kind::CancelledOutOfStock,
                CancelReason::PaymentDeclined => Kind::CancelledPaymentDeclined,
                CancelReason::ShipmentRefused => Kind::CancelledShipmentRefused,
                CancelReason::Customer => Kind::CancelledByCustomer,
                CancelReason::Overdue => Kind::CancelledOverdue,
            },
            OrderEvent::OrderShipped(_) => Kind::Shipped,
            OrderEvent::OrderCompleted(_) => Kind::Completed,
            OrderEvent::OrderCompensated(_) => Kind::Compensated,
            OrderEvent::OrderReturned(_) => Kind::Returned,
        }
    }
}

impl From<&InventoryEvent> for Kind {
    fn from(event: &InventoryEvent) -> Self {
        match event {
            InventoryEvent::StockReserved(_) => Kind::StockReserved,
            InventoryEvent::StockRejected(_) => Kind::StockRejected,
            InventoryEvent::StockReleased(_) => Kind::StockReleased,
            InventoryEvent::StockReturned(_) => Kind::StockReturned,
        }
    }
}

impl From<&PaymentEvent> for Kind {
    fn from(event: &PaymentEvent) -> Self {
        match event {
            PaymentEvent::PaymentAuthorized(_) => Kind::PaymentAuthorized,
            PaymentEvent::PaymentDeclined(e) => match e.reason {
                DeclineReason::Unknown => Kind::PaymentDeclined,
                DeclineReason::CardDeclined => Kind::PaymentDeclinedCard,
                DeclineReason::InsufficientFunds => Kind::PaymentDeclinedFunds,
                DeclineReason::ExpiredCard => Kind::PaymentDeclinedExpired,
            },
            PaymentEvent::PaymentVoided(_) => Kind::PaymentVoided,
            PaymentEvent::PaymentReceived(_) => Kind::PaymentReceived,
            PaymentEvent::PaymentRefunded(_) => Kind::PaymentRefunded,
        }
    }
}

impl From<&ShippingEvent> for Kind {
    fn from(event: &ShippingEvent) -> Self {
        match event {
            ShippingEvent::ShipmentDispatched(_) => Kind::ShipmentDispatched,
            ShippingEvent::ShipmentRefused(e) => match e.reason {
                RefusalReason::Unknown => Kind::ShipmentRefused,
                RefusalReason::DestinationNotServed => Kind::ShipmentRefusedDestination,
                RefusalReason::GoodsNotAccepted => Kind::ShipmentRefusedGoods,
            },
            ShippingEvent::ShipmentCancelled(_) => Kind::ShipmentCancelled,
        }
    }
}

#[cfg(test)]
mod tests;
