//! The id of a payment: made from the order's id, so that it is the same in every run and a reader of the
//! ledger sees at once which orders were charged twice.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The id of a payment: `pi_<order>` for an order's first, `pi_<order>_2` for its second. The order
/// id is written without hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentId {
    /// The order that is paid.
    pub order: Uuid,
    /// Its number among the payments of the order, from 1.
    pub nth: NonZeroU16,
}

/// A text that is not the id of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a payment intent")]
pub struct InvalidIntentId;

impl IntentId {
    /// The id of the order's first payment.
    pub fn first(order: Uuid) -> Self {
        Self { order, nth: NonZeroU16::MIN }
    }
}

impl fmt::Display for IntentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pi_{}", self.order.simple())?;
        if self.nth > NonZeroU16::MIN { write!(f, "_{}", self.nth) } else { Ok(()) }
    }
}

impl FromStr for IntentId {
    type Err = InvalidIntentId;

    fn from_str(text: &str) -> Result<Self, InvalidIntentId> {
        let rest = text.strip_prefix("pi_").ok_or(InvalidIntentId)?;
        let (order, nth) = rest.split_once('_').unwrap_or((rest, "1"));
        let order = Uuid::try_parse(order).map_err(|_| InvalidIntentId)?;
        let id = Self { order, nth: nth.parse().map_err(|_| InvalidIntentId)? };
        // A payment has one spelling, otherwise an idempotency key would see two payments.
        if id.to_string() == text { Ok(id) } else { Err(InvalidIntentId) }
    }
}

impl Serialize for IntentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IntentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
