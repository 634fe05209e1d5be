//! What sprout publishes, with the schemas beside it.

use events::OrderId;
use serde::{Deserialize, Serialize};

/// An order was heard of for the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SproutNoted {
    pub order_id: OrderId,
    pub occurred_at: i64,
}

language::topic! {
    /// All that may stand on the topic of sprout.
    SproutEvent on "sprout.events" in "flotilla.sprout.v1", schemas "schemas", language &[],
    order_id: OrderId {
        SproutNoted,
    }
}
