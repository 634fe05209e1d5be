//! What the ledger can be asked to do, and what it answers. An act is also a line of the journal, so
//! its fields hold everything that its effect depends on, the time included.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::manner::Manner;
use crate::payment::{Account, Currency, IntentId};

/// One act of the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The provider did something.
    Payment(PaymentAct),
    /// The carrier did something.
    Shipment(ShipmentAct),
}

/// A step of a payment, under its idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaymentAct {
    /// The caller's idempotency key.
    pub key: String,
    /// When it was asked for, in seconds since 1970.
    pub at_seconds: i64,
    /// Keys that were used before this are forgotten, in seconds since 1970.
    #[serde(default = "for_ever")]
    pub keys_since_seconds: i64,
    /// What was asked for.
    #[serde(flatten)]
    pub step: PaymentStep,
}

/// For acts of journals that were written before keys were forgotten.
fn for_ever() -> i64 {
    i64::MIN
}

/// What the provider can do.
#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum PaymentStep {
    /// Hold an amount.
    #[serde(alias = "authorise")] // As journals of earlier releases have it.
    Authorize {
        /// The order that is paid.
        order: Uuid,
        /// The test card.
        token: String,
        /// The amount in minor units.
        minor: i64,
        /// Its currency.
        currency: Currency,
    },
    /// Take what is held.
    Capture {
        /// The payment.
        intent: IntentId,
        /// How much of it; all by default.
        minor: Option<i64>,
    },
    /// Let go of what is held.
    Cancel {
        /// The payment.
        intent: IntentId,
    },
    /// Give back what was taken.
    Refund {
        /// The payment.
        intent: IntentId,
        /// How much of it; all that is left by default.
        minor: Option<i64>,
    },
}

impl PaymentStep {
    /// The payment that it is about, unless it makes one.
    pub(super) fn intent(&self) -> Option<IntentId> {
        match self {
            Self::Authorize { .. } => None,
            Self::Capture { intent, .. }
            | Self::Cancel { intent }
            | Self::Refund { intent, .. } => Some(*intent),
        }
    }

    /// Distinguishes calls that came under one key. It is only in memory, so the hash may be another
    /// one in the next release.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// A step of a shipment. The order is its own idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub enum ShipmentAct {
    /// Book the shipment.
    Book {
        /// The order to ship.
        order: Uuid,
        /// Where to.
        destination: String,
    },
    /// Cancel it, unless it is under way.
    Cancel {
        /// The order not to ship.
        order: Uuid,
    },
}

impl ShipmentAct {
    /// The order that it is about.
    pub fn order(&self) -> Uuid {
        match self {
            Self::Book { order, .. } | Self::Cancel { order } => *order,
        }
    }
}

/// The effect of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied<T> {
    /// What to answer.
    pub answer: T,
    /// Whether it was done just now, and not before.
    pub first: bool,
    /// How to answer it, when it was done just now.
    pub manner: Manner,
    /// Whether it is stored under its key as a server error, although it was done.
    pub broken: bool,
}

/// A payment as it was after a step, or as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The payment.
    pub id: IntentId,
    /// The test card.
    pub token: Box<str>,
    /// When it was made, in seconds since 1970.
    pub created_seconds: i64,
    /// The money.
    pub account: Account,
    /// The refund, when that was the step.
    pub refund: Option<RefundMade>,
}

/// One refund of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundMade {
    /// Its number among the refunds of the payment, from 1.
    pub nth: u16,
    /// Its amount in minor units.
    pub minor: i64,
    /// How far it is.
    pub status: RefundStatus,
}

/// How far a refund is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// With the bank.
    Pending,
    /// Done.
    Succeeded,
    /// The bank sent it back: the money is the merchant's again.
    Failed,
}

impl RefundStatus {
    /// The public name of the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}
