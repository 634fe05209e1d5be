//! What loyalty publishes. The fleet's own language is the crate `events`; a service outside the saga brings its
//! own, with its schemas beside it.

use events::OrderId;
use serde::{Deserialize, Serialize};

/// A customer has more points than before, or fewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsChanged {
    pub order_id: OrderId,
    pub customer_id: String,
    pub change: i64,
    pub occurred_at: i64,
}

language::topic! {
    /// Everything that may be on the topic of loyalty.
    LoyaltyEvent on "loyalty.events" in "flotilla.loyalty.v1", schemas "schemas", language &[],
    order_id: OrderId {
        PointsChanged,
    }
}
