//! Which record appears on which topic, and what its key is. A new record is one word here.

use language::topic;

use crate::generated::*;
use crate::{Events, OrderId, Sku, TopicInfo};

/// Every topic that carries events of the published language.
pub const TOPICS: &[TopicInfo] = &[
    info::<OrderEvent>(false),
    info::<InventoryEvent>(false),
    info::<PaymentEvent>(false),
    info::<ShippingEvent>(false),
    info::<CatalogueEvent>(true),
    info::<WarehouseEvent>(false),
];

const fn info<E: Events>(compacted: bool) -> TopicInfo {
    TopicInfo { name: E::TOPIC, key: E::KEY, records: E::RECORDS, compacted }
}

topic! {
    /// What the order service decides; the one topic that the other services hear.
    OrderEvent on "order.events" in "flotilla.order.v1", schemas "../../schemas/order", language TOPICS,
    order_id: OrderId {
        OrderPlaced,
        OrderConfirmed,
        OrderCancellationRequested,
        OrderCancelled,
        OrderShipped,
        OrderCompleted,
        OrderCompensated,
        OrderReturned,
    }
}

topic! {
    /// Inventory's answers about the stock of an order.
    InventoryEvent on "inventory.events" in "flotilla.inventory.v1", schemas "../../schemas/inventory", language TOPICS,
    order_id: OrderId {
        StockReserved,
        StockRejected,
        StockReleased,
        StockReturned,
    }
}

topic! {
    /// Payment's answers about the money of an order.
    PaymentEvent on "payment.events" in "flotilla.payment.v1", schemas "../../schemas/payment", language TOPICS,
    order_id: OrderId {
        PaymentAuthorized,
        PaymentDeclined,
        PaymentVoided,
        PaymentReceived,
        PaymentRefunded,
    }
}

topic! {
    /// Shipping's answers about the parcel of an order.
    ShippingEvent on "shipping.events" in "flotilla.shipping.v1", schemas "../../schemas/shipping", language TOPICS,
    order_id: OrderId {
        ShipmentDispatched,
        ShipmentRefused,
        ShipmentCancelled,
    }
}

topic! {
    /// What can be bought at which price; the latest record per SKU is kept.
    CatalogueEvent on "inventory.catalogue" in "flotilla.inventory.v1", schemas "../../schemas/inventory", language TOPICS,
    sku: Sku {
        StockItemChanged,
        InventoryDepleted,
    }
}

topic! {
    /// What producers outside the fleet tell it about the stock on hand.
    WarehouseEvent on "warehouse.stock-adjustments" in "flotilla.warehouse.v1", schemas "../../schemas/warehouse", language TOPICS,
    sku: Sku {
        StockAdjusted,
    }
}
