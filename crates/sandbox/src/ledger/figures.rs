//! The ledger in figures, for an audit that compares it with what the fleet believes. The sums are
//! kept up while acts are applied, so that reading them costs the same however much there is.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;
use uuid::Uuid;

use super::Ledger;
use crate::carrier::{Parcel, Reason, tracking_code};
use crate::payment::{Account, Currency, IntentId, Status};

/// The sums over all orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Orders that the provider or the carrier has heard of.
    pub orders: u64,
    /// The money, by currency.
    pub payments: BTreeMap<Currency, Figures>,
    /// The shipments.
    pub shipments: ShipmentTotals,
}

/// The money of several payments. Wide integers, because sums must not overflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Payments, declined ones included.
    pub payments: u64,
    /// Payments that were declined.
    pub declined: u64,
    /// What was held at first: held + voided + captured.
    pub authorized_minor: i128,
    /// What is held now.
    pub held_minor: i128,
    /// What was let go.
    pub voided_minor: i128,
    /// What was taken.
    pub captured_minor: i128,
    /// How much of that was given back.
    pub refunded_minor: i128,
}

/// How many shipments ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ShipmentTotals {
    /// Under way.
    pub dispatched: u64,
    /// Refused by the carrier.
    pub refused: u64,
    /// Cancelled before they were booked.
    pub cancelled: u64,
}

/// A part of the ledger, in the order of the order ids.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The orders of this page.
    pub orders: Vec<OrderFigures>,
    /// The next page starts after this; `None` on the last page.
    pub next: Option<Uuid>,
}

/// All that was done for one order.
#[derive(Debug, Clone, Serialize)]
pub struct OrderFigures {
    /// The order.
    pub order_id: Uuid,
    /// Its payments: one, unless it was charged twice.
    pub payments: Vec<PaymentFigures>,
    /// Its shipment.
    pub shipment: Option<ShipmentFigures>,
}

/// The money of one payment.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentFigures {
    /// The payment.
    pub id: IntentId,
    /// Where the money is, by its public name.
    pub status: &'static str,
    /// The currency of the amounts.
    pub currency: Currency,
    /// What was asked for.
    pub amount_minor: i64,
    /// What was held at first; zero when it was declined.
    pub authorized_minor: i64,
    /// What is held now.
    pub held_minor: i64,
    /// What was let go.
    pub voided_minor: i64,
    /// What was taken.
    pub captured_minor: i64,
    /// How much of that was given back.
    pub refunded_minor: i64,
}

/// How one shipment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum ShipmentFigures {
    /// Under way.
    Dispatched {
        /// Its tracking code.
        tracking_code: String,
    },
    /// Refused by the carrier.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// Cancelled before it was booked.
    Cancelled,
}

impl Ledger {
    /// At most `limit` orders after `after`.
    pub fn page(&self, after: Option<Uuid>, limit: usize) -> Page {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.orders.range((start, Bound::Unbounded)).map(|(order, _)| *order);
        let ids: Vec<Uuid> = rest.by_ref().take(limit).collect();
        let next = rest.next().and(ids.last().copied());
        Page { orders: ids.into_iter().filter_map(|order| self.order(order)).collect(), next }
    }

    /// All that was done for one order.
    pub fn order(&self, order_id: Uuid) -> Option<OrderFigures> {
        let book = self.orders.get(&order_id)?;
        let mut id = IntentId::first(order_id);
        let payments = book.intents.iter().map(|intent| {
            let figures = PaymentFigures::of(id, &intent.account);
            id.nth = id.nth.saturating_add(1);
            figures
        });
        let payments = payments.collect();
        let shipment = book.parcel.as_ref().map(|parcel| ShipmentFigures::of(order_id, parcel));
        Some(OrderFigures { order_id, payments, shipment })
    }
}

impl Totals {
    /// Counts a payment that is new or has changed.
    pub(super) fn pay(&mut self, before: Option<&Account>, after: &Account) {
        let figures = self.payments.entry(after.currency).or_default();
        if let Some(before) = before {
            figures.count(before, -1);
        } else {
            figures.payments += 1;
            figures.declined += u64::from(matches!(after.status, Status::RequiresPaymentMethod(_)));
        }
        figures.count(after, 1);
    }

    /// Counts a shipment that is new.
    pub(super) fn ship(&mut self, parcel: &Parcel) {
        match parcel {
            Parcel::Dispatched { .. } => self.shipments.dispatched += 1,
            Parcel::Refused { .. } => self.shipments.refused += 1,
            Parcel::Cancelled => self.shipments.cancelled += 1,
        }
    }
}

impl Figures {
    fn count(&mut self, account: &Account, sign: i128) {
        self.authorized_minor += sign * i128::from(account.authorized_minor());
        self.held_minor += sign * i128::from(account.held_minor());
        self.voided_minor += sign * i128::from(account.voided_minor());
        self.captured_minor += sign * i128::from(account.captured_minor);
        self.refunded_minor += sign * i128::from(account.refunded_minor);
    }
}

impl PaymentFigures {
    fn of(id: IntentId, account: &Account) -> Self {
        Self {
            id,
            status: account.status.name(),
            currency: account.currency,
            amount_minor: account.amount_minor,
            authorized_minor: account.authorized_minor(),
            held_minor: account.held_minor(),
            voided_minor: account.voided_minor(),
            captured_minor: account.captured_minor,
            refunded_minor: account.refunded_minor,
        }
    }
}

impl ShipmentFigures {
    /// How the parcel of `order` ended. It is also what the carrier answers.
    pub fn of(order: Uuid, parcel: &Parcel) -> Self {
        match parcel {
            Parcel::Dispatched { .. } => Self::Dispatched { tracking_code: tracking_code(order) },
            Parcel::Refused { reason, .. } => Self::Refused { reason: *reason },
            Parcel::Cancelled => Self::Cancelled,
        }
    }
}
